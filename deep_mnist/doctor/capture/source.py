"""The source of a frame: the call it is in, and where its names were set."""

from __future__ import annotations

import ast
import functools
import linecache
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.evidence.live.statements.call_line import free_name, is_plain, is_settable, parameter

MOST_NAMES = 400  # of one namespace or object, searched for a value
MOST_ITEMS = 8  # of one tuple or list, as above
LONGEST_CALL = 100  # characters of the call shown
TIMED = ("<timed exec>", "<timed eval>")  # the names that IPython gives to what %time runs
# What a cell may hold that is no Python, and what stands in its place when the cell is read.
MAGICS = (
    (re.compile(r"^(\s*)%(?:time|timeit)[ \t]+(?=\S)", re.M), r"\1"),
    (re.compile(r"^(\s*)[!%].*$", re.M), r"\1pass"),
    (re.compile(r"=[ \t]*[!%].*$", re.M), "= None"),
)


@dataclass(frozen=True)
class Variable:
    """What one of the roles train_images, train_labels, test_images, test_labels, model is called in the source.

    Attributes:
        name: What a statement may assign to: `x_train`, `x_train[-6000:]`; a parameter of fit where there is none.
        expression: As it stands in the call, such as `x_train / 255`.
        line: Where it was last set before the call, None when that could not be found.
        path: Name of the code that sets it, where that is another than the call's: an earlier cell of a notebook.
        is_argument: The name is a new one for an expression that no statement may assign to.
    """

    name: str
    expression: str
    line: int | None = None
    path: str = ""
    is_argument: bool = False


@dataclass(frozen=True)
class NotebookPlace:
    """A cell of a notebook, by its place among the cells of code (from 1 on) and by the number in its brackets."""

    notebook: Path
    number: int | None
    execution: int | None
    text: str = field(default="", repr=False)

    def at(self, line: int | None) -> str:
        """Return a line of the cell in words.

        >>> NotebookPlace(Path("a.ipynb"), 7, 12).at(3)
        'cell 7, line 3, In [12]'
        """
        cell = f"cell {self.number}" if self.number is not None else ""
        run = f"In [{self.execution}]" if self.execution is not None else ""
        parts = (
            [cell, f"line {line}" if line else "", run]
            if cell
            else [run or "the notebook", f"line {line}" if line else ""]
        )
        return ", ".join(each for each in parts if each)


_CELLS: dict[str, NotebookPlace] = {}  # by the name of a cell's code, in the order in which they were run


def name_of_cell(notebook: Path, number: int) -> str:
    """Return the name of a cell's code."""
    return f"{notebook.name}, cell {number}"


def remember_cell(notebook: Path, number: int, execution: int | None, text: str) -> str:
    """Return the name of a cell's code, by which its frames are known from now on; tracebacks show its lines."""
    name = name_of_cell(notebook, number)
    _CELLS[name] = NotebookPlace(notebook, number, execution, text)
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    return name


def cell_at(path: str) -> NotebookPlace | None:
    """Return the cell that code of this name is, None of a file; a live one has In [12] alone."""
    if path in _CELLS:
        return _CELLS[path]
    if not (path.startswith("<ipython") or "ipykernel_" in path):
        return None
    return NotebookPlace(Path(), None, _live_cells().get(path))


def _live_cells() -> Mapping[str, int]:
    """Return name of the code -> number in brackets, of the kernel that this process is."""
    core = sys.modules.get("IPython.core.getipython")
    shell = core.get_ipython() if core is not None else None
    return getattr(getattr(shell, "compile", None), "_filename_map", None) or {}


def _earlier_cells(path: str) -> list[str]:
    """Return the names of the other cells that ran in one namespace with this one, the last first."""
    held = list(_CELLS) if path in _CELLS else [*_live_cells()] if cell_at(path) else []
    return [each for each in reversed(held) if each != path]


