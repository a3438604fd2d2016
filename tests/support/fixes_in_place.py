"""Run a finding's fix on what a program has, arrays, a dataset, a generator, and ask the doctor again."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from deep_mnist.doctor import check
from deep_mnist.doctor.finding import Finding

Data = Callable[[], dict[str, Any]]  # x and, of arrays, y


def graver(findings: Any) -> list[Finding]:
    """Return errors and warnings."""
    return [each for each in findings if each.severity in ("error", "warning")]


def is_statement(fix: str) -> bool:
    """Whether a fix is Python."""
    try:
        ast.parse(fix)
    except SyntaxError:
        return False
    return True


def fixed(model: Any, data: dict[str, Any], **fit: Any) -> tuple[list[Finding], list[Finding], dict[str, Any]]:
    """Return the findings on a call, those left after each fix that is Python was run once, and the names then.

    Args:
        model: Compiled.
        data: "x" and, where that is no pipeline, "y".
        **fit: Arguments of fit.
    """
    import keras
    import tensorflow as tf

    x, y = data["x"], data.get("y")
    found = graver(check(model, x, y, **fit).findings)
    space = {"x": x, "y": y, "model": model, "np": np, "keras": keras, "tf": tf}
    for fix in dict.fromkeys(each.fix for each in found):  # one line that two findings name is one change
        if is_statement(fix):
            exec(compile(fix, "<fix>", "exec"), space)
    again = graver(check(model, *(space[name] for name in ("x", "y")), **fit).findings)
    return found, again, space
