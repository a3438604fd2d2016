"""What is used as a table of pandas and is an array: what scalers, `.values` and np.split() make of a table."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import NO_TABLE
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

ATTRIBUTE = re.compile(r"^'numpy\.ndarray' object has no attribute '(\w+)'")
BY_NAME = re.compile(r"^only integers, slices .* are valid indices")
AS_ARRAY = ("values", "to_numpy")  # of a table: the array that is at hand
BY_PLACE = ("iloc", "iat")  # which arrays are asked by without
MADE = ("array", "asarray")
CUT = ("split", "array_split")


def explain_no_table(crash: Crash) -> Finding | None:
    """Name the array, and the line that makes it with a table in its place."""
    step = crash.user
    node, asked = _asked(crash, step) if step is not None else (None, "")
    if step is None or node is None or "pandas" not in sys.modules:
        return None
    held = held_by(node, step.frame)
    if not isinstance(held, np.ndarray):
        return None
    text = ast.unparse(node)
    return crash.found(
        NO_TABLE,
        f"a table of pandas in {text}, for {asked}",
        f"{text}, an array of shape {held.shape}",
        _as_array(step, node, asked) or _made_a_table(crash, held) or _wrapped(step, node, asked, held),
    )


def _asked(crash: Crash, step: TraceStep) -> tuple[ast.expr | None, str]:
    """Return what is no table, and what it is asked for."""
    match = ATTRIBUTE.search(crash.text) if isinstance(crash.error, AttributeError) else None
    if match is not None and hasattr(getattr(sys.modules.get("pandas"), "DataFrame", None), match[1]):
        found = [each.value for each in step.on_line(ast.Attribute) if each.attr == match[1]]
        return (found[0], f".{match[1]}") if found else (None, "")
    if not isinstance(crash.error, IndexError) or not BY_NAME.search(crash.text):
        return None, ""
    for each in step.on_line(ast.Subscript):
        names = each.slice.elts if isinstance(each.slice, ast.List) else [each.slice]
        if all(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in names):
            return each.value, f"[{ast.unparse(each.slice)}]"
    return None, ""


def _as_array(step: TraceStep, node: ast.expr, asked: str) -> str:
    """Return the user's line where an array does as it is: `x.values` of an array, and `x.iloc[:5]`."""
    name = asked.removeprefix(".")
    if name not in (*AS_ARRAY, *BY_PLACE):
        return ""
    attribute = next(each for each in step.on_line(ast.Attribute) if each.value is node and each.attr == name)
    call = next((each for each in step.on_line(ast.Call) if each.func is attribute), None)
    return line_changed(step, [(call or attribute, ast.unparse(node))])


def _made_a_table(crash: Crash, array: np.ndarray) -> str:
    """Return the line that made the array of a table, so that it stays one; "" where no such line is known."""
    for step in reversed([each for each in crash.steps if each.is_own]):
        text = ProgramText(step.frame, step.file)
        name = text.name_of(array)
        made = (_split_by_place(step, each) or _kept(step, each, array) for each in _settings(text, name, step.line))
        apart = (_split_by_place(step, each) for each in _settings(text, None, step.line))  # of which it is a copy
        line = next((each for each in (*made, *apart) if each), "")
        if line:
            return line
    return ""


def _settings(text: ProgramText, name: str | None, before: int) -> Iterator[ast.Assign]:
    """Yield the statements that set a name, or several with it, the last before a line first; without a name all."""
    found = [each for each in text.nodes if isinstance(each, ast.Assign) and each.lineno < before]
    for each in sorted(found, key=lambda one: -one.lineno):
        if name is None or any(
            isinstance(one, ast.Name) and one.id == name for to in each.targets for one in ast.walk(to)
        ):
            yield each


def _kept(step: TraceStep, statement: ast.Assign, array: np.ndarray) -> str:
    value = statement.value
    call = value if isinstance(value, ast.Call) else None
    inner = value if isinstance(value, ast.Attribute) else call.func if call is not None else None
    if isinstance(inner, ast.Attribute) and inner.attr in AS_ARRAY and _is_table(inner.value, step):
        return line_changed(step, [(value, ast.unparse(inner.value))])
    if call is None or not call.args or array.ndim != 2:
        return ""
    table = call.args[0]
    if not _is_table(table, step) and ast.unparse(table) not in map(ast.unparse, statement.targets):
        return ""
    if called(call) in MADE:
        return line_changed(step, [(value, ast.unparse(table))])
    text = ast.unparse(table)
    again = f"pd.DataFrame({ast.unparse(call)}, columns={text}.columns, index={text}.index)"
    return line_changed(step, [(value, again)])


def _is_table(node: ast.expr, step: TraceStep) -> bool:
    """Whether a name holds a table, or columns of one by a list of names are meant."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.List):
        node = node.value
    return hasattr(held_by(node, step.frame), "iloc")


def _split_by_place(step: TraceStep, statement: ast.Assign) -> str:
    """Return np.split(table, [a, b]) as slices by place: what it makes of a table is arrays."""
    call, to = statement.value, statement.targets[0]
    if not isinstance(call, ast.Call) or called(call) not in CUT or len(call.args) != 2:
        return ""
    cuts = call.args[1].elts if isinstance(call.args[1], ast.List | ast.Tuple) else []
    if not cuts or not isinstance(to, ast.Tuple) or len(to.elts) != len(cuts) + 1:
        return ""
    if not isinstance(held_by(to.elts[0], step.frame), np.ndarray):
        return ""
    first = to.elts[0]
    table = call.args[0]
    begins = "" if isinstance(table, ast.Name) else f"{ast.unparse(first)} = {ast.unparse(table)}; "
    name = ast.unparse(table if isinstance(table, ast.Name) else first)
    ends = ["", *map(ast.unparse, cuts), ""]
    parts = ", ".join(f"{name}.iloc[{one}:{other}]" for one, other in itertools.pairwise(ends))
    line = line_changed(step, [(call, parts)])
    return f"{begins}{line}"


def _wrapped(step: TraceStep, node: ast.expr, asked: str, array: Any) -> str:
    """Return the user's line with a table made of the array; in words where columns are asked by name."""
    if asked.startswith("[") or array.ndim != 2:
        return f"{ast.unparse(node)} = pd.DataFrame({ast.unparse(node)}, columns=[…])  # with its columns' names"
    return line_changed(step, [(node, f"pd.DataFrame({ast.unparse(node)})")])
