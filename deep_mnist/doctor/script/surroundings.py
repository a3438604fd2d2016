"""Ends of a program that lie in how it was started: outside its package, or without standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

COMMAND = "python -m deep_mnist.doctor"


def explained_by_surroundings(error: BaseException, path: Path) -> str:
    """Return what is known of an error in one line, expected, received, fix; "" where it is of another kind.

    Args:
        error: As it ended the program.
        path: Of the program's file.
    """
    ways: tuple[tuple[type[BaseException], Callable[..., str]], ...] = (
        (ImportError, _relative_import),
        (EOFError, _standard_input),
    )
    return next((way(error, path) for kind, way in ways if isinstance(error, kind)), "")


def _relative_import(error: ImportError, path: Path) -> str:
    if "relative import" not in str(error):
        explained = error.name or "cannot import name" in str(error) or "is not supported in Keras 3" in str(error)
        return "" if explained else _unnamed(error)
    root, name = package_of(path)
    there = f"cd {root} && " if root != Path.cwd() else ""
    return (
        f"Expected {path.name} to run within its package, for its relative imports. Received: a file by itself. "
        f"Fix: {there}{COMMAND} -m {name}"
    )


def package_of(path: Path) -> tuple[Path, str]:
    """Return the folder that a script's package is imported from, and the script's name in it, "package.train".

    The package reaches up to the first folder without __init__.py, and is the script's own folder where none has one.
    """
    path = path.resolve()
    root = path.parent.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    parts = path.relative_to(root).with_suffix("").parts
    return root, ".".join(parts[:-1] if parts[-1] == "__main__" else parts)


def _unnamed(error: ImportError) -> str:
    """Return a sentence for an import that failed without the name of a module, as of a shared library."""
    said = str(error)[:160].rstrip(".") or type(error).__name__
    return f"Expected what is imported to load. Received: {said}. Fix: install it, or install it again."


def _standard_input(error: EOFError, path: Path) -> str:  # noqa: ARG001
    if sys.stdin is not None and sys.stdin.isatty():
        return ""
    return (
        f"Expected standard input, from which {path.name} reads. Received: none, or too little. "
        f"Fix: printf 'LINE\\n' | {COMMAND} {path}, or give it as an argument after --"
    )
