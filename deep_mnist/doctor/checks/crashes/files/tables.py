"""A file of text that is no table as pandas is told to read it: lines of other lengths, open quotes, no line at all."""

from __future__ import annotations

import ast
import csv
import re
from itertools import islice
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import FORMAT_OTHER
from deep_mnist.doctor.evidence.live.source_text import argument_of, keyword_of
from deep_mnist.doctor.finding import Finding

READERS = ("read_csv", "read_table")
FIELDS = re.compile(r"Error tokenizing data.*Expected (\d+) fields in line (\d+), saw (\d+)")
OPEN_QUOTE = re.compile(r"Error tokenizing data.*EOF inside string starting at row (\d+)")
NO_LINE = "No columns to parse from file"
MARKS = (",", ";", "\t", "|")
LINES_READ = 2000
MOST_SKIPPED = 60  # lines above a table
MOST_BAD = 0.1  # share of the lines that may be left out


def explain_table_file(crash: Crash) -> Finding | None:
    """Name how a file is written, and the line that reads it so."""
    step = crash.user
    calls = calls_at(step, *READERS) if step is not None and isinstance(crash.error, ValueError) else []
    if step is None or len(calls) != 1:
        return None
    source = crash.find("filepath_or_buffer", *READERS)
    if (match := FIELDS.search(crash.text)) is not None:
        return _of_other_lengths(crash, step, calls[0], source, match)
    if (match := OPEN_QUOTE.search(crash.text)) is not None:
        return crash.found(
            FORMAT_OTHER,
            "quotes that are closed, or quotes that are letters of a text",
            f'a " that opens a text in row {match[1]} of the table and is never closed',
            line_with_keywords(step, calls[0], quoting=csv.QUOTE_NONE),
        )
    return _empty(crash, calls[0], source) if NO_LINE in crash.text else None


def _of_other_lengths(crash: Crash, step: TraceStep, call: ast.Call, source: Any, match: re.Match[str]) -> Finding:
    fields, line, saw = map(int, match.groups())
    lines = _lines(source)
    stated = argument_of(call, 1, "sep") or keyword_of(call, "delimiter")
    mark = getattr(stated, "value", ",") if stated is not None else ","
    expected, received = f"{fields} fields in each line", f"{saw} in line {line}"
    other = next((each for each in MARKS if each != mark and _is_a_table(lines, each)), None)
    if other is not None:
        fix = line_with_keywords(step, call, ("delimiter",), sep=other)
        return crash.found(
            FORMAT_OTHER, f"fields that are parted by {other!r}", f"lines parted by {mark!r}: {received}", fix
        )
    above = _lines_above(lines, mark) if isinstance(mark, str) and keyword_of(call, "skiprows") is None else 0
    if above:
        of_numbers = all(re.fullmatch(r"\s*-?[\d.]*\s*", each) for each in _fields(lines[above], mark))
        header: dict[str, Any] = {"header": None} if of_numbers else {}
        return crash.found(
            FORMAT_OTHER,
            f"a table that begins in line {above + 1} of the file",
            f"{_lines_told(above)} above it: {received}, after {fields}",
            line_with_keywords(step, call, skiprows=above, **header),
        )
    bad = [each for each in lines if len(_fields(each, mark)) > fields] if isinstance(mark, str) else []
    if bad and len(bad) <= max(1, MOST_BAD * len(lines)):
        fix = f"{line_with_keywords(step, call, on_bad_lines='skip')}: leaves out {_lines_told(len(bad))} like this one"
        return crash.found(FORMAT_OTHER, expected, received, fix)
    fix = (
        f"Look at line {line} of the file: a text with {mark!r} in it belongs in quotes; else give sep= what parts "
        "its fields, or skiprows= how many lines stand above the table."
    )
    return crash.found(FORMAT_OTHER, expected, received, fix)


def _lines_told(count: int) -> str:
    return f"{count} {'line' if count == 1 else 'lines'}"


def _lines(source: Any) -> list[str]:
    """Return the first lines of a file by its path, [] of anything else."""
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return []
    with Path(source).open(errors="replace") as file:
        return [each.rstrip("\n") for each in islice(file, LINES_READ)]


def _fields(line: str, mark: str) -> list[str]:
    return next(csv.reader([line], delimiter=mark), []) if len(mark) == 1 else re.split(mark, line)


def _is_a_table(lines: list[str], mark: str) -> bool:
    """Whether a mark parts all lines into one number of fields, two or more."""
    counts = {len(_fields(each, mark)) for each in lines if each.strip()}
    return len(counts) == 1 and counts.pop() > 1


def _lines_above(lines: list[str], mark: str) -> int:
    """Return how many lines, of fewer fields, stand above the first of a table that all others belong to; 0 of none."""
    counts = [len(_fields(each, mark)) if each.strip() else 0 for each in lines]
    last = next((each for each in reversed(counts) if each), 0)
    begin = next((place for place in range(len(counts)) if set(counts[place:]) <= {last, 0} and counts[place]), 0)
    is_above = last > max([1, *counts[:begin]]) and begin <= MOST_SKIPPED and len(counts) - begin > 2
    return begin if is_above else 0


def _empty(crash: Crash, call: ast.Call, source: Any) -> Finding | None:
    given = ast.unparse(call.args[0]) if call.args else "the file"
    if hasattr(source, "read") and hasattr(source, "tell") and not source.closed and source.tell():
        fix = f"{given}.seek(0)  # before {crash.place}"
        return crash.found(FORMAT_OTHER, f"the beginning of {given}", "its end: it has been read before", fix)
    name = str(source) if isinstance(source, str | Path) else given
    fix = f"Write or download {name} again: it is empty."
    return crash.found(FORMAT_OTHER, "a table in the file", f"no line in {name}", fix)
