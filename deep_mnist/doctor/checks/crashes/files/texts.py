"""A text that is no JSON, or no date of the format that it is read in."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import FORMAT_OTHER
from deep_mnist.doctor.evidence.live.source_text import argument_of, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

DATE = re.compile(
    r"time data ['\"](?P<text>.+?)['\"] (?:does not|doesn't) match format ['\"](?P<format>.+?)['\"]|"
    r"unconverted data remains(?: when parsing with format ['\"](?P<other>.+?)['\"])?: ['\"]?(?P<rest>[^'\"]+)"
)
ORDERS = ("%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%d{0}%m{0}%y", "%m{0}%d{0}%y", "%d{0}%b{0}%Y",
          "%b{0}%d{0}%Y")  # fmt: skip
TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%SZ", " %I:%M %p")
MOST_READ = 2000  # dates


def explain_text(crash: Crash) -> Finding | None:
    """Name what a text is, and the line that reads it so."""
    step = crash.user
    if step is None or not isinstance(crash.error, ValueError):
        return None
    return _no_json(crash, step) if isinstance(crash.error, json.JSONDecodeError) else _date(crash, step)


def _no_json(crash: Crash, step: TraceStep) -> Finding | None:
    error, call = crash.error, step.call
    is_read = call is not None and called(call) in ("load", "loads") and bool(call.args)
    if not isinstance(error, json.JSONDecodeError) or call is None or not is_read:
        return None
    text = error.doc.strip()
    given = ast.unparse(call.args[0])
    if not text:
        what = "an empty text: the file holds nothing, or was read to its end before"
        return crash.found(
            FORMAT_OTHER, "a value of JSON", what, f"Look where {given} comes from: print its first 100 letters."
        )
    if text.startswith("<"):
        what = f"a page of HTML or XML, {text[:40]!r}"
        return crash.found(
            FORMAT_OTHER, "a value of JSON", what, "Look at the address or file: it gives a page, and no JSON."
        )
    if not _is_of_python(text):
        return None
    source = given if called(call) == "loads" else f"{given}.read()"
    changed = line_changed(step, [(call, f"ast.literal_eval({source})")])
    return crash.found(
        FORMAT_OTHER,
        "a value of JSON, with texts in double quotes",
        "a value of Python's own",
        f"import ast; {changed}",
    )


def _is_of_python(text: str) -> bool:
    """Whether a text is a dictionary or list as Python writes it."""
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return isinstance(ast.literal_eval(text), dict | list)
    return False


def _date(crash: Crash, step: TraceStep) -> Finding | None:
    match, calls = DATE.search(crash.text), calls_at(step, "strptime", "to_datetime")
    if match is None or len(calls) != 1:
        return None
    call = calls[0]
    stated = argument_of(call, 1, "format") if called(call) == "strptime" else _keyword_format(call)
    texts = _texts(crash, step, call)
    if not texts:
        return None
    fitting = [each for each in _formats(texts[0]) if all(_fits(text, each) for text in texts)]
    text = match["text"] or next((each for each in texts if match["rest"] in each), texts[0])
    received = f"{text[:40]!r}, read by {match['format'] or match['other'] or 'another'}"
    if len(fitting) == 1:
        fix = (
            line_changed(step, [(stated, repr(fitting[0]))])
            if stated is not None
            else line_with_keywords(step, call, ("dayfirst", "infer_datetime_format"), format=fitting[0])
        )
        return crash.found(FORMAT_OTHER, f"dates as they are written, by {fitting[0]!r}", received, fix)
    if fitting or called(call) == "strptime":
        told = " or ".join(map(repr, fitting)) or "the format that it is written in"
        return crash.found(FORMAT_OTHER, f"dates as they are written, by {told}", received, f"Give the format {told}.")
    if not _is_read_as(texts, "mixed"):
        fix = line_with_keywords(step, call, errors="coerce")
        return crash.found(
            FORMAT_OTHER, "dates in every row", received, f"{fix}: texts that are no dates become NaT; dropna() then"
        )
    fix = line_with_keywords(step, call, ("infer_datetime_format",), format="mixed")
    return crash.found(
        FORMAT_OTHER, "dates in one format", received, f"{fix}: dayfirst=True where days stand before months"
    )


def _keyword_format(call: ast.Call) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == "format"), None)


def _texts(crash: Crash, step: TraceStep, call: ast.Call) -> list[str]:
    """Return the dates that a call is to read, [] where they are not known."""
    if called(call) == "strptime":
        text = crash.find("data_string") if call.args else None
        return [text] if isinstance(text, str) else []
    value = crash.find("arg", "to_datetime")
    value = value if value is not None else held_by(call.args[0], step.frame) if call.args else None
    cells: Any = [value] if isinstance(value, str) else value if hasattr(value, "__iter__") else []
    return [each.strip() for each in islice(cells, MOST_READ) if isinstance(each, str)]


def _formats(text: str) -> Iterator[str]:
    """Yield the formats that read a date."""
    marks = dict.fromkeys(re.findall(r"[-/. ]", text)) or {"": None}
    for form in (order.format(mark) + time for mark in marks for order in ORDERS for time in TIMES):
        if _fits(text, form):
            yield form


def _fits(text: str, form: str) -> bool:
    with contextlib.suppress(ValueError):
        return datetime.strptime(text, form).year > 0
    return False


def _is_read_as(texts: list[str], form: str) -> bool:
    with contextlib.suppress(Exception):  # whatever pandas says of what is no date
        return sys.modules["pandas"].to_datetime(texts, format=form) is not None
    return False
