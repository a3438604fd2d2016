"""Cells of a table that are no numbers where numbers are meant: missing values for an int, words in arithmetic."""

from __future__ import annotations

import ast
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.operands import operands_at
from deep_mnist.doctor.checks.crashes.rules import DTYPE_REFUSED
from deep_mnist.doctor.checks.crashes.values.rules import MISSING_INT
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

NO_INT = re.compile(
    r"[Cc]annot convert (?:float )?(?:NaN|non-finite values|NA) .*to (?:an )?integer|"
    r"cannot convert float infinity to integer|cannot convert NA to integer"
)
OF_WORDS = re.compile(
    r"Cannot perform reduction '\w+' with string dtype|Cannot interpolate with str dtype|"
    r"unsupported operand type\(s\) for \S+ 'str' and|unsupported operand type\(s\) for \S+ '\w+' and 'str'|"
    r"'[<>]=?' not supported between instances of 'str' and|which has no callable \w+ method|"
    r"agg function failed \[how->\w+,dtype->(?:object|str)\]|Could not convert .* to numeric|"
    r"dtype '(?:str|object)' does not support operation '\w+'|Unable to parse string"
)
NUMERIC_ONLY = ("corr", "cov")
MOST_TOLD = 4  # columns, by name


def explain_missing_number(crash: Crash) -> Finding | None:
    """Name the columns, and the line that leaves them or their gaps out."""
    step = crash.user
    if step is None or not isinstance(crash.error, TypeError | ValueError):
        return None
    if NO_INT.search(crash.text) is not None:
        return _missing(crash, step)
    call = step.call
    if OF_WORDS.search(crash.text) is not None or (
        call is not None and called(call) in NUMERIC_ONLY and "could not convert string" in crash.text
    ):
        return _words(crash, step)
    return None


def _missing(crash: Crash, step: TraceStep) -> Finding | None:
    """Missing values that are made ints: by `astype(int)` of a column or table, or of what a map gave."""
    call = step.call
    if call is None or called(call) != "astype" or not isinstance(call.func, ast.Attribute):
        return None
    node, value = call.func.value, _converted(crash, step, call.func.value)
    if type(value).__name__ not in ("Series", "DataFrame"):
        return None
    text, count = ast.unparse(node), int(value.isna().to_numpy().sum())
    place = ProgramText(step.frame, step.file).at(call)
    received = f"{count} missing of {value.size}"
    if not count:
        fix = f"{text} = {text}.replace([float('inf'), float('-inf')], 0)  # before {place}, or what stands for them"
        return _gap(crash, text, "infinite values", fix)
    if type(value).__name__ == "DataFrame":
        columns = [repr(each) for each in value.columns if value[each].isna().any()]
        told = f"{received}, in {', '.join(columns[:MOST_TOLD])}"
        return _gap(crash, text, told, f"{text} = {text}.dropna()  # before {place}: leaves out rows")
    if (unknown := _unknown_to_map(step, node, value)) != "":
        told = f"{received}: the map has nothing for {unknown}"
        return _gap(crash, text, told, f"Give the dictionary of the map a number for {unknown} too.")
    if isinstance(node, ast.Subscript) and type(held_by(node.value, step.frame)).__name__ == "DataFrame":
        table = ast.unparse(node.value)
        fix = f"{table} = {table}.dropna(subset=[{ast.unparse(node.slice)}])  # before {place}: leaves out these rows"
        return _gap(crash, text, received, fix)
    return _gap(crash, text, received, line_changed(step, [(node, f"{text}.dropna()")]))


def _converted(crash: Crash, step: TraceStep, node: ast.expr) -> Any:
    """Return the column or table whose astype() was called."""
    owners = [each.held.get("self") for each in crash.steps if each.function == "astype"]
    value = held_by(node, step.frame)
    return value if value is not None or not owners else owners[0]