class Source:
    """The source of a frame: its call, and where its names were set."""

    def __init__(self, frame: FrameType) -> None:
        self.frame = frame
        self.path, self.shift = _place_of_code(frame)
        self.line = frame.f_lineno + self.shift
        self.lines = _lines_of(self.path) or linecache.getlines(self.path, frame.f_globals)
        self.tree = _parsed("".join(self.lines))

    def call_of(self, verb: str) -> ast.Call | None:
        """Return the call that the frame is in: by its columns where Python knows them, else by its line."""
        where = _position(self.frame.f_code, self.frame.f_lasti)
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        for node in calls:
            lines = node.lineno - self.shift, (node.end_lineno or node.lineno) - self.shift
            if where == (*lines, node.col_offset, node.end_col_offset):
                return node
        line = self.line
        near = [node for node in calls if node.lineno <= line <= (node.end_lineno or node.lineno)]
        named = [node for node in near if isinstance(node.func, ast.Attribute) and node.func.attr == verb]
        return named[0] if named else None

    def may_repeat(self, node: ast.Call | None) -> bool:
        """Whether the call may be made many times: in a loop or a function, or where its source is not known."""
        if node is None:
            return True
        around = (
            ast.For,
            ast.AsyncFor,
            ast.While,
            ast.FunctionDef,
            ast.AsyncFunctionDef,
            ast.Lambda,
            ast.comprehension,
        )
        return any(
            isinstance(each, around) and any(inner is node for inner in ast.walk(each)) for each in ast.walk(self.tree)
        )

    def text(self, node: ast.Call | None) -> str:
        line = self.line
        plain = ast.unparse(node) if node is not None else "".join(self.lines[line - 1 : line]).strip()
        return plain if len(plain) <= LONGEST_CALL else plain[: LONGEST_CALL - 2] + " …"

    def variable(self, role: str, expression: ast.expr | None, value: Any) -> Variable:
        """Return what `value` is called: its expression, or a name of this frame or module for the same object."""
        if isinstance(expression, ast.Name) and self._is_parameter(expression.id):
            outer = self._name_of(value, self.frame.f_globals)
            expression = ast.parse(outer, mode="eval").body if outer else expression
        if expression is None:
            found = self._name_of(value, self.frame.f_locals) or self._name_of(value, self.frame.f_globals)
            if found is None:
                name = parameter(role)
                return Variable(name, name)
            expression = ast.parse(found, mode="eval").body
        text = ast.unparse(expression)
        path, line = self._place_of(expression)
        if role == "model" or is_settable(expression, self.frame):
            return Variable(text if role != "model" or is_plain(expression) else role, text, line, path)
        return Variable(free_name(parameter(role), self.tree), text, line, path, is_argument=True)

    def _name_of(self, value: Any, space: Mapping[str, Any]) -> str | None:
        """Return the name of a value in a namespace: `x_train`, or `mnist.train.images` of the objects in it."""
        if value is None:
            return None
        own = {name: each for name, each in space.items() if not name.startswith("_")}
        return next((name for depth in range(3) if (name := _path_to(value, own, depth)) is not None), None)

    def _is_parameter(self, name: str) -> bool:
        code = self.frame.f_code
        return name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    def _place_of(self, expression: ast.expr) -> tuple[str, int | None]:
        """Return where the expression's first variable was last set before the call: other cell ("" for here), line."""
        if isinstance(expression, ast.Attribute):
            return self._set_at(ast.unparse(expression)) or ("", None)
        found = [node for node in ast.walk(expression) if isinstance(node, ast.Name)]
        found.sort(key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))
        return next((place for node in found if (place := self._set_at(node.id)) is not None), ("", None))

    def _set_at(self, name: str) -> tuple[str, int] | None:
        before = [line for line in _assignments(self.tree).get(name, ()) if line <= self.line]
        if before:
            return "", max(before)
        for cell in _earlier_cells(self.path):
            if lines := _assignments(_tree_of(cell)).get(name):
                return cell, max(lines)
        return None

    def compile_place(self, model: str) -> tuple[str, int | None]:
        """Return the model's last compile() before the call: other cell ("" for here), line."""
        lines = _compiles(self.tree, model)
        near = max((line for line in lines if line <= self.line), default=max(lines, default=None))
        if near is not None:
            return "", near
        cells = ((cell, _compiles(_tree_of(cell), model)) for cell in _earlier_cells(self.path))
        return next(((cell, max(found)) for cell, found in cells if found), ("", None))


