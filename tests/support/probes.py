"""Note which lines of the library run in this process; `measured.py` has every Python of `.venv` run this at its start.

Where the library's modules are imported, SlipCover puts a probe before each line of theirs. All other code runs as it
is, while coverage.py's tracer slows whole processes on Python 3.11, the imports of TensorFlow and pytest included.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import uuid
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

LINES = "MEASURED_LINES"  # the variable that names the folder to which each process writes its lines
LIBRARY = Path(__file__).resolve().parents[2] / "deep_mnist"


@cache
def probes() -> Any:
    """What puts the probes in and holds the lines seen; imported by the processes that need it."""
    from slipcover.slipcover import Slipcover

    return Slipcover(d_miss_threshold=-1)  # a probe stays: taking it out looks through all functions there are


class Loader(SourceFileLoader):
    """Loads a module of the library with a probe before each line, for `import` as for `python -m`."""

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return probes().instrument(code) if code else None


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
    path = folder / f"{os.getpid()}-{uuid.uuid4().hex}"
    path.write_text(json.dumps(seen))
    path.rename(f"{path}.json")  # a process that is killed while it writes leaves none


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
