"""A column that a table of pandas does not have by the name it is asked for: the name that was meant, or why not."""

from __future__ import annotations

import ast
import difflib
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import COLUMN_UNKNOWN
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding

LIKENESS = 0.8  # of a name to the one that is meant, by difflib
SEPARATORS = {";": ";", "\t": "\t", "|": "|", ",": ",", r"\s+": None}  # as pandas takes them -> as str.split does
BY_COLUMN = ("set_index", "groupby", "get_grouper", "sort_values", "_get_label_or_level_values", "__getattr__")
NOT_IN_FILE = re.compile(r"columns expected but not found: .*|Missing column provided to 'parse_dates': .*")
MOST_TOLD = 8  # columns of a table, by name


def explain_column(crash: Crash) -> Finding | None:
    """Name the column that was meant, a separator that was not given, or what columns there are."""
    step, table = crash.user, _table(crash)
    if step is not None and isinstance(crash.error, ValueError):
        return _of_a_file(crash, step)
    if step is None or table is None:
        return None
    columns = [each for each in table.columns if isinstance(each, str)]
    asked = _asked(crash, step)
    if isinstance(crash.error, KeyError) and (axis := _of_rows(step, asked, columns)) is not None:
        return axis
    missing = [each for each in asked if each not in columns]
    if not missing or not columns or not _is_of_columns(crash, table):
        return None
    name = ProgramText(step.frame, step.file).name_of(table) or ""
    told = _unparted(step, missing, columns, name) or _meant(crash, step, missing, columns, name)
    return None if told is None else _found(crash, missing, name or "the table", told)


def _found(crash: Crash, missing: list[str], owner: str, told: tuple[str, str]) -> Finding:
    return COLUMN_UNKNOWN.found(
        expected=told[0],
        received=f"{', '.join(map(repr, missing))}, which is no column of {owner}, at {crash.place}",
        fix=told[1],
    )


def _of_a_file(crash: Crash, step: TraceStep) -> Finding | None:
    """Name columns that are to be read of a file which does not have them."""
    match = NOT_IN_FILE.search(crash.text)
    names = crash.find("names", "_validate_usecols_names") or crash.find("columns", "_validate_parse_dates_presence")
    if match is None or names is None:
        return None
    columns, missing = [str(each) for each in names], re.findall(r"'([^']*)'", match[0].rpartition(": ")[2])
    told = _unparted(step, missing, columns, "") or _meant(crash, step, missing, columns, "")
    return None if told is None else _found(crash, missing, "the file", told)


def _table(crash: Crash) -> Any:
    """Return the table whose method, item or attribute the user's line asks for; None of others."""
    if crash.user is None or not isinstance(crash.error, KeyError | AttributeError):
        return None
    if isinstance(crash.error, AttributeError):
        table = getattr(crash.error, "obj", None)
        return table if type(table).__name__ == "DataFrame" and hasattr(table, "columns") else None
    behind = crash.steps[crash.steps.index(crash.user) + 1 :]
    owner = next((each.held["self"] for each in behind[:2] if "self" in each.held), None)  # below a decorator
    table = getattr(owner, "obj", None) if type(owner).__name__ == "_LocIndexer" else owner
    return table if type(table).__name__ == "DataFrame" and hasattr(table, "columns") else None


def _asked(crash: Crash, step: TraceStep) -> list[str]:
    """Return the names that the error says are not there."""
    if isinstance(crash.error, AttributeError):
        return [crash.error.name] if crash.error.name else []
    key = crash.error.args[0] if crash.error.args else None
    if key in [each.value for each in step.on_line(ast.Constant)]:
        return [str(key)]
    return re.findall(r"'([^']*)'", re.sub(r"dtype='\w+'", "", crash.text))


def _is_of_columns(crash: Crash, table: Any) -> bool:
    """Whether names are looked for among the columns, and not among the labels of the rows."""
    searched = [each.held.get("self") for each in crash.steps if type(each.held.get("self")).__name__.endswith("Index")]
    if any(each is not None and each.equals(table.columns) for each in searched):
        return True
    return isinstance(crash.error, AttributeError) or any(each.function in BY_COLUMN for each in crash.steps)


def _of_rows(step: TraceStep, asked: list[str], columns: list[str]) -> Finding | None:
    """Name columns that `drop` looks for among the rows, as it does without an axis."""
    call = step.call
    if call is None or called(call) != "drop" or not call.args or not asked or not set(asked) <= {*columns}:
        return None
    if len(call.args) > 1 or any(each.arg in ("axis", "columns", "index") for each in call.keywords):
        return None
    columns_given = ast.Call(call.func, [], [ast.keyword("columns", call.args[0]), *call.keywords])
    return COLUMN_UNKNOWN.found(
        expected=f"drop(columns=…) for {', '.join(map(repr, asked))}",
        received="drop(…) without an axis, which looks for labels of rows, at "
        f"{ProgramText(step.frame, step.file).at(call)}",
        fix=line_changed(step, [(call, ast.unparse(columns_given))]),
    )


