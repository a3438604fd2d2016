"""Check for labels in the order of a table while the images are in the order of a list of files.

The program's own variables tell: a list of files, and a table (a data frame, or two lists) whose names are those files
in another order. Only labels that follow the table's order, and not the files', are said to be misplaced.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding, first_of
from deep_mnist.doctor.rule import Need, Rule, Scope, check

FEWEST, MOST = 20, 200_000  # files
MOST_VALUES = 300  # variables looked at

OTHER_ORDER = Rule(
    code="L173",
    name="labels-in-another-order-than-files",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.PAIRS),
    summary="Labels are in the order of a table, the images in that of a list of the same files, which is another one.",
    why="Every image is trained with another one's label: nothing can be learned.",
)


@dataclass(frozen=True)
class Table:
    """Names of files and their labels, as the program holds them.

    Attributes:
        name: Of the data frame, or of the list of labels.
        files, labels: One for each other.
        column: Of the names in a data frame, "" of two lists; `list_name` is then the names' own.
        list_name: See above.
    """

    name: str
    files: list[str]
    labels: np.ndarray
    column: str = ""
    list_name: str = ""


@check(OTHER_ORDER)
def check_file_order(case: Case) -> Iterator[Finding]:
    """Yield at most one finding."""
    call, classes = case.call, case.train.classes
    if case.frame is None or call is None or classes is None or not hasattr(call.x, "shape") or len(classes) < FEWEST:
        return
    text = ProgramText(case.frame)
    given = classes.at(np.arange(len(classes)))
    lists = list(_file_lists(text))
    for table in _tables(text) if lists else ():
        for name, files in lists:
            wrong = _misplaced(files, table, given)
            if wrong is not None:
                yield OTHER_ORDER.found(
                    "train",
                    expected=f"labels in the order of `{name}`, from which the images are read",
                    received=f"labels in the order of `{table.name}`, whose names are those files in another order: "
                    f"{wrong.mean():.0%} of the labels are another file's",
                    fix=_fix(text, name, files, table),
                    where=first_of(wrong),
                )
                return


def _values(text: ProgramText) -> Iterator[tuple[str, Any]]:
    held = {**text.frame.f_globals, **text.frame.f_locals}
    for name, value in list(held.items())[-MOST_VALUES:]:
        if not name.startswith("_"):
            yield name, value


def _is_column(value: Any) -> bool:
    """Whether a value is of a type that holds strings or numbers: no class, and nothing that reads when it is asked."""
    return isinstance(value, list | tuple | np.ndarray) or type(value).__module__.partition(".")[0] == "pandas"


def _strings(value: Any) -> list[str]:
    """Return a list, tuple, array or column of strings or paths as strings, [] of anything else."""
    if not _is_column(value) or getattr(value, "ndim", 1) != 1 or not FEWEST <= len(value) <= MOST:
        return []
    first = value[:3] if isinstance(value, list | tuple) else list(value)[:3]
    if not all(isinstance(each, str | PurePath) for each in first):
        return []
    return [str(each) for each in value]


def _file_lists(text: ProgramText) -> Iterator[tuple[str, list[str]]]:
    for name, value in _values(text):
        files = _strings(value)
        if files and all("/" in each or "\\" in each or "." in each[-6:] for each in files[:20]):
            yield name, files


def _tables(text: ProgramText) -> Iterator[Table]:
    values = list(_values(text))
    for name, value in values:
        columns = getattr(value, "columns", None)
        if columns is None or not hasattr(value, "iloc") or isinstance(value, type) or not FEWEST <= len(value) <= MOST:
            continue
        named = [(str(each), _strings(value[each])) for each in list(columns)[:20]]
        for column, files in named:
            for other in list(columns)[:20] if files else ():
                labels = _numbers(value[other])
                if labels is not None:
                    yield Table(name, files, labels, column)
    lists = [(name, _strings(value)) for name, value in values]
    for name, files in lists:
        for other, value in values if files else ():
            labels = _numbers(value) if _is_column(value) and not hasattr(value, "columns") else None
            if labels is not None and len(labels) == len(files) and _are_parallel(text, name, other):
                yield Table(other, files, labels, "", name)


def _are_parallel(text: ProgramText, one: str, other: str) -> bool:
    """Whether two lists are made side by side: unpacked together, or comprehensions over the same."""
    for node in text.nodes:
        targets = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(targets, ast.Tuple) and {one, other} <= {ast.unparse(each) for each in targets.elts}:
            return True
    values = [each.value if each is not None else None for each in (_set_at(text, one), _set_at(text, other))]
    over = [
        [f"{ast.unparse(part.target)} in {ast.unparse(part.iter)}" for part in each.generators]
        for each in values
        if isinstance(each, ast.ListComp)
    ]
    return len(over) == 2 and over[0] == over[1]


def _numbers(value: Any) -> np.ndarray | None:
    if isinstance(value, str | dict | set) or getattr(value, "ndim", 1) != 1 or not FEWEST <= len(value) <= MOST:
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "iufb" and array.ndim == 1 else None


def _misplaced(files: list[str], table: Table, given: np.ndarray) -> np.ndarray | None:
    """Return bool (n,), which of the labels are another file's; None where they are right, or nothing is known."""
    keys, names = _keys(files, table.files)
    if keys == names or len(set(keys)) != len(keys) or sorted(keys) != sorted(names) or len(given) > len(keys):
        return None
    if not np.array_equal(table.labels[: len(given)], given):
        return None
    place = {name: index for index, name in enumerate(names)}
    right = table.labels[[place[key] for key in keys]][: len(given)]
    wrong = right != given
    return wrong if wrong.any() else None


def _keys(files: list[str], names: list[str]) -> tuple[list[str], list[str]]:
    """Return both as they can be compared: names of files, without their extension where one of both has none."""
    ours, theirs = ([each.replace("\\", "/").rsplit("/", 1)[-1] for each in several] for several in (files, names))
    if set(ours) == set(theirs):
        return ours, theirs
    return [each.rsplit(".", 1)[0] for each in ours], [each.rsplit(".", 1)[0] for each in theirs]


def _fix(text: ProgramText, name: str, files: list[str], table: Table) -> str:
    """Return the line that puts the table in the files' order, where both are there and no label was taken yet."""
    sentence = f"Put `{table.name}` in the order of `{name}` before labels are taken from it: look each file's name up."
    set_at = [each for each in (_set_at(text, name), _set_at(text, table.name)) if each is not None]
    if len(set_at) != 2:
        return sentence
    later = max(set_at, key=lambda each: each.lineno)
    whole = {each.rsplit("/", 1)[-1] for each in files} == {each.rsplit("/", 1)[-1] for each in table.files}
    key = "str(file).rsplit('/', 1)[-1]" + ("" if whole else ".rsplit('.', 1)[0]")
    if table.column:
        ordered = f"{table.name}.set_index({table.column!r}).loc[[{key} for file in {name}]].reset_index()"
    else:
        own = f"label_of = dict(zip({table.list_name}, {table.name}))"
        ordered = f"[label_of[{key}] for file in {name}]"
        return text.in_place(f"{ast.unparse(later)}; {own}; {table.name} = {ordered}", later)
    return text.in_place(f"{ast.unparse(later)}; {table.name} = {ordered}", later)


def _set_at(text: ProgramText, name: str) -> ast.Assign | None:
    """Return the last assignment to a name before the call."""
    found = [
        node
        for node in text.nodes
        if isinstance(node, ast.Assign) and node.lineno <= text.frame.f_lineno and ast.unparse(node.targets[0]) == name
    ]
    return max(found, key=lambda each: (each.lineno, each.col_offset), default=None)