def _unknown_to_map(step: TraceStep, node: ast.expr, value: Any) -> str:
    """Return the values that a map has nothing for, "" of what was missing before or is of no map."""
    is_map = isinstance(node, ast.Call) and called(node) == "map" and isinstance(node.func, ast.Attribute)
    source: Any = held_by(node.func.value, step.frame) if is_map else None  # type: ignore[attr-defined]
    if type(source).__name__ != "Series" or source.isna().any() or len(source) != len(value):
        return ""
    return ", ".join(map(repr, dict.fromkeys(source[value.isna().to_numpy()].tolist())))[:100]


def _gap(crash: Crash, text: str, received: str, fix: str) -> Finding:
    return MISSING_INT.found(
        expected=f"a number in every cell of {text}, for ints", received=f"{received}, at {crash.place}", fix=fix
    )


def _words(crash: Crash, step: TraceStep) -> Finding | None:
    """Columns of words in a mean, a difference, a comparison or a function of numbers."""
    for node in _tables_at(step):
        value = held_by(node, step.frame)
        columns = _of_words(value)
        if not columns:
            continue
        name = ast.unparse(node)
        told = ", ".join(map(repr, columns[:MOST_TOLD])) + (", …" if len(columns) > MOST_TOLD else "")
        if (again := _in_its_own_way(step)) != "":
            received, fix = f"words in {told}" if type(value).__name__ == "DataFrame" else "words", again
        elif type(value).__name__ == "DataFrame":
            received = f"words in {told}"
            numbers = len(value.columns) > len(columns)
            fix = (
                f'{name} = {name}.select_dtypes("number")  # before {crash.place}; or pd.get_dummies({name})'
                if numbers
                else f'{name} = {name}.apply(pd.to_numeric, errors="coerce")  # before {crash.place}'
            )
        else:
            received = f"words, such as {_example(value)!r}"
            fix = _as_numbers(name, value, crash)
        return DTYPE_REFUSED.found(
            "train", expected=f"numbers in {name}", received=f"{received}, at {crash.place}", fix=fix
        )
    return None


def _in_its_own_way(step: TraceStep) -> str:
    """Return the user's line where pandas leaves words out by an argument; "" where that is not the whole of it."""
    call = step.call
    if call is None:
        return ""
    if called(call) == "to_numeric":
        return f"{line_with_keywords(step, call, errors='coerce')}: what is no number becomes NaN"
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    of_groups = isinstance(owner, ast.Call | ast.Name) and "groupby" in ast.unparse(owner)
    if called(call) in NUMERIC_ONLY or of_groups or _is_within(step, call, "fillna"):
        return line_with_keywords(step, call, numeric_only=True)
    return ""


def _is_within(step: TraceStep, call: ast.Call, name: str) -> bool:
    """Whether a call is among the arguments of another one."""
    outer = calls_at(step, name)
    return any(ast.unparse(each) == ast.unparse(call) for node in outer for each in ast.walk(node) if each is not node)


def _example(column: Any) -> str:
    return next((each for each in column if isinstance(each, str)), "")[:40]


def _as_numbers(name: str, column: Any, crash: Crash) -> str:
    """Return the line that reads the texts of a column as numbers, a sentence where they are words."""
    try:
        [float(each) for each in column if isinstance(each, str)]
    except ValueError:
        return f"Leave {name} out, or encode it: pd.get_dummies({name}, dtype=float)."
    return f"{name} = pd.to_numeric({name})  # before {crash.place}: the file has them as texts"


def _tables_at(step: TraceStep) -> list[ast.expr]:
    """Return what a frame's operation is done to, tables and columns of pandas, the widest expressions first."""
    node = operands_at(step)
    top = [node] if node is not None else list(step.on_line(ast.Subscript)) + list(step.on_line(ast.Name))
    found = [
        each for every in top for each in ast.walk(every) if isinstance(each, ast.Name | ast.Attribute | ast.Subscript)
    ]
    return [each for each in found if type(held_by(each, step.frame)).__name__ in ("DataFrame", "Series")]


def _of_words(value: Any) -> list[str]:
    """Return the columns that hold texts, of a series itself."""
    table = value.to_frame("") if type(value).__name__ == "Series" else value
    texts = [each for each in table.columns if table[each].dtype.kind == "O" or str(table[each].dtype) == "str"]
    return [str(each) for each in texts if table[each].map(lambda cell: isinstance(cell, str)).any()]
