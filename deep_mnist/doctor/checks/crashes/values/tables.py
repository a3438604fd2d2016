"""Rows and axes of tables: two arrays of other lengths, one axis where a table is taken, other columns than before."""

from __future__ import annotations

import ast
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import AXES_OTHER, ROWS_DIFFER
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

LENGTHS = re.compile(
    r"inconsistent numbers of samples: \[([^\]]*)\]|Dimensions (\d+) and (\d+) are not compatible|"
    r"All arrays must be of the same length|should have the same length\. Found"
)
ONE_AXIS = re.compile(
    r"Expected (?:a )?2(?:D|-dimensional) (?:array, got (?:1D|scalar) array|container but got .*) instead"
)
MORE_AXES = re.compile(r"Found array with dim (\d)(?:\. \w+ expected <= 2|, while dim <= 2 is required)")
COLUMNS = re.compile(r"X has (\d+) features, but (\w+) is expecting (\d+) features")
OUT_OF_SHAPE = re.compile(r"non-broadcastable output operand with shape \((\d+),(\d+)\).* shape \(\d+,(\d+)\)")


def explain_table(crash: Crash) -> Finding | None:
    """Name the lengths or axes, and the user's line with a table of the right ones."""
    step = crash.user
    if step is None or not isinstance(crash.error, ValueError):
        return None
    return _rows(crash, step) or _axes(crash, step) or _columns(crash, step)


def _given(step: TraceStep) -> list[ast.expr]:
    """Return what the user's call is given, parts of a tuple, list or dictionary apart."""
    call = step.call
    if call is None:
        return []
    found: list[ast.expr] = []
    for each in (*call.args, *(named.value for named in call.keywords)):
        parts = each.elts if isinstance(each, ast.Tuple | ast.List) else None
        found += parts if parts else each.values if isinstance(each, ast.Dict) else [each]
    return found


def _length(value: Any) -> int | None:
    """Return the number of rows of an array, table or list, None of anything else."""
    if isinstance(value, str | bytes | dict) or callable(value):
        return None
    shape = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(value) if hasattr(value, "__len__") else None


def _rows(crash: Crash, step: TraceStep) -> Finding | None:
    match = LENGTHS.search(crash.text)
    if match is None:
        return None
    known = [(each, held_by(each, step.frame)) for each in _given(step)]
    lengths = [(ast.unparse(each), count) for each, value in known if (count := _length(value)) is not None]
    said = [int(each) for each in re.findall(r"\d+", match[0].rpartition(":")[2])]
    if len(lengths) < len(said) == len(known):  # expressions, in their order
        lengths = [(ast.unparse(each), count) for (each, _), count in zip(known, said, strict=True)]
    if len({count for _, count in lengths}) < 2:
        return None
    counts = {count for _, count in lengths}
    turned = next((each for each, value in known if len(getattr(value, "shape", ())) == 2
                   and value.shape[1] in counts - {value.shape[0]}), None)  # fmt: skip
    names = " and ".join(name for name, _ in lengths)
    cut = f"Make {names} from the same rows: one of them has lost some, or has more, before {crash.place}."
    return ROWS_DIFFER.found(
        expected=f"as many rows in {names}",
        received=f"{' and '.join(f'{count} in {name}' for name, count in lengths)}, at {crash.place}",
        fix=cut if turned is None else line_changed(step, [(turned, _turned(turned))]),
    )


def _turned(node: ast.expr) -> str:
    """Return the code of a table with its axes exchanged."""
    return ast.unparse(node.value) if isinstance(node, ast.Attribute) and node.attr == "T" else f"{ast.unparse(node)}.T"


def _axes(crash: Crash, step: TraceStep) -> Finding | None:
    call = step.call
    if call is None or not call.args:
        return None
    node, several = call.args[0], MORE_AXES.search(crash.text)
    text = ast.unparse(node)
    if several is not None:
        changed = ast.unparse(ast.Call(call.func, [_parsed(f"{text}.reshape(-1, {text}.shape[-1])")], call.keywords))
        fix = line_changed(step, [(call, f"{changed}.reshape({text}.shape)")])
        received = f"{text} of {several[1]} axes"
    elif ONE_AXIS.search(crash.text) is not None:
        fix = line_changed(step, [(node, _as_table(step, node))])
        received = f"{text} of one axis"
    else:
        return None
    return AXES_OTHER.found(
        expected="a table of rows and columns, (n, columns)", received=f"{received}, at {crash.place}", fix=fix
    )


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _as_table(step: TraceStep, node: ast.expr) -> str:
    """Return the code of a table with what has one axis as its only column."""
    value, text = held_by(node, step.frame), ast.unparse(node)
    owner = held_by(node.value, step.frame) if isinstance(node, ast.Subscript) else None
    if isinstance(node, ast.Subscript) and type(owner).__name__ == "DataFrame" and isinstance(node.slice, ast.Constant):
        return f"{ast.unparse(node.value)}[[{ast.unparse(node.slice)}]]"
    if type(value).__name__ == "Series":
        return f"{text}.to_frame()"
    return f"np.reshape({text}, (-1, 1))" if isinstance(value, list | tuple) else f"{text}.reshape(-1, 1)"


def _columns(crash: Crash, step: TraceStep) -> Finding | None:
    """A scaler that is given other columns than it was fitted to."""
    match, broadcast = COLUMNS.search(crash.text), OUT_OF_SHAPE.search(crash.text)
    call = step.call
    if (match is None and broadcast is None) or call is None or not isinstance(call.func, ast.Attribute):
        return None
    given, fitted = (
        (match[1], match[3]) if match is not None else (broadcast[2], broadcast[3]) if broadcast else ("", "")
    )
    scaler = ast.unparse(call.func.value)
    kind = type(held_by(call.func.value, step.frame)).__name__
    made = f"{kind}()" if kind != "NoneType" else "a scaler"
    return AXES_OTHER.found(
        expected=f"the {fitted} columns that {scaler} was fitted to",
        received=f"{given} of them, at {crash.place}",
        fix=f"Give the target a scaler of its own, fitted to train's targets alone: target_scaler = {made}, then "
        f"target_scaler.{call.func.attr}(…).",
    )
