"""Arrays of numpy that lack an axis or a row that is asked for, take no fractions, or no picture of another size."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, shape_of
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.operands import operands_at
from deep_mnist.doctor.checks.crashes.values.rules import AXIS_MISSING, FRACTIONS_IN_PLACE, ROW_MISSING, SHAPE_OTHER
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

IN_PLACE = re.compile(r"Cannot cast ufunc '\w+' output from dtype\('float\d+'\) to dtype\('(u?int\d+)'\)")
BEYOND = re.compile(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)")
TOO_MANY = re.compile(r"too many indices for array: array is (\d)-dimensional, but (\d) were indexed")
NO_AXIS = re.compile(r"axis (-?\d+) is out of bounds for array of dimension (\d+)")
INTO = re.compile(r"could not broadcast input array from shape (\([\d, ]*\)) into shape (\([\d, ]*\))")
TOGETHER = re.compile(r"operands could not be broadcast together with shapes (\([\d,]*\)) (\([\d,]*\))")
INNER = re.compile(r"mismatch in its core dimension|shapes (\([\d,]*\)) and (\([\d,]*\)) not aligned")
RANK = re.compile(r"should have rank 4\. (?:You passed an array|Got array) with shape:? (\([\d, ]*\))|"
                  r"to have rank 3 \(single image\)\. Got array with shape: (\([\d, ]*\))")  # fmt: skip
FLOAT_INDEX = re.compile(r"arrays used as indices must be of integer")
CHANNELS = (1, 2, 3, 4)


def explain_axes(crash: Crash) -> Finding | None:
    """Name the array with its shape, and the user's line for that shape."""
    step = crash.user
    if step is None or not isinstance(crash.error, ValueError | IndexError | TypeError):
        return None
    ways: tuple[Callable[[Crash, TraceStep], Finding | None], ...] = (
        _fractions_in_place, _beyond, _float_places, _too_many, _shape_of_one, _reduced, _rank, _into, _together,
    )  # fmt: skip
    return next((found for way in ways if (found := way(crash, step)) is not None), None)


def _shape(node: ast.expr, step: TraceStep) -> tuple[int | None, ...] | None:
    value = held_by(node, step.frame)
    return shape_of(value) if hasattr(value, "shape") else None


def _fractions_in_place(crash: Crash, step: TraceStep) -> Finding | None:
    """`x /= 255` of pixels, whole numbers, which stay whole numbers in place."""
    match = IN_PLACE.search(crash.text)
    nodes = [each for each in ProgramText(step.frame, step.file).nodes
             if isinstance(each, ast.AugAssign) and each.lineno == step.line]  # fmt: skip
    if match is None or len(nodes) != 1:
        return None
    node = nodes[0]
    again = ast.unparse(ast.BinOp(ast.parse(ast.unparse(node.target), mode="eval").body, node.op, node.value))
    return FRACTIONS_IN_PLACE.found(
        expected="a new array, of floats",
        received=f"{ast.unparse(node)}, which keeps the {match[1]} of {ast.unparse(node.target)}, at {crash.place}",
        fix=f"{ast.unparse(node.target)} = {again}  # in place of {crash.place}",
    )


def _beyond(crash: Crash, step: TraceStep) -> Finding | None:
    match = BEYOND.search(crash.text)
    if match is None or int(match[1]) < int(match[3]):
        return None
    index, size = int(match[1]), int(match[3])
    for each in step.on_line(ast.Subscript):
        fix = _of_made(step, each, index, size, int(match[2])) or _of_labels(step, each, size)
        if fix:
            return ROW_MISSING.found(
                expected=f"a place below {size} in {ast.unparse(each.value)}",
                received=f"{index}, at {crash.place}",
                fix=fix,
            )
    return None


