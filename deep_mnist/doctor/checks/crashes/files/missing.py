"""A file that is not there: where it is, by its own name, or what is wrong in the path."""

from __future__ import annotations

import ast
import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.rules import FILE_MISSING
from deep_mnist.doctor.evidence.live.source_text import argument_of, called
from deep_mnist.doctor.finding import Finding

LIKENESS = 0.8  # of a file's name to another one beside it, by difflib
MOST_FOLDERS = 500  # below the script's, searched for a file
DEEPEST = 3
WRITING = ("save", "to_", "write", "dump", "export", "imwrite")  # how the names of functions begin
SPECIAL = {"\a": r"\a", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}


def of_missing(crash: Crash, given: str) -> Finding:
    """Return the finding on a file that does not exist, with the path that is meant where that is sure."""
    script, path = (crash.script or Path("script.py")).resolve(), Path(given)
    if _is_written(crash) and not path.parent.is_dir():
        fix = f"import os; os.makedirs({str(path.parent)!r}, exist_ok=True)  # before {crash.place}"
        return _found(given, "no folder to write it to", fix)
    marks = [each for each in SPECIAL if each in given]
    if marks:
        plain = "".join(SPECIAL.get(each, each) for each in given).replace("\\", "/")
        told = ", ".join(f"{SPECIAL[each]} as one special character" for each in marks)
        return _found(given, f"a path that holds {told}", _changed(crash, given, plain))
    if given != given.strip() and Path(given.strip()).exists():
        return _found(given, "a path with blanks at its ends", _changed(crash, given, given.strip()))
    if (script.parent / path).exists() and not path.is_absolute():
        fix = f"cd {script.parent}  # the script looks for it from the folder it is run in"
        return _found(given, "no such file", fix)
    if (found := _elsewhere(path, script.parent)) is not None:
        return _found(given, f"no such file; {found} exists", _changed(crash, given, found))
    near = _near(path)
    fix = f"{path.parent / near}, which exists" if near else "write or download it, or correct the path"
    return _found(given, "no such file", fix)


def _is_written(crash: Crash) -> bool:
    """Whether the user's line would write the file."""
    call = crash.user.call if crash.user is not None else None
    if call is None:
        return False
    mode = getattr(argument_of(call, 1, "mode"), "value", "") if called(call) == "open" else ""
    return called(call).startswith(WRITING) or str(mode).startswith(("w", "a", "x"))


def _found(given: str, received: str, fix: str) -> Finding:
    return FILE_MISSING.found(expected=f"the file {given!r} (from {Path.cwd()})", received=received, fix=fix)


def _changed(crash: Crash, given: str, path: str) -> str:
    """Return the line that states a path with another one, where a text of the program is the path."""
    for step in (each for each in reversed(crash.steps) if each.is_own):
        for node in ast.walk(step.tree):
            if isinstance(node, ast.Constant) and node.value == given:
                return line_changed(step, [(node, repr(path))])
    return f"Give the path {path!r}."


def _near(path: Path) -> str:
    """Return the only name in the path's own folder that is nearly the same, of the same kind; "" without."""
    if not path.parent.is_dir():
        return ""
    names = [each.name for each in path.parent.iterdir() if each.suffix.lower() == path.suffix.lower()]
    numbers = re.findall(r"\d+", path.name)
    near = [each for each in difflib.get_close_matches(path.name, names, 2, LIKENESS)
            if re.findall(r"\d+", each) == numbers]  # fmt: skip
    return near[0] if len(near) == 1 else ""


def _elsewhere(path: Path, folder: Path) -> str | None:
    """Return from here the only file whose path ends so, or has this name: above the script or below its folder."""
    ends = path.parts[1:] if path.is_absolute() else tuple(each for each in path.parts if each not in ("..", "."))
    above = [up.joinpath(*ends) for up in folder.parents[:2]] if len(ends) > 1 else []
    same = list(_below(folder, path.name))
    whole = [each for each in (*above, *same) if each.is_file() and each.parts[-len(ends) :] == ends]
    found = whole or same
    return os.path.relpath(found[0]) if len(found) == 1 else None


def _below(folder: Path, name: str) -> Iterator[Path]:
    for count, (here, folders, files) in enumerate(os.walk(folder)):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(each for each in folders if not each.startswith((".", "__"))) if depth < DEEPEST else []
        if name in files:
            yield Path(here) / name
        if count >= MOST_FOLDERS:
            return
