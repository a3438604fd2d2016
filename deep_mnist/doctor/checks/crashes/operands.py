"""What the operands of an operation are called in the user's line, and their line with another shape in it."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.layers import Shape


def names_of(step: TraceStep, count: int) -> list[str]:
    """Return what the operands of the user's call or operator are called there."""
    node = operands_at(step)
    if isinstance(node, ast.BinOp):
        found = [node.left, node.right]
    elif isinstance(node, ast.Call):
        named = {each.arg: each.value for each in node.keywords}
        found = [
            *node.args,
            *(named[each] for each in ("a", "input", "x", "x1", "b", "filters", "filter", "y", "x2") if each in named),
        ]
    else:
        found = []
    words = [ast.unparse(each) for each in found][:count]
    return words + ["the first", "the second"][len(words) : count]


def operands_at(step: TraceStep) -> ast.expr | None:
    """Return the call or the operator that a frame was in."""
    positions = list(step.frame.f_code.co_positions())
    where = positions[step.offset // 2] if 0 <= step.offset // 2 < len(positions) else None
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Call | ast.BinOp):
            if where == (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset):
                return node
    return None


def listed_operands(step: TraceStep) -> list[str]:
    call = step.call
    if call is None or not call.args or not isinstance(call.args[0], ast.List | ast.Tuple):
        return []
    return [ast.unparse(each) for each in call.args[0].elts]


def argument_named(step: TraceStep, name: str) -> str:
    call = step.call
    value = next((each.value for each in call.keywords if each.arg == name), None) if call is not None else None
    return ast.unparse(value) if value is not None else ""


def resized(step: TraceStep, name: str, old: Shape, new: Sequence[int | None]) -> str:
    """Return the line that makes a variable, with another shape in it; a sentence where it is not found."""
    if not name.isidentifier():
        changed = _Reshaped(old, [each or -1 for each in new])
        copy = changed.visit(ast.parse(name))
        if changed.done == 1:
            return f"{ast.unparse(copy)}  # in the place of {name}"
    for node in sorted(_assignments(step, name), key=lambda each: -each.lineno):
        changed = _Reshaped([each for each in old], [each or -1 for each in new])
        copy = changed.visit(ast.parse(ast.unparse(node)))
        if changed.done == 1:
            return f"{ast.unparse(copy)}  # line {node.lineno}"
    return f"Make {name} with the shape {bracketed(tuple(new))}."


def _assignments(step: TraceStep, name: str) -> list[ast.Assign]:
    found = [node for node in ast.walk(step.tree) if isinstance(node, ast.Assign)]
    return [
        each
        for each in found
        if any(ast.unparse(target) == name for target in each.targets) and each.lineno <= step.line
    ]


class _Reshaped(ast.NodeTransformer):
    """Puts one list of numbers in the place of another."""

    def __init__(self, old: Sequence[Any], new: Sequence[Any]) -> None:
        self.old, self.new, self.done = list(old), list(new), 0

    def visit_List(self, node: ast.List) -> ast.expr:
        return self._of(node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        return self._of(node)

    def _of(self, node: ast.List | ast.Tuple) -> ast.expr:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError):
            return node
        if list(value) != self.old:
            return node
        self.done += 1
        parts: list[ast.expr] = [ast.Constant(each) for each in self.new]
        return ast.List(parts, ast.Load()) if isinstance(node, ast.List) else ast.Tuple(parts, ast.Load())


def picture_shape(shape: Shape, depth: int) -> list[int] | None:
    inner = shape[1:]
    if len(shape) == 3 and None not in inner:
        return [-1, *inner, 1]  # type: ignore[list-item]
    if len(shape) == 2 and inner[0] is not None:
        side = math.isqrt(inner[0] // depth)
        return [-1, side, side, depth] if side * side * depth == inner[0] else None
    return None


def bracketed(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('?' if each is None else str(each) for each in shape)}]"


def many_shapes(shapes: list[Shape], crash: Crash) -> str:
    return f"{' and '.join(map(bracketed, shapes))}, at {crash.place}"


def place_of(step: TraceStep) -> str:

    return f"{Path(step.file).name}:{step.line}"
