"""A fault of the doctor's own: told from one of the user's program by its frames, and written down to be reported."""

from __future__ import annotations

import linecache
import os
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from deep_mnist.doctor.evidence.live.own_code import is_of_a_library

STATUS = 3
PACKAGE = str(Path(__file__).resolve().parents[2]) + os.sep
# Functions that stand between the user's code and a library's, or in a library's place: what passes them is not ours.
PASSING = {
    "capture/intercept.py": ("method", "_resumed", "<lambda>", "execute_and_patch"),
    "capture/custom_loop.py": ("call", "_resumed", "<lambda>"),
    "capture/collected.py": ("_read",),  # what follows are the user's data, read as training reads them
    "capture/draw_batches.py": ("_items", "_count", "<genexpr>"),
    "capture/draw_call.py": ("read_rows",),
    "tensorflow1/session_watch.py": ("run", "resume"),
    "script/served_data.py": ("load_data",),
    "script/tutorial_data.py": ("next_batch", "read_data_sets"),
    "script/programs.py": ("run",),
    "script/ipython_cells.py": ("run",),
    "script/plain_cells.py": ("run",),
}
DRAWING = "capture/draw"
LIBRARIES = ("deep-mnist", "tensorflow", "keras", "tf-keras", "numpy", "h5py", "ipython")
SAID = re.compile(r"""(['"]).*?\1|\d[\d.,]*""", re.S)  # what a message quotes of data
OPTIONS_WITH_TEXT = ("--accept",)


def is_own_fault(error: BaseException) -> bool:
    """Whether an exception is of the doctor: the nearest frame that is no library's is ours, and it did not refuse.

    Args:
        error: As it was caught, with its traceback.
    """
    if not isinstance(error, Exception) or isinstance(error, MemoryError) or is_refusal(error):
        return False
    frames = list(_frames(error))
    for frame in reversed(frames):
        if is_ours(frame):
            return not _passes(frame, error)
        if not is_of_a_library(frame):
            return False
    return False


def is_refusal(error: BaseException) -> bool:
    """Whether an exception is a sentence of ours to the user: expected, received, fix."""
    if type(error).__module__.startswith("deep_mnist."):
        return True
    last = next(reversed(list(_frames(error))), None)
    return last is not None and is_ours(last) and str(error).startswith("Expected ")


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is of this package's code."""
    return frame.f_code.co_filename.startswith(PACKAGE)


def _frames(error: BaseException) -> Iterator[FrameType]:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield frame


def _passes(frame: FrameType, error: BaseException) -> bool:
    place = Path(frame.f_code.co_filename).as_posix()
    if any(place.endswith(file) and frame.f_code.co_name in names for file, names in PASSING.items()):
        return True
    return DRAWING in place and type(error).__module__.startswith("tensorflow.")  # the user's pipeline, run to draw


def write_fault(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write what is needed to report a fault into the temporary folder: versions, command, traceback; no values.

    Args:
        error: As it was caught.
        arguments: Of the command.
    """
    number, name = tempfile.mkstemp(prefix="doctor-fault-", suffix=".txt")
    lines = [
        "A fault of the doctor (deep_mnist.doctor). This file holds no data and no values.",
        f"Called with: {_command(arguments)}",
        f"Python {platform.python_version()} on {platform.platform()}",
        *(f"{each} {version}" for each in LIBRARIES if (version := _version(each))),
        "",
        *_trace(error),
    ]
    with os.fdopen(number, "w") as stream:
        stream.write("\n".join(lines) + "\n")
    return Path(name)


def sentence(error: BaseException, path: Path) -> str:
    """Return what the user is told of a fault, in one line.

    Args:
        error: As it was caught.
        path: Of the file that `write_fault` wrote.
    """
    ours = [frame for frame in _frames(error) if is_ours(frame)]
    where = f" in {ours[-1].f_code.co_name}" if ours else ""
    return (
        f"doctor: {type(error).__name__}{where}: a fault of the doctor, not of your program. "
        f"What is needed to report it, without data, stands in {path}"
    )


def tell_fault(error: BaseException, arguments: Sequence[str]) -> int:
    """Write a fault down, say so on standard error, and return the exit status."""
    print(sentence(error, write_fault(error, arguments)), file=sys.stderr, flush=True)
    return STATUS


def _command(arguments: Sequence[str]) -> str:
    """Return the doctor's own arguments; reasons are left out, and what is the script's is counted alone."""
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    for place, each in enumerate(own[:-1]):
        if each in OPTIONS_WITH_TEXT:
            own[place + 1] = own[place + 1].partition("=")[0] + "=…"
    rest = len(arguments) - len(own)
    return " ".join(own) + (f" -- ({rest - 1} arguments)" if rest else "")


def _version(package: str) -> str:
    from importlib import metadata  # 30 ms, for a fault alone

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _trace(error: BaseException) -> Iterator[str]:
    """Yield the traceback, causes last; of code that is the user's, the place alone."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if not is_ours(frame) and not is_of_a_library(frame):
            yield "  (the user's program)"
            continue
        yield f"  {file}:{line} in {name}"
        if text := linecache.getline(file, line).strip():
            yield f"    {text}"
    yield f"{type(error).__name__}: {SAID.sub('…', str(error))[:300]}"
    cause = error.__cause__ or error.__context__
    if cause is not None and cause is not error:
        yield "caused by"
        yield from _trace(cause)
