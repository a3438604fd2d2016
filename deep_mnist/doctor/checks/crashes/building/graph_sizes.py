"""Sizes that a graph does not know before a batch comes: x.shape[0] is None there, and len(x) is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deep_mnist.doctor.checks.crashes.building.rules import SIZE_UNKNOWN
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, holds
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.finding import Finding

SAID = re.compile(
    r"\bNone\b|NoneType|partially known|len is not well defined|interpreted as an integer|Iterating over a symbolic"
)
STATIC = ("int_shape", "get_shape", "as_list")  # what names the sizes that are known beforehand, beside .shape
ALL_AT_ONCE = (
    "write the line for the whole batch, or go over it with tf.map_fn; compile(run_eagerly=True) lets it stand"
)


class _Size(NamedTuple):
    """A size that a line asks of a tensor.

    Attributes:
        node: That asks.
        tensor: As the line calls it.
        value: The tensor.
        axis: None for all of its sizes.
    """

    node: ast.expr
    tensor: ast.expr
    value: Any
    axis: int | None

    @property
    def is_unknown(self) -> bool:
        sizes = tuple(self.value.shape)
        if self.axis is None:
            return None in sizes
        return -len(sizes) <= self.axis < len(sizes) and sizes[self.axis] is None


def explain_graph_size(crash: Crash) -> Finding | None:
    """Name the size, and write the line that asks for it as the graph runs."""
    step = crash.user
    if step is None or SAID.search(crash.text) is None:
        return None
    text = ProgramText(step.frame, step.file)
    statement = _statement(text, step.line)
    if statement is None:
        return None
    return _at_once(crash, text, statement, step) or _set_before(crash, text, statement, step)


def _statement(text: ProgramText, line: int) -> ast.stmt | None:
    """Return the innermost statement around a line."""
    around = [
        each for each in text.nodes if isinstance(each, ast.stmt) and each.lineno <= line <= (each.end_lineno or 0)
    ]
    return max(around, key=lambda each: each.lineno, default=None)


def _at_once(crash: Crash, text: ProgramText, statement: ast.stmt, step: TraceStep) -> Finding | None:
    """Return the finding where the line itself asks for the size."""
    unpacked = _unpacked(statement, step)
    if unpacked is not None:
        new = ast.Call(ast.Attribute(unpacked.func.value, "unstack"), [unpacked], [])  # type: ignore[attr-defined]
        return _found(crash, ast.unparse(unpacked), _written(text, statement, [(unpacked, new)]))
    counted = _counted(statement)
    for node in counted:
        if (known := _known_length(node, step)) is not None:
            return _found(crash, ast.unparse(known[0]), _written(text, statement, [known]))
    sizes = [each for each in _sizes(statement, step) if each.is_unknown]
    if not sizes:
        return None
    name = ast.unparse(sizes[0].node)
    if any(holds(each, size.node) for size in sizes for each in counted):
        return _found(crash, name, f"{name} counts rows of a batch that are not there yet: {ALL_AT_ONCE}.")
    return _found(crash, name, _written(text, statement, [(each.node, _asked(each, statement)) for each in sizes]))


def _set_before(crash: Crash, text: ProgramText, statement: ast.stmt, step: TraceStep) -> Finding | None:
    """Return the finding where a name of the line was set to a size that is None."""
    read = [each for each in _parts(statement) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)]
    for name in (each for each in read if each.id in step.held and step.held[each.id] is None):
        last = next(Lineage(text, text.around(name)).before(name.id, place_of(name)), None)
        setting = text.statement_of(last.value) if last is not None else None
        size = _size_set(setting, name.id, step) if isinstance(setting, ast.Assign) else None
        if not isinstance(setting, ast.Assign) or size is None:
            continue
        if any(holds(each, name) for each in _counted(statement)):
            told = f"{name.id} counts rows of a batch that are not there yet: {ALL_AT_ONCE}."
            return _found(crash, f"{name.id} = {ast.unparse(size.node)}", told)
        new = _asked(size, statement, name)
        if isinstance(setting.targets[0], ast.Tuple):
            shown = [
                _asked(size._replace(axis=axis), statement, name)
                if length is None
                else ast.parse(f"{ast.unparse(size.tensor)}.shape[{axis}]", mode="eval").body
                for axis, length in enumerate(size.value.shape)
            ]
            new = ast.Tuple(shown, ast.Load())
        return _found(crash, f"{name.id} of {ast.unparse(setting)}", _written(text, setting, [(setting.value, new)]))
    return None


def _found(crash: Crash, size: str, fix: str) -> Finding:
    return crash.found(
        SIZE_UNKNOWN,
        "a size that is asked for as the graph runs: the batch axis has none before",
        f"{size}, which is not known in a graph",
        fix,
    )


def _written(text: ProgramText, statement: ast.stmt, changes: list[tuple[ast.expr, ast.expr]]) -> str:
    """Return a statement, of a block its head, with other expressions in it."""
    if isinstance(statement, ast.For | ast.While | ast.If | ast.With):
        return f"{', '.join(f'{ast.unparse(new)} in the place of {ast.unparse(old)}' for old, new in changes)}"
    return text.in_place(ast.unparse(exchanged(statement, changes)), statement)


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, without those of the statements that it holds."""
    held = {id(node) for each in getattr(statement, "body", []) for node in ast.walk(each)}
    held |= {id(node) for each in getattr(statement, "orelse", []) for node in ast.walk(each)}
    return (each for each in ast.walk(statement) if id(each) not in held)