def _of_made(step: TraceStep, subscript: ast.Subscript, index: int, size: int, axis: int) -> str:
    """An array made one row too small for places that begin with 1, as a tokenizer's do: made with one more."""
    if not isinstance(subscript.value, ast.Name) or index != size or axis:
        return ""
    text = ProgramText(step.frame, step.file)
    made = [each for each in text.nodes if isinstance(each, ast.Assign) and each.lineno < step.line
            and ast.unparse(each.targets[0]) == subscript.value.id and isinstance(each.value, ast.Call)
            and called(each.value) in ("zeros", "ones", "empty", "full", "normal", "uniform", "random")]  # fmt: skip
    shape = argument_of(made[-1].value, 0, "shape") if made and isinstance(made[-1].value, ast.Call) else None
    shape = next((each for each in ast.walk(made[-1].value) if isinstance(each, ast.Tuple)), shape) if made else None
    first = shape.elts[0] if isinstance(shape, ast.Tuple) and shape.elts else shape
    if first is None or held_by(first, step.frame) not in (size, None):
        return ""
    more = repr(size + 1) if isinstance(first, ast.Constant) else f"{ast.unparse(first)} + 1"
    return f"{line_changed(step, [(first, more)])}: places begin with 1, as many in Embedding"


def _of_labels(step: TraceStep, subscript: ast.Subscript, size: int) -> str:
    """Labels from 1 to n as places in a table of n rows, such as np.eye(n)."""
    labels = held_by(subscript.slice, step.frame)
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or not labels.size:
        return ""
    least, most, text = int(labels.min()), int(labels.max()), ast.unparse(subscript.slice)
    if least == 1 and most == size:
        return line_changed(step, [(subscript.slice, f"{text} - 1")])
    if isinstance(subscript.value, ast.Call) and called(subscript.value) in ("eye", "identity") and least >= 0:
        return line_changed(step, [(subscript.value.args[0], str(most + 1))])
    return ""


def _float_places(crash: Crash, step: TraceStep) -> Finding | None:
    if not FLOAT_INDEX.search(crash.text):
        return None
    for each in step.on_line(ast.Subscript):
        places = held_by(each.slice, step.frame)
        if getattr(getattr(places, "dtype", None), "kind", "") == "f":
            text = ast.unparse(each.slice)
            return ROW_MISSING.found(
                expected=f"whole numbers as places in {ast.unparse(each.value)}",
                received=f"{text} of {places.dtype}, at {crash.place}",
                fix=line_changed(step, [(each.slice, f"{text}.astype(int)")]),
            )
    return None


def _missing(crash: Crash, name: str, shape: Any, asked: str, fix: str) -> Finding:
    return crash.found(AXIS_MISSING, f"an array with {asked}", f"{name} of shape {shape}", fix)


def _too_many(crash: Crash, step: TraceStep) -> Finding | None:
    """`x[:, :, 0]` of an array without that axis."""
    match = TOO_MANY.search(crash.text)
    if match is None:
        return None
    for each in step.on_line(ast.Subscript):
        shape = _shape(each.value, step)
        places = each.slice.elts if isinstance(each.slice, ast.Tuple) else []
        if shape is None or len(places) <= len(shape):
            continue
        rest, name = places[len(shape) :], ast.unparse(each.value)
        is_first = all(isinstance(one, ast.Constant) and one.value in (0, -1) for one in rest)
        is_whole = all(isinstance(one, ast.Slice) and ast.unparse(one) == ":" for one in places[: len(shape)])
        fix = line_changed(step, [(each, name)]) if is_first and is_whole else ""
        told = f"Find where {name} loses an axis, or leave out what is asked of it."
        return _missing(crash, name, shape, f"{len(places)} axes", fix or told)
    return None


def _shape_of_one(crash: Crash, step: TraceStep) -> Finding | None:
    """`x.shape[1]` of an array of one axis."""
    if crash.text != "tuple index out of range":
        return None
    for each in step.on_line(ast.Subscript):
        owner = each.value.value if isinstance(each.value, ast.Attribute) and each.value.attr == "shape" else None
        shape = _shape(owner, step) if owner is not None else None
        if owner is not None and shape is not None:
            name = ast.unparse(owner)
            return _missing(
                crash, name, shape, f"an axis {ast.unparse(each.slice)}",
                f"{name} = {name}.reshape(len({name}), -1)  # before {crash.place}: one column",
            )  # fmt: skip
    return None


