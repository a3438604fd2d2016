"""Arrays that are joined, and rows, columns or names that a table is given, whose sizes do not fit one another."""

from __future__ import annotations

import ast
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, shape_of
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import PARTS_DIFFER
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

JOINED = re.compile(
    r"all the input array dimensions except for the concatenation axis must match|"
    r"all the input arrays must have same number of dimensions"
)
TOO_LONG = re.compile(r"Length of values \((\d+)\) does not match length of index \((\d+)\)")
NAMES = re.compile(
    r"Length mismatch: Expected axis has (\d+) elements, new values have (\d+) elements|"
    r"Shape of passed values is \(\d+, (\d+)\), indices imply \(\d+, (\d+)\)"
)
ROWS = re.compile(r"Shape of passed values is \((\d+), (\d+)\), indices imply \((\d+), \2\)")
SCALARS = "If using all scalar values, you must pass an index"
Shape = tuple[int, ...]


def explain_parts(crash: Crash) -> Finding | None:
    """Name the sizes, and the user's line that joins them where one is sure."""
    step = crash.user
    if step is None or not isinstance(crash.error, ValueError):
        return None
    if JOINED.search(crash.text) is not None:
        return _joined(crash, step)
    if SCALARS in crash.text and step.call is not None and step.call.args:
        given = step.call.args[0]
        fix = line_changed(step, [(given, f"[{ast.unparse(given)}]")])
        return crash.found(
            PARTS_DIFFER, "a list of values for each column, or of rows", f"{ast.unparse(given)[:80]}: one row", fix
        )
    return _of_table(crash, step)


def _of_table(crash: Crash, step: TraceStep) -> Finding | None:
    if (match := TOO_LONG.search(crash.text)) is not None:
        values = next((each.value for each in ast.walk(step.tree) if isinstance(each, ast.Assign)
                       and each.lineno <= step.line <= (each.end_lineno or 0)), None)  # fmt: skip
        name = ast.unparse(values) if isinstance(values, ast.Name | ast.Attribute | ast.Subscript) else "the values"
        fix = f"Make {name} from the same rows: one of the two has lost some, or has more, before {crash.place}."
        return crash.found(
            PARTS_DIFFER, f"a value for each of the {match[2]} rows of the table", f"{match[1]} in {name}", fix
        )
    if (match := ROWS.search(crash.text)) is not None:
        fix = "Leave index= out, or take the index of the table that the rows come from."
        return crash.found(PARTS_DIFFER, f"a label for each of the {match[1]} rows", f"{match[3]} labels", fix)
    if (match := NAMES.search(crash.text)) is None:
        return None
    has, given = (each for each in match.groups() if each)
    fix = f"Give one name for each of the {has} columns, in their order; or take others out first."
    return crash.found(PARTS_DIFFER, f"a name for each of the {has} columns", f"{given} names", fix)


def _joined(crash: Crash, step: TraceStep) -> Finding | None:
    call = step.call
    if call is None or not call.args or not isinstance(call.func, ast.Attribute):
        return None
    listed = call.args[0]
    parts = list(call.args[:2]) if called(call) == "append" else getattr(listed, "elts", [])
    shapes = [_shape(each, step) for each in parts]
    known = [each for each in shapes if each is not None]
    if len(parts) < 2 or len(known) < len(parts):
        return None
    received = ", ".join(f"{ast.unparse(each)[:60]} {shape}" for each, shape in zip(parts, known, strict=True))
    numpy = ast.unparse(call.func.value)
    return crash.found(
        PARTS_DIFFER,
        "arrays that are alike on every axis but the one that they are joined on",
        received,
        _line(step, call, numpy, parts, known) or _sentence(parts, known),
    )


def _shape(node: ast.expr, step: TraceStep) -> Shape | None:
    value: Any = held_by(node, step.frame)
    shape = shape_of(value) if not isinstance(value, tuple) else None
    return None if shape is None else tuple(each or 0 for each in shape)


def _line(step: TraceStep, call: ast.Call, numpy: str, parts: list[ast.expr], shapes: list[Shape]) -> str:
    """Return the user's line with the only axis that the parts can be joined on, "" of none or several."""
    most = max(map(len, shapes))
    if len({len(each) for each in shapes}) == 1:
        texts, full = [ast.unparse(each) for each in parts], shapes
    elif most == 2 and {len(each) for each in shapes} == {1, 2}:
        table = next(each for each in shapes if len(each) == 2)
        flat = {each[0] for each in shapes if len(each) == 1}
        if len(flat) != 1 or not flat <= {*table} or table[0] == table[1]:
            return ""
        ends = ("(-1, 1)", lambda size: (size, 1)) if flat == {table[0]} else ("(1, -1)", lambda size: (1, size))
        texts = [ast.unparse(each) if len(shape) == 2 else f"{numpy}.reshape({ast.unparse(each)}, {ends[0]})"
                 for each, shape in zip(parts, shapes, strict=True)]  # fmt: skip
        full = [each if len(each) == 2 else ends[1](each[0]) for each in shapes]
    elif {len(each) for each in shapes} == {most, most - 1} and all(
        each[-1] == 1 for each in shapes if len(each) == most
    ):
        texts = [ast.unparse(each) + "[..., None]" * (len(shape) < most)
                 for each, shape in zip(parts, shapes, strict=True)]  # fmt: skip
        full = [each if len(each) == most else (*each, 1) for each in shapes]
        if len({*full}) == 1:  # whichever axis they are joined on
            return line_changed(step, list(zip(parts, texts, strict=True)))
    else:
        return ""
    axes = [axis for axis in range(most) if len({(*each[:axis], *each[axis + 1 :]) for each in full}) == 1]
    if len(axes) != 1:
        return ""
    return line_changed(step, [(call, f"{numpy}.concatenate([{', '.join(texts)}], axis={axes[0]})")])


def _sentence(parts: list[ast.expr], shapes: list[Shape]) -> str:
    names = " and ".join(ast.unparse(each)[:60] for each in parts[:2])
    if len({len(each) for each in shapes}) > 1:
        return f"Give {names} the same number of axes first: reshape(…), or [:, None] for a column."
    return f"Make {names} from data of one shape: they differ on more than one axis."