def _sizes(statement: ast.stmt, step: TraceStep) -> Iterator[_Size]:
    """Yield what a statement asks of the tensors of its frame, the outermost of nested expressions alone."""
    within: set[int] = set()
    for node in _parts(statement):
        if id(node) in within or not isinstance(node, ast.expr):
            continue
        size = _size(node, step)
        if size is not None:
            within |= {id(each) for each in ast.walk(node)}
            yield size


def _size(node: ast.expr, step: TraceStep) -> _Size | None:
    axis = _number(node.slice) if isinstance(node, ast.Subscript) else None
    if isinstance(node, ast.Subscript) and axis is not None:
        whole = _size(node.value, step)
        return whole._replace(node=node, axis=axis) if whole is not None and whole.axis is None else None
    if isinstance(node, ast.Call) and called(node) == "len" and len(node.args) == 1:
        return _of_tensor(node, node.args[0], step, 0)
    if isinstance(node, ast.Call) and called(node) in STATIC:
        inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
        whole = _size(inner, step) if inner is not None else None
        return whole or (_of_tensor(node, inner, step, None) if inner is not None else None)
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return _of_tensor(node, node.value, step, None)
    return None


def _of_tensor(node: ast.expr, tensor: ast.expr, step: TraceStep, axis: int | None) -> _Size | None:
    value = held_by(tensor, step.frame)
    shape = getattr(value, "shape", None)
    is_known = type(value).__name__ in ("SymbolicTensor", "KerasTensor") and getattr(shape, "rank", 0) is not None
    return _Size(node, tensor, value, axis) if is_known and shape is not None else None


def _number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if type(value) is int else None


def _asked(size: _Size, statement: ast.stmt, node: ast.expr | None = None) -> ast.expr:
    """Return what asks for a size as the graph runs, of the tensor's type where it is calculated with."""
    name = "keras.ops" if type(size.value).__name__ == "KerasTensor" else "tf"
    whole = f"{name}.shape({ast.unparse(size.tensor)})"
    asked = whole if size.axis is None else f"{whole}[{size.axis}]"
    dtype = getattr(size.value, "dtype", None)
    floats = "float" in str(getattr(dtype, "name", dtype))
    if size.axis is not None and floats and _is_calculated_with(node or size.node, statement):
        asked = f"{name}.cast({asked}, {ast.unparse(size.tensor)}.dtype)"
    return ast.parse(asked, mode="eval").body


def _is_calculated_with(node: ast.expr, statement: ast.stmt) -> bool:
    """Whether a size is an operand of numbers, and no part of a shape."""
    shapes = (each for each in _parts(statement) if isinstance(each, ast.Tuple | ast.List | ast.Subscript))
    if any(holds(each, node) for each in shapes if each is not node):
        return False
    operands = [each for each in _parts(statement) if isinstance(each, ast.BinOp)]
    return any(node is part for each in operands for part in (each.left, each.right))


def _counted(statement: ast.stmt) -> list[ast.Call]:
    """Return the calls of range() of a statement."""
    return [each for each in _parts(statement) if isinstance(each, ast.Call) and called(each) == "range"]


def _known_length(call: ast.Call, step: TraceStep) -> tuple[ast.expr, ast.expr] | None:
    """Return tf.shape(x)[1] within range(), and x.shape[1], which is known."""
    for node in ast.walk(call):
        axis = _number(node.slice) if isinstance(node, ast.Subscript) else None
        inner = node.value if isinstance(node, ast.Subscript) else None
        if axis is None or not isinstance(inner, ast.Call) or called(inner) != "shape" or not inner.args:
            continue
        size = _of_tensor(inner, inner.args[0], step, axis)
        if size is not None and not size.is_unknown and isinstance(node, ast.expr):
            return node, ast.parse(f"{ast.unparse(size.tensor)}.shape[{axis}]", mode="eval").body
    return None


def _unpacked(statement: ast.stmt, step: TraceStep) -> ast.Call | None:
    """Return tf.shape(x) of `a, b = tf.shape(x)`."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Tuple | ast.List):
        return None
    call = statement.value
    if not isinstance(call, ast.Call) or called(call) != "shape" or not isinstance(call.func, ast.Attribute):
        return None
    module = held_by(call.func.value, step.frame)
    return call if call.args and hasattr(module, "unstack") else None


def _size_set(setting: ast.Assign, name: str, step: TraceStep) -> _Size | None:
    size = _size(setting.value, step)
    target = setting.targets[0]
    if size is None or len(setting.targets) != 1:
        return None
    if isinstance(target, ast.Tuple):
        names = [getattr(each, "id", "") for each in target.elts]
        whole = size.axis is None and len(names) == len(tuple(size.value.shape)) and name in names
        return size._replace(axis=names.index(name)) if whole else None
    return size if isinstance(target, ast.Name) and size.axis is not None else None