def _place_of_code(frame: FrameType) -> tuple[str, int]:
    """Return the name of a frame's code, and by how many lines it stands below in it: more than 0 under %time alone."""
    path = frame.f_code.co_filename
    outer: FrameType | None = frame
    while path.startswith(TIMED) and outer is not None and cell_at(outer.f_code.co_filename) is None:
        outer = outer.f_back
    if outer is None or outer is frame:
        return path, 0
    cell = outer.f_code.co_filename
    filled = [place for place, line in enumerate(_lines_of(cell)) if line.strip()]
    whole = len(filled) > 1 and _lines_of(cell)[filled[0]].startswith("%%")
    return cell, filled[1] if whole else outer.f_lineno - 1  # IPython leaves out empty lines before the first


def _lines_of(path: str) -> list[str]:
    """Return a cell's lines as they stand in the notebook, not as IPython rewrites them; [] of any other code."""
    cell = _CELLS.get(path)
    return cell.text.splitlines(True) if cell is not None else []


def _tree_of(path: str) -> ast.AST:
    return _parsed("".join(_lines_of(path) or linecache.getlines(path)))


def _compiles(tree: ast.AST, model: str) -> list[int]:
    """Return the lines of a model's compile()."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "compile"
        and ast.unparse(node.func.value) == model
    ]


def _path_to(value: Any, space: Mapping[str, Any], depth: int) -> str | None:
    for name, each in list(space.items())[:MOST_NAMES]:
        if depth == 0 and each is value:
            return name
        below = _path_to(value, attributes_of(each), depth - 1) if depth else None
        if below is not None:
            return f"{name}{below}" if below.startswith("[") else f"{name}.{below}"
    return None


def attributes_of(value: Any) -> dict[str, Any]:
    """Return the plain attributes of an object that a script may keep its data in."""
    if isinstance(value, ModuleType | type) or callable(value):
        return {}
    if type(value) in (tuple, list):
        return {f"[{index}]": each for index, each in enumerate(value[:MOST_ITEMS])}
    held = (
        dict(zip(value._fields, value, strict=True)) if isinstance(value, tuple) and hasattr(value, "_fields") else {}
    )
    held |= getattr(value, "__dict__", None) or {}
    return {name: each for name, each in held.items() if not name.startswith("_")}


def without_magics(text: str) -> str:
    """Return a cell's text with Python of as many lines in the place of magics and of what goes to the shell."""
    for magic, python in MAGICS:
        text = magic.sub(python, text)
    return text


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> ast.AST:
    for each in (text, without_magics(text)):
        try:
            return ast.parse(each)
        except (SyntaxError, ValueError, RecursionError):  # a notebook cell with a magic, or no source at all
            continue
    return ast.Module([], [])


@functools.lru_cache(maxsize=64)
def _assignments(tree: ast.AST) -> Mapping[str, Sequence[int]]:
    """Return the lines on which each `x` or `self.x` is set, or is a parameter."""
    found: dict[str, list[int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.setdefault(ast.unparse(node), []).append(node.lineno)
        elif isinstance(node, ast.arg):
            found.setdefault(node.arg, []).append(node.lineno)
    return found


def _position(code: CodeType, offset: int) -> tuple[int | None, int | None, int | None, int | None] | None:
    positions = list(code.co_positions())
    return positions[offset // 2] if 0 <= offset // 2 < len(positions) else None
