"""Text that is in another encoding than it is read in, and bytes in a file that was opened as text."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import ENCODING_OTHER
from deep_mnist.doctor.evidence.live.source_text import argument_of, called
from deep_mnist.doctor.finding import Finding

MOST_READ = 1 << 24  # bytes of a file, to tell its encoding
OF_BYTES = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG",
            b"\x93NUMPY": "numpy", b"\x89HDF": "HDF5", b"\x80": "pickle"}  # fmt: skip
READERS = ("read_csv", "read_table", "read_fwf")
TAKES_BYTES = ("load", "dump", "save", "savez", "savez_compressed", "Unpickler", "open")
NOT_BYTES = re.compile(r"write\(\) argument must be str, not bytes|a bytes-like object is required, not 'str'")
OF_PYTHON_2 = "You may need to pass the encoding= option"


def explain_encoding(crash: Crash) -> Finding | None:
    """Name the encoding, or the mode, that the user's line takes to read or write the file."""
    step = crash.user
    if step is None:
        return None
    told = _told(crash, step)
    if told is None:
        return None
    expected, received, fix = told
    return ENCODING_OTHER.found(expected=expected, received=f"{received}, at {crash.place}", fix=fix)


def _told(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    error, call = crash.error, step.call
    loads = call is not None and called(call) in ("load", "loads")
    opened, file = _opened(step)
    if isinstance(error, TypeError):
        is_text = NOT_BYTES.search(crash.text) and call is not None and called(call) in (*TAKES_BYTES, "write")
        return _as_bytes(step, opened, "bytes") if is_text and opened is not None else None
    if call is not None and loads and (OF_PYTHON_2 in crash.text or getattr(error, "encoding", "") == "ascii"):
        return "text of Python 2 in a pickle", "the encoding ASCII", line_with_keywords(step, call, encoding="latin1")
    if not isinstance(error, UnicodeDecodeError):
        return None
    readers = calls_at(step, *READERS)
    path = crash.find("filepath_or_buffer", *READERS) if readers else getattr(file, "name", None) or _path(step, opened)
    kind, encoding = _content(path)
    if readers:
        return _of_table(step, readers[0], kind, encoding, error)
    if opened is None:
        return None
    if kind or (loads and "json" not in ast.unparse(call.func if call is not None else opened)):
        return _as_bytes(step, opened, f"bytes of {kind}" if kind else "bytes")
    fix = line_with_keywords(step, opened, encoding=encoding)
    return f"text in {encoding}", f"{error.encoding}, which cannot read byte {error.object[error.start]:#04x}", fix


def _of_table(
    step: TraceStep, call: ast.Call, kind: str, encoding: str, error: UnicodeDecodeError
) -> tuple[str, str, str] | None:
    """Say how a table is read: with its encoding, unpacked, or as what it is."""
    if kind == "gzip":
        return "a file of gzip", "its name, by which it is not", line_with_keywords(step, call, compression="gzip")
    if kind:
        return "a file of text", f"one of {kind}", "Read it as what it is: an .xlsx, which is a zip, by read_excel(…)."
    fix = line_with_keywords(step, call, encoding=encoding)
    return f"text in {encoding}", f"{error.encoding}, which cannot read byte {error.object[error.start]:#04x}", fix


def _opened(step: TraceStep) -> tuple[ast.Call | None, Any]:
    """Return the call of open() whose file the user's line reads or writes, and the file where a name holds it."""
    here = [each for each in calls_at(step, "open") if isinstance(each.func, ast.Name)]
    if here:
        return here[0], None
    names = [each.id for each in step.on_line(ast.Name)]
    for name in (each for each in names if isinstance(step.named(each), io.TextIOWrapper)):
        nodes = list(ast.walk(step.tree))
        made = [(each.optional_vars, each.context_expr) for each in nodes if isinstance(each, ast.withitem)]
        made += [(each.targets[0], each.value) for each in nodes if isinstance(each, ast.Assign)]
        calls = [value for target, value in made if getattr(target, "id", None) == name and isinstance(value, ast.Call)
                 and called(value) == "open" and value.lineno <= step.line]  # fmt: skip
        if calls:
            return max(calls, key=lambda each: each.lineno), step.named(name)
    return None, None


def _path(step: TraceStep, opened: ast.Call | None) -> Any:
    stated = argument_of(opened, 0, "file") if opened is not None else None
    return step.named(stated.id) if isinstance(stated, ast.Name) else getattr(stated, "value", None)


def _content(path: Any) -> tuple[str, str]:
    """Return what kind of bytes a file holds, "" of text, and an encoding that reads it."""
    if not isinstance(path, str | Path) or not Path(path).is_file():
        return "", "latin-1"
    with Path(path).open("rb") as file:
        content = file.read(MOST_READ)
    kind = next((name for start, name in OF_BYTES.items() if content.startswith(start)), "")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return kind, "utf-8" if error.start > MOST_READ - 4 else "latin-1"
    return kind, "utf-8"


def _as_bytes(step: TraceStep, opened: ast.Call, what: str) -> tuple[str, str, str] | None:
    """Open a file in the mode for bytes, without what belongs to text."""
    stated = argument_of(opened, 1, "mode")
    mode = getattr(stated, "value", "r") if stated is not None else "r"
    if not isinstance(mode, str) or "b" in mode:
        return None
    new = ast.Constant(mode.replace("t", "") + "b")
    kept = [each for each in opened.keywords if each.arg not in ("mode", "encoding", "errors", "newline")]
    again = ast.Call(opened.func, [*opened.args[:1], new], kept)
    fix = line_changed(step, [(opened, ast.unparse(again))])
    return f"a file opened for {what}: mode {new.value!r}", f"one opened as text, by {ast.unparse(opened)}", fix