def _reduced(crash: Crash, step: TraceStep) -> Finding | None:
    """`argmax(y, axis=1)` of labels that are numbers of classes already."""
    match, call = NO_AXIS.search(crash.text), step.call
    if match is None or call is None or not isinstance(call.func, ast.Attribute):
        return None
    node = call.args[0] if call.args and _shape(call.args[0], step) is not None else call.func.value
    value, shape = held_by(node, step.frame), _shape(node, step)
    if shape is None:
        return None
    name = ast.unparse(node)
    fix = f"Give {name} the axis that is asked for, or ask for another one."
    if called(call) == "argmax" and len(shape) == 1:
        is_classes = getattr(getattr(value, "dtype", None), "kind", "") in "iu"
        fix = line_changed(step, [(call, name if is_classes else f"{ast.unparse(call.func)}({name})")])
    return _missing(crash, name, shape, f"an axis {match[1]}", fix)


def _rank(crash: Crash, step: TraceStep) -> Finding | None:
    """Grey pictures without a channel axis, where Keras's generators and images of PIL have one."""
    match, call = RANK.search(crash.text), step.call
    if match is None or call is None or not call.args:
        return None
    shape = tuple(map(int, re.findall(r"\d+", match[1] or match[2])))
    name, lacking = ast.unparse(call.args[0]), (4 if match[1] else 3) - len(shape)
    fix = f"Give {name} the axes (n, height, width, channels)."
    if lacking == 1 and shape[-1] > len(CHANNELS):
        fix = line_changed(step, [(call.args[0], f"{name}[..., None]")])
    return _missing(crash, name, shape, "an axis of channels", fix)


def _into(crash: Crash, step: TraceStep) -> Finding | None:
    """A picture of another size stored in an array of pictures."""
    match = INTO.search(crash.text)
    text = ProgramText(step.frame, step.file)
    made = next((each for each in text.nodes if isinstance(each, ast.Assign) and each.lineno == step.line
                 and isinstance(each.targets[0], ast.Subscript)), None)  # fmt: skip
    if match is None or made is None:
        return None
    given, taken = (tuple(map(int, re.findall(r"\d+", each))) for each in (match[1], match[2]))
    name = ast.unparse(made.value)
    changed = f"Bring {name} to the shape {taken} first: each part of one array has one shape."
    if given == (*taken, 1):
        changed = line_changed(step, [(made.value, f"{name}[..., 0]")])
    elif (*given, 1) == taken:
        changed = line_changed(step, [(made.value, f"{name}[..., None]")])
    elif len(given) == len(taken) >= 2 and given[2:] == taken[2:] and min(taken[:2]) > 1:
        channel = "[..., None]" if len(given) == 2 else ""
        resized = f"keras.ops.image.resize({name}{channel}, {taken[:2]})"
        changed = line_changed(step, [(made.value, resized + ("[..., 0]" if channel else ""))])
    return SHAPE_OTHER.found(
        expected=f"{taken} in each place of {ast.unparse(made.targets[0])}",
        received=f"{name} of shape {given}, at {crash.place}",
        fix=changed,
    )


def _together(crash: Crash, step: TraceStep) -> Finding | None:
    """Two arrays in one operation whose shapes do not go together."""
    node = operands_at(step)
    if not (TOGETHER.search(crash.text) or INNER.search(crash.text)) or node is None:
        return None
    sides = (
        [node.left, node.right] if isinstance(node, ast.BinOp) else node.args[:2] if isinstance(node, ast.Call) else []
    )
    shapes = [_shape(each, step) for each in sides]
    if len(sides) != 2 or shapes[0] is None or shapes[1] is None:
        return None
    first, second = (ast.unparse(each) for each in sides)
    fix = f"Bring {first} and {second} to shapes that go together: they should come from the same examples."
    if INNER.search(crash.text) and len(shapes[1]) == 2 and shapes[0][-1:] == shapes[1][1:]:
        fix = line_changed(step, [(sides[1], f"{second}.T")])
    elif INNER.search(crash.text) and len(shapes[0]) == 2 and shapes[0][:1] == shapes[1][:1]:
        fix = line_changed(step, [(sides[0], f"{first}.T")])
    return SHAPE_OTHER.found(
        expected=f"shapes of {first} and {second} that go together",
        received=f"{shapes[0]} and {shapes[1]}, at {crash.place}",
        fix=fix,
    )
