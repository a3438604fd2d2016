"""Run a notebook's cells with IPython itself, as a kernel does: magics, `!`, display, await at the top level."""

from __future__ import annotations

import atexit
import contextlib
import linecache
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

RunCell = Callable[[str, str], None]  # a cell's text, and the name of its code


class NamedCells(CachingCompiler):
    """Compiles each cell under the name that findings and tracebacks are told in."""

    cell_name = ""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:  # noqa: ARG002
        """Return the name of the cell that is about to run."""
        return self.cell_name


class NotebookShell(InteractiveShell):
    """IPython's shell without a terminal; errors are raised out of the cell instead of shown."""

    compiler_class = NamedCells

    def enable_gui(self, gui: Any = None) -> None:
        """Take `%matplotlib inline` and the like; there is no event loop to join."""

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Leave errors to whoever runs the cell."""

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """As above."""


@contextlib.contextmanager
def ipython(module: ModuleType, folder: Path) -> Iterator[RunCell]:
    """Yield what runs one cell in the namespace of a module.

    Args:
        module: Takes the place of __main__.
        folder: That IPython may write its own files to.
    """
    quiet = Config()
    quiet.HistoryManager.enabled = False
    NotebookShell.clear_instance()
    shell: Any = NotebookShell.instance(
        user_module=module, user_ns=module.__dict__, ipython_dir=str(folder), config=quiet, colors="nocolor"
    )
    atexit.unregister(shell.atexit_operations)  # done below

    def run(text: str, name: str) -> None:
        shell.compile.cell_name = name
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "To exit: use")
            done = shell.run_cell(text, store_history=True)
        linecache.cache.setdefault(name, (len(text), None, text.splitlines(True), name))
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            raise error

    try:
        yield run
    finally:
        kept = dict(module.__dict__)
        shell.atexit_operations()
        module.__dict__.update(kept)  # an error is explained from what the names of its frames stood for
        NotebookShell.clear_instance()
