"""The operands of an operation: what the user's line calls them, that line with another shape in it, their types."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.layers import Shape
from deep_mnist.doctor.checks.crashes.rules import DTYPE_REFUSED, OPERANDS
from deep_mnist.doctor.finding import Finding


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
    """Return the call or the operator that a frame was in; that of `x *= y` is `x * y`."""
    positions = list(step.frame.f_code.co_positions())
    where = positions[step.offset // 2] if 0 <= step.offset // 2 < len(positions) else None
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Call | ast.BinOp | ast.AugAssign):
            if where == (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset):
                return ast.BinOp(node.target, node.op, node.value) if isinstance(node, ast.AugAssign) else node
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


# --- of another type, order or rank --------------------------------------------------------------------

TYPES = re.compile(r"Input '(\w+)' of '(\w+)' Op has type (\w+) that does not match (?:expected )?type (?:of )?(\w+)")


EAGER_TYPES = re.compile(
    r"cannot compute (\w+) as input #(\d+)\(zero-based\) was expected to be a (\w+) tensor but is a (\w+) tensor"
)


ALLOWED = re.compile(r"Value passed to parameter '(\w+)' has DataType (\w+) not in list of allowed values: ([\w, ]+)")


SIZES = re.compile(
    r"logits and labels must be (?:broadcastable|same size): logits_size=\[([\d,]+)\] labels_size=\[([\d,]+)\]"
)
RANKS = re.compile(r"labels\.shape=(\([^)]*\)) of rank \d+ and logits\.shape=(\([^)]*\))")


OLD_ORDER = {"concat": (1, 0), "split": (2, 1, 0)}  # TensorFlow 0.12's order of arguments, as places in today's


C_TYPES = {"double": "float64", "float": "float32", "half": "float16", "int32": "int32", "int64": "int64"}


def explain_types(crash: Crash) -> Finding | None:
    """Name an operation's argument of another type than it takes, and the cast."""
    step = crash.user
    if step is None or crash.is_inside_a_layer:
        return None
    if (match := SIZES.search(crash.text)) is not None:
        scores, labels = match.groups()
        return OPERANDS.found(
            expected="a score for each column of the labels: logits and labels of one shape",
            received=f"logits [{scores}], labels [{labels}]",
            fix=f"Make the last weights and bias {labels.rpartition(',')[2]} wide, as the labels are.",
        )
    old = _old_order(step)
    if old is not None:
        return OPERANDS.found(expected="the values first, the axis last", received=step.text, fix=old)
    if (match := TYPES.search(crash.text)) is not None:
        name, kind, has, wants = match.groups()
        return _cast(crash, step, kind, 1 if name in ("b", "y") else 0, has, wants)
    if (match := EAGER_TYPES.search(crash.text)) is not None:
        kind, place, wants, has = match.groups()
        return _cast(crash, step, kind, int(place), C_TYPES.get(has, has), C_TYPES.get(wants, wants))
    if (match := ALLOWED.search(crash.text)) is not None:
        name, has, allowed = match.groups()
        wants = allowed.split(", ")[-1]
        value = argument_named(step, name) or names_of(step, 1)[0]
        return DTYPE_REFUSED.found(
            expected=f"{name} of {allowed}",
            received=f"{has}, at {crash.place}",
            fix=_cast_line(step, 0, value, wants),
        )
    if (match := RANKS.search(crash.text)) is not None:
        labels = argument_named(step, "labels") or "labels"
        return OPERANDS.found(
            expected="class numbers, one for each row of logits",
            received=f"labels {match.group(1)}, logits {match.group(2)}",
            fix=f"{labels} = tf.argmax({labels}, axis=-1)  # one-hot rows as class numbers",
        )
    return None


def _cast(crash: Crash, step: TraceStep, kind: str, place: int, has: str, wants: str) -> Finding:
    if place < 2 and wants.startswith("int") and has.startswith("float") and _takes_one_type(step, kind):
        place, has, wants = 1 - place, wants, has  # an int of it would lose what stands behind the point
    value = names_of(step, 2)[place] if place < 2 else "it"
    if wants == "string":
        return DTYPE_REFUSED.found(
            expected=f"{kind} of text, such as names of files",
            received=f"{value} of {has}, as an empty list of names is, at {crash.place}",
            fix="Look where the names come from: print how many were found, and correct the folder or pattern.",
        )
    return DTYPE_REFUSED.found(
        expected=f"{kind}: both of {wants}",
        received=f"{value} of {has}, at {crash.place}",
        fix=_cast_line(step, place, value, wants),
    )


def _takes_one_type(step: TraceStep, kind: str) -> bool:
    return isinstance(operands_at(step), ast.BinOp) or kind in ("MatMul", "AddV2", "Mul", "Sub", "RealDiv", "Maximum")


def _cast_line(step: TraceStep, place: int, value: str, wants: str) -> str:
    """Return the line that casts a variable, or the user's line with the cast in it."""
    node = operands_at(step)
    operands = (
        [node.left, node.right] if isinstance(node, ast.BinOp) else node.args if isinstance(node, ast.Call) else []
    )
    names = [ast.unparse(each) for each in operands]
    if value.isidentifier():
        return f"{value} = tf.cast({value}, tf.{wants})  # before {place_of(step)}"
    if names[place : place + 1] != [value]:
        return f"Cast {value} of what {place_of(step)} joins: tf.cast(…, tf.{wants})."
    other = names[1 - place] if len(names) == 2 else ""
    is_named = other.replace(".", "").isidentifier() and wants.startswith(("float", "bfloat"))
    changed = f"tf.cast({value}, {other + '.dtype' if is_named else 'tf.' + wants})"
    return line_changed(step, [(operands[place], changed)])


def _old_order(step: TraceStep) -> str | None:
    """Return tf.concat(1, [a, b]) and tf.split(0, 2, x) in the order of today, None where they are in it."""
    call = step.call
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in OLD_ORDER or call.keywords:
        return None
    order = OLD_ORDER[call.func.attr]
    is_number = isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, int) if call.args else False
    if not is_number or len(call.args) != len(order):
        return None
    return ast.unparse(ast.Call(call.func, [call.args[index] for index in order], []))
