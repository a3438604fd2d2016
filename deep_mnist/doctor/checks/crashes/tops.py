"""A network of keras.applications with its classes on top, where its features are wanted."""

from __future__ import annotations

import ast
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.files.lines import line_with_keywords
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.evidence.live.statements.call_line import held_by


def without_top(crash: Crash, before: Any) -> str:
    """Return the user's line that makes a network of keras.applications without its classes; "" of none or several.

    Args:
        crash: Of a layer that takes features with rows and columns.
        before: The layer whose output it was given.
    """
    if crash.user is None or getattr(before, "name", "") not in ("predictions", "classifier_activation"):
        return ""
    calls = [each for each in ProgramText(crash.user.frame, crash.user.file).nodes if isinstance(each, ast.Call)
             and getattr(held_by(each.func, crash.user.frame), "__module__", "").startswith("keras.src.applications.")
             and _has_top(each)]  # fmt: skip
    return line_with_keywords(crash.user, calls[0], include_top=False) if len(calls) == 1 else ""


def _has_top(call: ast.Call) -> bool:
    stated = keyword_of(call, "include_top")
    return not call.args and (stated is None or (isinstance(stated, ast.Constant) and stated.value is True))
