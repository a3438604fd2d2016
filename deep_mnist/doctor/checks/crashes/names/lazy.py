"""What is no list in Python 3, and is used as one: map, filter, zip, range, and the keys and values of a dictionary."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.rules import LAZY
from deep_mnist.doctor.finding import Finding

KINDS = "map|filter|zip|range|dict_keys|dict_values|dict_items"
AS_LIST = re.compile(
    rf"object of type '({KINDS})' has no len|'({KINDS})' object (?:is not subscriptable|does not support item)|"
    rf"(?:argument must be|unsupported operand).*'({KINDS})'"
)


def explain_lazy(crash: Crash) -> Finding | None:
    """Name the expression that gives no list, and its line with one."""
    step = crash.user
    match = AS_LIST.search(crash.text) if isinstance(crash.error, TypeError) else None
    if step is None or match is None:
        return None
    kind = next(each for each in match.groups() if each)
    found = _made_before(step, kind) or _made_here(step, kind)
    if found is None:
        return None
    return LAZY.found(
        expected="a list, as Python 2 gave",
        received=f"{ast.unparse(found)[:60]}, which is a {kind}, at {crash.place}",
        fix=line_changed(step, [(found, f"list({ast.unparse(found)})")]),
    )


def _made_before(step: TraceStep, kind: str) -> ast.expr | None:
    """Return what a name of the failing line, which holds such a value, was set to last before it."""
    names = {each.id for each in step.on_line(ast.Name)}
    held = {each for each in names if type(step.named(each)).__name__ == kind}
    made = [each for each in ast.walk(step.tree) if isinstance(each, ast.Assign) and each.lineno < step.line
            and getattr(each.targets[0], "id", "") in held and isinstance(each.value, ast.Call)]  # fmt: skip
    return max(made, key=lambda each: each.lineno).value if made and len(held) == 1 else None


def _made_here(step: TraceStep, kind: str) -> ast.expr | None:
    """Return the only call on the failing line that gives such a value."""
    name = kind.removeprefix("dict_")
    calls = [
        each
        for each in step.on_line(ast.Call)
        if getattr(each.func, "id", "") == kind or getattr(each.func, "attr", "") == name
    ]
    return calls[0] if len(calls) == 1 else None
