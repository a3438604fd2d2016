"""Files that are read otherwise than they are written: names above numbers, JSON by lines, other keys."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.columns import nearest
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import HEADER_READ, JSON_LINES, KEY_OTHER
from deep_mnist.doctor.checks.crashes.rules import NAME_GONE
from deep_mnist.doctor.checks.crashes.source_code import calls_named
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding

FIRST_ROW = re.compile(r"could not convert string '(.*)' to \w+ at row 0, column (\d+)")
MARKS = (",", ";", "\t")
MOST_TOLD = 12  # keys of a file, by name
LINES_READ = 20


def explain_stored(crash: Crash) -> Finding | None:
    """Name how a file is written, and the line that reads it so."""
    step = crash.user
    if step is None:
        return None
    ways = (_first_row, _json_lines, _json_table, _key_of_file, _key_as_bytes, _value)
    return next((told for way in ways if (told := way(crash, step)) is not None), None)


def _first_row(crash: Crash, step: TraceStep) -> Finding | None:
    """A line of names that numpy takes for numbers, or a mark between the numbers that it is not told."""
    match, calls, path = FIRST_ROW.search(crash.text), calls_at(step, "loadtxt"), crash.find("fname", "loadtxt")
    if match is None or len(calls) != 1 or not isinstance(path, str | Path) or not Path(path).is_file():
        return None
    skipped, stated = _literal(keyword_of(calls[0], "skiprows"), 0), _literal(keyword_of(calls[0], "delimiter"), None)
    with Path(path).open(errors="replace") as file:
        lines = [each.strip() for each in islice(file, skipped, skipped + LINES_READ) if each.strip(" \n").strip("#")]
    if len(lines) < 2:
        return None
    mark = stated or next((each for each in MARKS if each in lines[1]), None)
    first, second = (each.split(mark) for each in lines[:2])
    is_named = not any(map(_is_number, first))
    if not all(map(_is_number, second)) or len(first) != len(second) or not (is_named or mark != stated):
        return None
    given = {**({"delimiter": mark} if mark != stated else {}), **({"skiprows": skipped + 1} if is_named else {})}
    what = [f"numbers parted by {mark!r}"] if mark != stated else []
    what += ["numbers below a line of names"] if is_named else []
    return HEADER_READ.found(
        expected=" and ".join(what),
        received=f"{match.group(1)[:40]!r} in the first line of {Path(path).name}, at {crash.place}",
        fix=line_with_keywords(step, calls[0], **given),
    )


def _literal(node: ast.expr | None, otherwise: Any) -> Any:
    return node.value if isinstance(node, ast.Constant) else otherwise


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _are_json(lines: list[str]) -> bool:
    """Whether each of at least two lines is a whole value of JSON."""
    try:
        return len([json.loads(each) for each in lines]) > 1
    except ValueError:
        return False


def _json_lines(crash: Crash, step: TraceStep) -> Finding | None:
    """A value of JSON on each line, read as one."""
    call, error = step.call, crash.error
    if not isinstance(error, json.JSONDecodeError) or not error.msg.startswith("Extra data") or call is None:
        return None
    lines = [each for each in error.doc.splitlines() if each.strip()][:LINES_READ]
    if not isinstance(call.func, ast.Attribute) or called(call) not in ("load", "loads") or not _are_json(lines):
        return None
    given, module = ast.unparse(call.args[0]), ast.unparse(call.func.value)
    source = given if called(call) == "load" else f"{given}.splitlines()"
    return JSON_LINES.found(
        expected="one value of JSON in the file",
        received=f"one on each line, at {crash.place}",
        fix=line_changed(step, [(call, f"[{module}.loads(line) for line in {source} if line.strip()]")]),
    )


def _json_table(crash: Crash, step: TraceStep) -> Finding | None:
    calls, path = calls_at(step, "read_json"), crash.find("path_or_buf", "read_json")
    if "Trailing data" not in crash.text or len(calls) != 1 or not isinstance(path, str | Path):
        return None
    with Path(path).open(errors="replace") as file:
        lines = [each for each in islice(file, LINES_READ) if each.strip()]
    return None if not _are_json(lines) else JSON_LINES.found(
        expected="one value of JSON in the file",
        received=f"one on each line, at {crash.place}",
        fix=line_with_keywords(step, calls[0], lines=True),
    )  # fmt: skip


def _key_of_file(crash: Crash, step: TraceStep) -> Finding | None:
    """A dataset of a file of h5py, or an array of numpy's .npz, by a name that it does not have."""
    owner = crash.find("self", "__getitem__") if isinstance(crash.error, KeyError) else None
    if type(owner).__name__ not in ("File", "Group", "NpzFile") or not isinstance(owner, Mapping):
        return None
    keys = [str(each) for each in owner] if owner else _keys_of_closed(step, owner)
    match = re.search(r"object '([^']+)' doesn't exist|^\W*(\w+) is not a file in the archive", crash.text)
    asked = next((each for each in match.groups() if each), "") if match is not None else ""
    if not keys or not asked:
        return None
    near = nearest(asked, keys)
    stated = [each for each in step.on_line(ast.Constant) if each.value == asked]
    there = ", ".join(map(repr, keys[:MOST_TOLD])) + (", …" if len(keys) > MOST_TOLD else "")
    return KEY_OTHER.found(
        expected=f"one of the keys of the file: {there}",
        received=f"{asked!r}, which is none, at {crash.place}",
        fix=line_changed(step, [(each, repr(near)) for each in stated]) if near and stated else "Ask for one of them.",
    )


