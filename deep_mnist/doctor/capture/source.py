"""The source of a frame: the call it is in, and where its names were set."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType, ModuleType
from typing import Any

MOST_NAMES = 400  # of one namespace or object, searched for a value
MOST_ITEMS = 8  # of one tuple or list, as above
LONGEST_CALL = 100  # characters of the call shown


@dataclass(frozen=True)
class Variable:
    """What one of the roles train_images, train_labels, test_images, test_labels, model is called in the source.

    Attributes:
        name: What a statement may assign to: `x_train`, `x_train[-6000:]`; a parameter of fit where there is none.
        expression: As it stands in the call, such as `x_train / 255`.
        line: Where it was last set before the call, None when that could not be found.
    """

    name: str
    expression: str
    line: int | None = None


class Source:
    """The source of a frame: its call, and where its names were set."""

    def __init__(self, frame: FrameType) -> None:
        self.frame = frame
        self.path = frame.f_code.co_filename
        self.lines = linecache.getlines(self.path, frame.f_globals)
        self.tree = _parsed("".join(self.lines))

    def call_of(self, verb: str) -> ast.Call | None:
        """Return the call that the frame is in: by its columns where Python knows them, else by its line."""
        where = _position(self.frame.f_code, self.frame.f_lasti)
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        for node in calls:
            if where == (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset):
                return node
        line = self.frame.f_lineno
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
        line = self.frame.f_lineno
        plain = ast.unparse(node) if node is not None else "".join(self.lines[line - 1 : line]).strip()
        return plain if len(plain) <= LONGEST_CALL else plain[: LONGEST_CALL - 2] + " …"

    def variable(self, role: str, expression: ast.expr | None, value: Any) -> Variable:
        """Return what `value` is called: its expression, or a name of this frame or module for the same object."""
        parameter = {"train_images": "x", "train_labels": "y", "test_images": "x_val", "test_labels": "y_val"}
        if isinstance(expression, ast.Name) and self._is_parameter(expression.id):
            outer = self._name_of(value, self.frame.f_globals)
            expression = ast.parse(outer, mode="eval").body if outer else expression
        if expression is None:
            found = self._name_of(value, self.frame.f_locals) or self._name_of(value, self.frame.f_globals)
            if found is None:
                return Variable(parameter.get(role, role), parameter.get(role, role))
            expression = ast.parse(found, mode="eval").body
        text = ast.unparse(expression)
        named = isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant)
        assignable = named or isinstance(expression, ast.Name | ast.Attribute)
        return Variable(text if assignable else parameter.get(role, role), text, self._line_of(expression))

    def _name_of(self, value: Any, space: Mapping[str, Any]) -> str | None:
        """Return the name of a value in a namespace: `x_train`, or `mnist.train.images` of the objects in it."""
        if value is None:
            return None
        own = {name: each for name, each in space.items() if not name.startswith("_")}
        return next((name for depth in range(3) if (name := _path_to(value, own, depth)) is not None), None)

    def _is_parameter(self, name: str) -> bool:
        code = self.frame.f_code
        return name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    def _line_of(self, expression: ast.expr) -> int | None:
        """Return the last line before the call on which the expression's first variable is set."""
        if isinstance(expression, ast.Attribute):
            return self._set_at(ast.unparse(expression))
        found = [node for node in ast.walk(expression) if isinstance(node, ast.Name)]
        found.sort(key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))
        return next((line for node in found if (line := self._set_at(node.id)) is not None), None)

    def _set_at(self, name: str) -> int | None:
        before = [line for line in _assignments(self.tree).get(name, ()) if line <= self.frame.f_lineno]
        return max(before, default=None)

    def compile_line(self, model: str) -> int | None:
        """Return the line of the model's last compile() before the call."""
        lines = [
            node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "compile"
            and ast.unparse(node.func.value) == model
        ]
        return max((line for line in lines if line <= self.frame.f_lineno), default=max(lines, default=None))


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


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> ast.AST:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # a notebook cell with a magic, or no source at all
        return ast.Module([], [])


@functools.lru_cache(maxsize=8)
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