def _unparted(step: TraceStep, missing: list[str], columns: list[str], name: str) -> tuple[str, str] | None:
    """A file read as one column: its name holds all names, and what parts them."""
    if len(columns) != 1:
        return None
    for mark, between in SEPARATORS.items():
        parts = {each.strip(" \"'").lower() for each in columns[0].split(between)}
        if len(parts) > 1 and {each.strip().lower() for each in missing} <= parts:
            reading = _reading(step, name)
            fix = (
                line_with_keywords(step, reading, ("delimiter", "delim_whitespace"), sep=mark)
                if reading is not None
                else f"Give pandas.read_csv sep={mark!r}."
            )
            return f"columns that are parted by {mark!r}: the file is read as one, {columns[0][:60]!r}", fix
    return None


def _reading(step: TraceStep, name: str) -> ast.Call | None:
    """Return the call that read a table: the one of its name, or the only one of the program."""
    text = ProgramText(step.frame, step.file)
    found = text.calls("read_csv", "read_table")
    named = [
        each
        for each in found
        if isinstance(made := text.statement_of(each), ast.Assign)
        and name in [getattr(target, "id", "") for target in made.targets]
    ]
    return named[-1] if named else found[0] if len(found) == 1 else None


def _meant(crash: Crash, step: TraceStep, missing: list[str], columns: list[str], name: str) -> tuple[str, str] | None:
    """The column of nearly this name, or of this name with blanks; what there is where none is near."""
    near = {each: nearest(each, columns, alone=isinstance(crash.error, AttributeError)) for each in missing}
    if isinstance(crash.error, AttributeError) and not all(near.values()):
        return None  # an attribute may be meant
    if not all(near.values()):
        there = ", ".join(map(repr, columns[:MOST_TOLD])) + (", …" if len(columns) > MOST_TOLD else "")
        return f"one of its columns: {there}", _without_one(step, missing, columns)
    expected = f"{', '.join(repr(each) for each in near.values())}, which it has"
    written = {each.value for each in ast.walk(step.tree) if isinstance(each, ast.Constant)}
    has_blanks = [each for each in columns if each != each.strip()]
    if name and all(new.strip() == old for old, new in near.items()) and not written & {*has_blanks}:
        return expected, f"{name}.columns = {name}.columns.str.strip()  # before {crash.place}"
    changes: list[tuple[ast.expr, str]] = [
        (each, repr(near[each.value])) for each in step.on_line(ast.Constant) if each.value in near
    ]
    if isinstance(crash.error, AttributeError):
        asked = [each for each in step.on_line(ast.Attribute) if each.attr in near]
        changes += [(each, f"{ast.unparse(each.value)}[{near[each.attr]!r}]") for each in asked]
    told = ", ".join(f"{new!r} for {old!r}" for old, new in near.items())
    return expected, line_changed(step, changes) if changes else f"Ask for {told}."


def nearest(asked: str, names: list[str], *, alone: bool = False) -> str:
    """Return the name whose letters and digits are those asked for, else the one that is much alike; "" of none.

    Args:
        asked: As it stands in the program.
        names: That there are.
        alone: No name that is only much alike will do.
    """
    alike = [each for each in names if _letters(each) == _letters(asked)]
    if len(alike) == 1 or alone:
        return alike[0] if len(alike) == 1 else ""
    near = [each for each in difflib.get_close_matches(asked, names, 2, LIKENESS)
            if re.findall(r"\d+", each) == re.findall(r"\d+", asked)]  # fmt: skip
    return near[0] if len(near) == 1 else ""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _without_one(step: TraceStep, missing: list[str], columns: list[str]) -> str:
    """Say why a table has no column of a name: it was taken away, or the file has no line of names."""
    for call in ProgramText(step.frame, step.file).calls("drop", "pop"):
        texts = {each.value for each in ast.walk(call) if isinstance(each, ast.Constant)}
        if call.lineno < step.line and texts & {*missing} and keyword_of(call, "index") is None:
            if step.call is not None and called(step.call) in ("drop", "pop"):
                return f"Leave out line {step.line}: line {call.lineno} takes the column out before."
            return f"Take {missing[0]!r} before line {call.lineno}, which takes the column out of the table."
    numbers = [each for each in columns if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", each.strip())]
    if 2 * len(numbers) > len(columns):
        return "The file has no line of names: pandas.read_csv(…, header=None, names=[…]) with a name of each column."
    return "Ask for one of these columns, or make this one before."
