"""Note which lines of the library run in this process; `measured.py` has every Python of `.venv` run this at its start.

Where the library's modules are imported, SlipCover puts a probe before each line of theirs. All other code runs as it
is, while coverage.py's tracer slows whole processes on Python 3.11, the imports of TensorFlow and pytest included.
"""

from __future__ import annotations

import atexit
import json
import marshal
import os
import sys
import uuid
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

LINES = "MEASURED_LINES"  # the variable that names the folder to which each process writes its lines
KEPT = -1  # SlipCover's threshold for a probe that stays: taking it out looks through all functions there are
SIGNAL, PROBE_OF = "what a probe calls", "the probe of line"
LIBRARY = Path(__file__).resolve().parents[2] / "deep_mnist"


@cache
def probes() -> Any:
    """What puts the probes in and holds the lines seen; imported by the processes that need it."""
    from slipcover.slipcover import Slipcover

    Slipcover.lines_from_code = staticmethod(lambda _: ())  # which there are, coverage.py says in the end
    return Slipcover(d_miss_threshold=KEPT)


class Loader(SourceFileLoader):
    """Loads a module of the library with a probe before each line, for `import` as for `python -m`."""

    def get_code(self, fullname: str) -> CodeType | None:
        if sys.version_info >= (3, 12):  # the interpreter itself watches the lines of marked code
            return self._instrumented(fullname)
        kept = Path(os.environ[LINES]) / f"{fullname}.code"
        if kept.exists():
            return with_probes(marshal.loads(kept.read_bytes()))
        code = self._instrumented(fullname)  # takes five times as long as what is executed of it
        if code:
            write_whole(kept, marshal.dumps(without_probes(code)))
        return code

    def _instrumented(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return probes().instrument(code) if code else None


def without_probes(code: CodeType) -> CodeType:
    """Return what `marshal` can write: SlipCover's code with marks in place of its probes and of what they call."""
    from slipcover import probe

    lines = (line for _, line in probes().code2index[code])  # in the order in which their probes were added

    def plain(constant: Any) -> Any:
        if isinstance(constant, CodeType):
            return without_probes(constant)
        if type(constant).__name__ == "PyCapsule":
            return PROBE_OF, next(lines)
        return (SIGNAL,) if constant is probe.signal else constant

    return code.replace(co_consts=tuple(map(plain, code.co_consts)))


def with_probes(code: CodeType) -> CodeType:
    """Return the code with the probes of this process, from what `without_probes` returned."""
    from slipcover import probe

    def live(constant: Any) -> Any:
        if isinstance(constant, CodeType):
            return with_probes(constant)
        if not isinstance(constant, tuple) or constant[:1] not in ((SIGNAL,), (PROBE_OF,)):
            return constant
        return probe.new(probes(), code.co_filename, constant[1], KEPT) if constant[1:] else probe.signal

    return code.replace(co_consts=tuple(map(live, code.co_consts)))


class Finder(PathFinder):
    """Finds the library's modules."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != LIBRARY.name:
            return None
        spec = super().find_spec(fullname, path, target)
        if spec and spec.origin and LIBRARY in Path(spec.origin).parents and type(spec.loader) is SourceFileLoader:
            spec.loader = Loader(fullname, spec.origin)
        return spec


def write_lines(folder: Path) -> None:
    """Write the lines that have run so far, if any: file -> numbers."""
    if not probes.cache_info().currsize:
        return
    seen = {file: sorted(lines) for file, lines in list(probes().newly_seen.items())}
    write_whole(folder / f"{os.getpid()}-{uuid.uuid4().hex}.json", json.dumps(seen).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; a process that is killed while it writes leaves none."""
    unfinished = path.with_name(f"{uuid.uuid4().hex}.part")
    unfinished.write_bytes(content)
    unfinished.rename(path)


def start(folder: Path) -> None:
    """Watch what is imported from now on, until the process ends, be it as a fork does: by os._exit."""
    leave = os._exit

    def write_and_leave(status: int) -> None:
        write_lines(folder)
        leave(status)

    os._exit = write_and_leave
    atexit.register(write_lines, folder)
    sys.meta_path.insert(0, Finder)


if __name__ == "probes":  # not where the suite imports it
    start(Path(os.environ[LINES]))