def _keys_of_closed(step: TraceStep, owner: Any) -> list[str]:
    """Return the keys of a file of h5py that its `with` has closed, by the only path that the program opens."""
    paths = [each.args[0] for each in calls_named(step, "File") if each.args]
    stated = [step.named(each.id) if isinstance(each, ast.Name) else getattr(each, "value", None) for each in paths]
    if type(owner).__name__ != "File" or len(stated) != 1 or not isinstance(stated[0], str | Path):
        return []
    with sys.modules["h5py"].File(stated[0], "r") as file:
        return [str(each) for each in file]


def _key_as_bytes(crash: Crash, step: TraceStep) -> Finding | None:
    """Text as a key of a dictionary whose keys are bytes, as a pickle of Python 2 with encoding="bytes" has."""
    key = crash.error.args[0] if isinstance(crash.error, KeyError) and crash.error.args else None
    if not isinstance(key, str | bytes):
        return None
    other: str | bytes = key.encode() if isinstance(key, str) else key.decode(errors="replace")
    stated = [each for each in step.on_line(ast.Subscript) if getattr(each.slice, "value", None) == key]
    asked = [each for each in stated if isinstance(each.slice, ast.Constant) and isinstance(each.value, ast.Name)
             and other in _keys(step.named(each.value.id))]  # fmt: skip
    return None if not asked else KEY_OTHER.found(
        expected=f"{other!r}, which is a key of {ast.unparse(asked[0].value)}",
        received=f"{key!r}, at {crash.place}",
        fix=line_changed(step, [(each.slice, repr(other)) for each in asked]),
    )  # fmt: skip


def _keys(value: Any) -> set[Any]:
    return {*value} if isinstance(value, dict) else set()


def _value(crash: Crash, step: TraceStep) -> Finding | None:
    """`.value` of a dataset, which h5py had before version 3."""
    owner = getattr(crash.error, "obj", None)
    if not isinstance(crash.error, AttributeError) or not type(owner).__module__.startswith("h5py"):
        return None
    asked = [each for each in step.on_line(ast.Attribute) if each.attr == "value"]
    return None if crash.error.name != "value" or not asked else NAME_GONE.found(
        expected="dataset[()], all values of a dataset",
        received=f".value, which h5py has no more since version 3, at {crash.place}",
        fix=line_changed(step, [(each, f"{ast.unparse(each.value)}[()]") for each in asked]),
    )  # fmt: skip
