"""A column of pandas that holds another type than it is used as: dates, texts, keys of two tables, several columns."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import KIND_OTHER
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

ACCESSOR = re.compile(r"Can only use \.(dt|str) accessor with")
KEYS = re.compile(r"You are trying to merge on \S+ and \S+ columns for key '([^']+)'")
CLASS_MODE = re.compile(r'If class_mode="(\w+)", y_col="([^"]+)" column\s+values must be strings')
SEVERAL = "Cannot subset columns with a tuple with more than one element"


def explain_column_type(crash: Crash) -> Finding | None:
    """Name the column and its type, and the line that makes it what it is used as."""
    step = crash.user
    if step is None or not isinstance(crash.error, AttributeError | TypeError | ValueError):
        return None
    if (match := ACCESSOR.search(crash.text)) is not None:
        return _accessor(crash, step, match[1])
    if (keys := KEYS.search(crash.text)) is not None:
        return _keys(crash, step, keys[1])
    if (mode := CLASS_MODE.search(crash.text)) is not None:
        return _class_mode(crash, step, mode[1], mode[2])
    return _several(crash, step) if SEVERAL in crash.text else None


def _class_mode(crash: Crash, step: TraceStep, mode: str, column: str) -> Finding | None:
    """Labels of a table that flow_from_dataframe takes as texts alone."""
    text = ProgramText(step.frame, step.file)
    calls = text.calls_on(step.line, "flow_from_dataframe")
    table = argument_of(calls[0], 0, "dataframe") if len(calls) == 1 else None
    statement = text.statement_of(calls[0]) if table is not None else None
    if table is None or statement is None:
        return None
    name = f"{ast.unparse(table)}[{column!r}]"
    return crash.found(
        KIND_OTHER,
        f"texts in {name}, for class_mode={mode!r}",
        "a column of numbers",
        f"{name} = {name}.astype(str)  # before {text.at(statement)}",
    )


def _accessor(crash: Crash, step: TraceStep, name: str) -> Finding | None:
    """`.dt` of texts, `.str` of numbers."""
    nodes = [each.value for each in step.on_line(ast.Attribute) if each.attr == name]
    series = [each for each in nodes if type(held_by(each, step.frame)).__name__ == "Series"]
    if len(series) != 1:
        return None
    node, values = series[0], held_by(series[0], step.frame)
    text = ast.unparse(node)
    if name == "str":
        fix = line_changed(step, [(node, f"{text}.astype(str)")])
        return crash.found(KIND_OTHER, f"texts in {text}, for .str", f"values of {values.dtype}", fix)
    first = next((each for each in values if isinstance(each, str)), "")
    if not first or not _is_a_date(first):
        return None
    fix = line_changed(step, [(node, f"pd.to_datetime({text})")])
    return crash.found(KIND_OTHER, f"dates in {text}, for .dt", f"texts, such as {first[:40]!r}", fix)


def _is_a_date(text: str) -> bool:
    with contextlib.suppress(Exception):  # whatever pandas says of what is no date
        return sys.modules["pandas"].to_datetime(text) is not None
    return False


def _keys(crash: Crash, step: TraceStep, key: str) -> Finding | None:
    """Two tables that are joined by a key, which is a text in one and a number in the other."""
    call = step.call
    if call is None or called(call) != "merge" or not isinstance(call.func, ast.Attribute):
        return None
    is_method = type(held_by(call.func.value, step.frame)).__name__ == "DataFrame"
    sides = [call.func.value, argument_of(call, 0, "right")] if is_method else list(call.args[:2])
    tables = [(ast.unparse(each), held_by(each, step.frame)) for each in sides if each is not None]
    if len(tables) != 2 or any(type(each).__name__ != "DataFrame" or key not in each.columns for _, each in tables):
        return None
    texts = [(name, table[key]) for name, table in tables if _is_of_texts(table[key])]
    numbers = [(name, table[key]) for name, table in tables if not _is_of_texts(table[key])]
    if len(texts) != 1 or len(numbers) != 1:
        return None
    digits = all(isinstance(each, str) and each.isdigit() and each == str(int(each)) for each in texts[0][1])
    (name, _), made = (texts[0], "int") if digits else (numbers[0], "str")
    fix = f"{name}[{key!r}] = {name}[{key!r}].astype({made})  # before {crash.place}"
    received = f"texts in {texts[0][0]}, {numbers[0][1].dtype} in {numbers[0][0]}"
    return crash.found(KIND_OTHER, f"keys {key!r} of one type in both tables", received, fix)


def _is_of_texts(column: Any) -> bool:
    return bool(column.map(lambda cell: isinstance(cell, str)).any())


def _several(crash: Crash, step: TraceStep) -> Finding | None:
    """Columns of groups that are asked for without a list: `groups["a", "b"]`."""
    found = [each for each in step.on_line(ast.Subscript) if isinstance(each.slice, ast.Tuple)
             and all(isinstance(part, ast.Constant) for part in each.slice.elts)]  # fmt: skip
    if len(found) != 1:
        return None
    node, names = found[0], ast.unparse(found[0].slice).strip("()")
    fix = line_changed(step, [(node, f"{ast.unparse(node.value)}[[{names}]]")])
    return crash.found(KIND_OTHER, f"a list of columns, [{names}]", f"{names} without a list", fix)
