"""A float where Python or numpy takes an int alone: a range, a shape, a place to cut at."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import FRACTION
from deep_mnist.doctor.evidence.live.source_text import function_in
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

SAYS = re.compile(
    r"float(?:32|64)?' object cannot be interpreted as an integer|slice indices must be integers or None|"
    r"indices must be integers or slices, not float|only integers, slices .* are valid indices|"
    r"expected a sequence of integers or a single integer, got '?[\d.]+"
)


def explain_fraction(crash: Crash) -> Finding | None:
    """Name the float, and the user's line with a whole number in its place."""
    step = crash.user
    if step is None or not isinstance(crash.error, TypeError | IndexError) or not SAYS.search(crash.text):
        return None
    if (length := _length(crash, step)) is not None:
        return length
    divided = [each for each in _asked(step) if isinstance(each, ast.BinOp)]
    named = [each for each in _asked(step) if not isinstance(each, ast.BinOp)]
    found = divided or named
    if not found:
        return None
    changes = [(each, _whole(each)) for each in found]
    values = ", ".join(f"{ast.unparse(each)}{_told(step, each)}" for each in found)
    return FRACTION.found(
        expected="a whole number, an int",
        received=f"{values}, at {crash.place}",
        fix=line_changed(step, changes),
    )


def _length(crash: Crash, step: TraceStep) -> Finding | None:
    """`__len__` of a sequence of batches that divides, or rounds by numpy, and gives a float."""
    held = crash.find("sequence", "_count")
    held = crash.find("self", "num_batches") if held is None else held  # whose truth is its length
    code = getattr(getattr(type(held), "__len__", None), "__code__", None)
    text, definition = function_in(step.frame, code) or (None, None)
    given = [each for each in ast.walk(definition) if isinstance(each, ast.Return)] if definition is not None else []
    if text is None or len(given) != 1 or given[0].value is None:
        return None
    value = ast.unparse(given[0].value)
    is_quotient = isinstance(given[0].value, ast.BinOp) and isinstance(given[0].value.op, ast.Div)
    return FRACTION.found(
        expected=f"a number of batches, an int, of __len__ of {type(held).__name__}",
        received=f"{value}, a float, at {text.at(given[0])}",
        fix=text.in_place(f"return int({f'np.ceil({value})' if is_quotient else value})", given[0]),
    )


def _asked(step: TraceStep) -> list[ast.expr]:
    """Return quotients, products with a fraction and names of floats among the arguments and places of a line."""
    around = [*(argument for call in step.on_line(ast.Call) for argument in _arguments(call)),
              *(each.slice for each in step.on_line(ast.Subscript))]  # fmt: skip
    nodes = {id(each): each for top in around for each in _outermost(top, step)}
    return list(nodes.values())


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def _outermost(node: ast.AST, step: TraceStep) -> list[ast.expr]:
    """Return the outermost expressions below a node that are surely floats."""
    if isinstance(node, ast.BinOp) and _is_float(node, step):
        return [node]
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(held_by(node, step.frame), float):
        return [node]
    if isinstance(node, ast.Call | ast.Lambda):
        return []
    return [each for child in ast.iter_child_nodes(node) for each in _outermost(child, step)]


def _is_float(node: ast.expr, step: TraceStep) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div) or any(_is_float(each, step) for each in (node.left, node.right))
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(held_by(node, step.frame), float)


def _whole(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return ast.unparse(ast.BinOp(node.left, ast.FloorDiv(), node.right))
    return f"int({ast.unparse(node)})"


def _told(step: TraceStep, node: ast.expr) -> str:
    value = held_by(node, step.frame)
    return f" = {value:g}" if isinstance(value, float) else ", which is a float"
