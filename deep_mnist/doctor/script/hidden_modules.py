"""Files beside a script that bear the name of a module which Python or a library imports: theirs is then hidden."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deep_mnist.doctor.checks.crashes.names.hidden import has_a_module

MOST_FILES = 500  # of Python beside the script
MOST_SECONDS = 120  # that the imports may take

# Puts modules that hold a file's names alone in the place of those that the files hide, imports what the script does
# and prints the first that something was not found in. Nothing of the user's runs; a module that Python itself has
# loaded before any script is hidden by none.
IMPORTS = """\
import sys
given = sys.argv[1:]
at, hidden = given.index("--"), []
for each in given[:at]:
    name, _, held = each.partition("=")
    if name not in sys.modules:
        hidden.append(name)
        sys.modules[name] = type(sys)(name)
        vars(sys.modules[name]).update(dict.fromkeys(held.split(",")))
for each in given[at + 1:]:
    try:
        __import__(each)
    except (ImportError, AttributeError) as error:
        asked = error.name if isinstance(error, ImportError) else getattr(error.obj, "__name__", None)
        if (asked or "").partition(".")[0] in hidden:
            print("\\n" + asked.partition(".")[0])
            break
    except BaseException:
        pass
"""


def error_of_hidden_module(script: Path, folder: Path) -> ImportError | None:
    """Return the error of a script beside which a file is imported in the place of a module of its libraries.

    The doctor has loaded many of them by then, so that the script fails alone and not under it.

    Args:
        script: The program's file.
        folder: The first that its imports are looked for in.

    Returns:
        The error, with the module's name and the path of the file; None where every import gets what it means.
    """
    files = {name: file for name, file in _python_of(folder) if has_a_module(name, folder)}
    held = {name: names for name, file in files.items() if (names := _names_of(file)) is not None}
    if not held:
        return None
    imported = [each for each in _imports_of(script, folder) if each.partition(".")[0] not in files]
    command = [sys.executable, "-P", "-c", IMPORTS]
    command += [f"{name}={','.join(sorted(names))}" for name, names in held.items()]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        ended = subprocess.run(
            [*command, "--", *imported],
            capture_output=True, text=True, check=False, timeout=MOST_SECONDS, env=environment,
            cwd=Path(__file__).parent,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    name = (ended.stdout.split() or [""])[-1]
    if name not in files:
        return None
    return ImportError(f"{files[name]} is imported in the place of {name}", name=name, path=str(files[name]))


def _python_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules that lie in a folder, each with its file; a package may be a library's own, checked out."""
    found = [(each.stem, each) for each in folder.glob("*.py")]
    packages = ((each.parent.name, each) for each in folder.glob("*/__init__.py"))
    found += [(name, each) for name, each in packages if name in sys.stdlib_module_names]
    yield from found[:MOST_FILES]


def _names_of(file: Path) -> set[str] | None:
    """Return the names that a module's text makes; None where it takes them from elsewhere, or is not Python."""
    tree = _parsed(file)
    if tree is None:
        return None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
    return names if "*" not in names and "__getattr__" not in names else None


def _imports_of(script: Path, folder: Path) -> list[str]:
    """Return the modules that a script imports, and those that modules of its own do, in order."""
    found: dict[str, None] = {}
    seen, waiting = set(), [script]
    while waiting:
        file = waiting.pop()
        tree = _parsed(file) if file not in seen else None
        seen.add(file)
        for name in _imported(tree) if tree is not None else ():
            found[name] = None
            if name == "tensorflow":
                found["keras"] = None  # which it imports once it is asked for
            own = folder.joinpath(*name.split("."))
            waiting += [each for each in (own.with_suffix(".py"), own / "__init__.py") if each.is_file()]
    return list(found)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
