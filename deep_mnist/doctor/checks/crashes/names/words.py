"""Words in what a program reads as numbers: columns of a table, numbers as a country writes them, rows of numbers."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.rules import DTYPE_REFUSED
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.live.table_fixes import encoded, rows_of, tables_alike
from deep_mnist.doctor.evidence.columns import GAPS, Cells, Column, column_of, columns_of, is_table, shortened
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, keyword_of
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.evidence.live.statements.exchange import extent_of
from deep_mnist.doctor.finding import Finding

MOST_TOLD = 3  # columns in a sentence
MAKERS = ("array", "asarray", "asanyarray")
OPTIONS = {"thousands": ("thousands", ","), "decimal": ("decimal", ",")}  # of read_csv, by what commas are


def words_found(crash: Crash, word: str) -> Finding:
    """Name the columns of words in what the user's line reads as numbers, and the line that encodes them."""
    step, node = crash.user, _converted(crash)
    table = _as_numpy(held_by(node, step.frame)) if step is not None and node is not None else None
    columns = [each for each in _columns(table) if each.cells is not Cells.NUMBERS]
    if step is None or node is None or not columns:
        return _found(f"the word {shortened(word.rstrip(chr(39)))!r}", _of_word(word.rstrip("'"), node))
    told = f"{'; '.join(each.told for each in columns[:MOST_TOLD])}, at {crash.place}"
    again = _split_rows(step, node, columns) or _read_again(step, node, columns)
    if again:
        return _found(told, again)
    lineage = Lineage(ProgramText(step.frame))
    split = next((each for each in lineage.before(ast.unparse(node), (step.line, 0)) if each.follows is not each.value
                  and _columns(held_by(each.follows, step.frame))), None)  # fmt: skip
    if split is not None:
        node, table = split.follows, held_by(split.follows, step.frame)
    pandas, imported = alias_of(step.frame, "pandas", "pd")
    others = [] if split is not None else tables_alike(table, {**step.frame.f_globals, **step.held})
    fix = encoded([ast.unparse(node), *others], table, pandas, imported=imported)
    where = f"{Path(step.file).name}:{split.at[0]}, which splits the rows" if split is not None else crash.place
    return _found(told, f"{fix}; before {where}" if "  # " in fix else f"{fix}  # before {where}")


def _found(received: str, fix: str) -> Finding:
    return DTYPE_REFUSED.found("train", expected="numbers in every column", received=received, fix=fix)


def _of_word(word: str, node: ast.expr | None) -> str:
    """Return what makes a number of a word that is known alone, as it is written."""
    text = ast.unparse(node) if node is not None else "the column"
    column = column_of(0, np.array([word], dtype=object))
    if column.cells is Cells.ROWS_AS_TEXT:
        return f"{rows_of(text, column)}  # each text is a row of {column.row_length} numbers"
    if column.cells is Cells.NUMBERS_AS_TEXT:
        return f"Read each text of {text} by itself: {column.number_of('text')}"
    if word.strip().lower() in GAPS:
        return f'pd.to_numeric({text}, errors="coerce")  # then fillna(…): {word!r} stands for a number that is missing'
    return f"Turn the words of {text} into numbers, pd.get_dummies(…) of a table, or leave them out."


def _split_rows(step: TraceStep, node: ast.expr, columns: list[Column]) -> str:
    """Return the user's line where each text is a row of numbers, taken apart; "" of other texts."""
    if len(columns) != 1 or columns[0].cells is not Cells.ROWS_AS_TEXT:
        return ""
    call, text = step.call, ProgramText(step.frame)
    if call is None or called(call) not in (*MAKERS, "astype"):
        return ""
    dtype = argument_of(call, 0, "dtype") if called(call) == "astype" else keyword_of(call, "dtype")
    rows = rows_of(ast.unparse(node), columns[0], ast.unparse(dtype) if dtype is not None else '"float32"')
    place = next(each for each in text.calls(called(call)) if extent_of(each) == extent_of(call))
    return text.with_expression(place, ast.parse(rows, mode="eval").body)


def _read_again(step: TraceStep, node: ast.expr, columns: list[Column]) -> str:
    """Return the line that reads the file of a table, with what its commas are; "" of other signs or another origin."""
    commas = {"" if each.gaps else each.comma for each in columns if not each.is_plain}
    text = ProgramText(step.frame)
    read = calls_in(Lineage(text).of(node, (step.line, 0)), "read_csv")
    if len(commas) != 1 or len(read) != 1 or (option := OPTIONS.get(commas.pop())) is None:
        return ""
    name, mark = option
    return "" if keyword_of(read[0], name) else text.rewritten(read[0], (), **{name: ast.Constant(mark)})


def _as_numpy(table: Any) -> Any:
    """Return an array of pandas's own, as .values of a column of text is, as one of numpy; else what it was."""
    is_array = hasattr(table, "to_numpy") and not hasattr(table, "index")
    return table.to_numpy(dtype=object) if is_array else table


def _columns(table: Any) -> list[Column]:
    """Return the columns of a table, or of a series; [] of anything else."""
    table = table.to_frame() if hasattr(table, "to_frame") else table
    return columns_of(table) if is_table(table) else []


def _converted(crash: Crash) -> ast.expr | None:
    """Return the data of a call that makes numbers of them: what astype() is a method of, else the first argument."""
    call = crash.user.call if crash.user is not None else None
    if call is None:
        return None
    is_method = isinstance(call.func, ast.Attribute) and called(call) == "astype"
    node = call.func.value if is_method and isinstance(call.func, ast.Attribute) else argument_of(call, 0, "x")
    while isinstance(node, ast.Attribute) and node.attr == "values":
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and called(node) == "to_numpy":
        return node.func.value
    return node
