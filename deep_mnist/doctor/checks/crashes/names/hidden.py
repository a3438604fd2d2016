"""A file of the program's folder that is imported in the place of a module of Python or of a library."""

from __future__ import annotations

import itertools
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.rules import MODULE_HIDDEN
from deep_mnist.doctor.finding import Finding


def explain_hidden(crash: Crash) -> Finding | None:
    if crash.script is None or not isinstance(crash.error, ImportError | AttributeError):
        return None
    for name, file in (_of_the_error(crash), _that_a_library_imported(crash)):
        if file is None:
            continue
        folder = file.parent.parent if file.name == "__init__.py" else file.parent
        if folder in (crash.script.resolve().parent, Path.cwd()) and has_a_module(name, folder):
            return _found(name, file)
    return None


def has_a_module(name: str, folder: Path) -> bool:
    """Whether Python, or a package that is installed, has a module of the name of one that lies in a folder."""
    if name in sys.stdlib_module_names:
        return name not in sys.builtin_module_names
    others = [each for each in sys.path if Path(each or ".").resolve() != folder]
    spec = PathFinder.find_spec(name, others)
    return spec is not None and spec.origin is not None  # a folder without __init__.py is no package's


def _of_the_error(crash: Crash) -> tuple[str, Path | None]:
    """Return the module that something is not found in, with its file, where it is not meant itself.

    It is meant where the program asks it for a name of its own, and it was read to its end.
    """
    error = crash.error
    asked = error if isinstance(error, ImportError) else getattr(error, "obj", None)
    name = (asked.name or "" if isinstance(asked, ImportError) else getattr(asked, "__name__", "")).partition(".")[0]
    path = asked.path if isinstance(asked, ImportError) else getattr(asked, "__file__", None)
    file = path or getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return name, None
    sure = "partially initialized" in crash.text or "is not a package" in crash.text or not crash.steps
    asks = next((each for each in reversed(crash.steps) if not _is_of_the_import(each)), None)
    return name, Path(file).resolve() if sure or (asks is not None and not asks.is_own) else None


def _that_a_library_imported(crash: Crash) -> tuple[str, Path | None]:
    """Return the module of the user's own that a library's line has imported, with its file."""
    steps = [each for each in crash.steps if not _is_of_the_import(each)]
    for before, step in itertools.pairwise(steps):
        name = step.frame.f_globals.get("__name__") or ""
        if step.function == "<module>" and step.is_own and not before.is_own and "." not in name:
            return name, Path(step.file).resolve()
    return "", None


def _is_of_the_import(step: TraceStep) -> bool:
    return step.file.startswith("<frozen importlib")


def _found(name: str, file: Path) -> Finding:
    shown = f"{name}.py" if file.name != "__init__.py" else name
    home = "Python's own" if name in sys.stdlib_module_names else "the installed"
    return MODULE_HIDDEN.found(
        expected=f"{home} module {name}, which a library or the program imports",
        received=f"{shown} of the program's folder in its place",
        fix=f"mv {shown} my_{shown}  # and delete __pycache__; no file beside the script may have a module's name",
    )
