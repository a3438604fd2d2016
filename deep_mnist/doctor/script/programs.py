"""The kinds of program that the doctor runs up to their first fit: a script, a module of a package, a notebook.

Each is run as its own tool would run it: the same first folder on the path, the same __main__, arguments and, of a
notebook, working directory.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Protocol

from deep_mnist.doctor.capture.source import NotebookPlace, cell_at, name_of_cell, remember_cell, without_magics
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.evidence.live.source_text import remember_order
from deep_mnist.doctor.script.notebook import Notebook, NotebookCell, with_its_lines, without_installs

NO_FIT = "give the script that trains, with its arguments after --."


class Program(Protocol):
    """What is run.

    Attributes:
        name: As messages call it.
        path: Its file, beside which the files that it reads may lie.
        last: How it ends by itself, in a message.
        no_fit: What helps where it has ended without a fit.
    """

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def last(self) -> str: ...

    @property
    def no_fit(self) -> str: ...

    def place(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Put sys.path and what else it finds around it in place; `folder` is there to write to."""

    def run(self) -> None:
        """Run it; what it raises, comes out."""

    def owns(self, file: str) -> bool:
        """Whether a frame of this file's is its own."""


@dataclass(frozen=True)
class Script:
    """A file of Python source."""

    path: Path
    last: str = "its last line"
    no_fit: str = NO_FIT

    @property
    def name(self) -> str:
        return self.path.name

    @contextlib.contextmanager
    def place(self, folder: Path) -> Iterator[None]:  # noqa: ARG002
        sys.path[0:1] = [str(self.path.resolve().parent)]
        yield

    def run(self) -> None:
        runpy.run_path(str(self.path), run_name="__main__")

    def owns(self, file: str) -> bool:
        return Path(file) == self.path


@dataclass(frozen=True)
class Module:
    """A module by its name, as python -m runs it: within its package, found from the working directory."""

    name: str
    last: str = "its last line"
    no_fit: str = NO_FIT

    @property
    def path(self) -> Path:
        return Path(*self.name.split(".")).with_suffix(".py")

    @contextlib.contextmanager
    def place(self, folder: Path) -> Iterator[None]:  # noqa: ARG002
        sys.path[0:1] = [str(Path.cwd())]
        yield

    def run(self) -> None:
        self._refuse_what_is_not_there()
        runpy.run_module(self.name, run_name="__main__", alter_sys=True)

    def owns(self, file: str) -> bool:
        tail = self.path.with_suffix("").as_posix()
        return Path(file).as_posix().endswith((f"{tail}.py", f"{tail}/__main__.py"))

    def _refuse_what_is_not_there(self) -> None:
        parts = self.name.split(".")
        if not all(each.isidentifier() for each in parts):
            raise NotUsableError(
                f"Expected the name of a module, such as package.train. Received: {self.name}. "
                "Fix: dots between the names, no .py at the end; a file is given without -m"
            )
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            if importlib.util.find_spec(name) is None:
                raise NotUsableError(
                    f"Expected a module {name} that can be imported from {Path.cwd()}. Received: none of this name. "
                    "Fix: cd to the folder that holds the package, or give the file's path without -m"
                )


@dataclass(frozen=True)
class NotebookRun:
    """The cells of a notebook, one after another in one namespace, in its own folder as Jupyter runs them.

    Attributes:
        notebook: What is run.
        stop_before: Number of the cell before which it ends; None to run all.
    """

    notebook: Notebook
    stop_before: int | None = None
    _folder: list[Path] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.notebook.path.name

    @property
    def path(self) -> Path:
        return self.notebook.path

    @property
    def last(self) -> str:
        return "its last cell" if self.stop_before is None else f"--cell {self.stop_before}, before which it stops"

    @property
    def no_fit(self) -> str:
        return "give the notebook that trains." if self.stop_before is None else "a later --cell, or none."

    @contextlib.contextmanager
    def place(self, folder: Path) -> Iterator[None]:
        before = Path.cwd()
        os.environ.setdefault("MPLBACKEND", "agg")
        sys.path[0:1] = [str(self.path.resolve().parent)]
        os.chdir(self.path.resolve().parent)
        self._folder.append(folder)
        try:
            yield
        finally:
            os.chdir(before)

    def run(self) -> None:
        module = ModuleType("__main__")
        sys.modules["__main__"] = module
        for line in self.notebook.remarks():
            _say(line)
        with contextlib.ExitStack() as stack:
            run = self._runner(module, stack)
            remember_order([(name_of_cell(self.path, e.number), without_magics(e.source)) for e in self._cells()])
            for cell in self._cells():
                text, installs = without_installs(cell.source)
                for line in installs:
                    _say(f"cell {cell.number}: {line!r} was not run; the packages are those of {sys.executable}")
                name = remember_cell(self.path, cell.number, cell.execution, text)
                run(with_its_lines(text), name)

    def _cells(self) -> Sequence[NotebookCell]:
        last = self.stop_before
        return [each for each in self.notebook.cells if last is None or each.number < last]

    def _runner(self, module: ModuleType, stack: contextlib.ExitStack) -> Callable[[str, str], None]:
        try:
            from deep_mnist.doctor.script.ipython_cells import ipython
        except ImportError:
            from deep_mnist.doctor.script.plain_cells import plain

            _say("IPython is not installed: lines of magics and ! are passed over. Fix: pip install ipython")
            return plain(module)
        return stack.enter_context(ipython(module, self._folder[-1] / "ipython"))

    def owns(self, file: str) -> bool:
        return isinstance(cell_at(file), NotebookPlace)


def _say(line: str) -> None:
    print(f"doctor: {line}", file=sys.stderr, flush=True)
