"""What is used as an array of numpy and is none: a list, a table or column of pandas, a tensor, a dataset."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.operands import operands_at
from deep_mnist.doctor.checks.crashes.values.rules import NO_ARRAY
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

ATTRIBUTE = re.compile(
    r"^'?(list|tuple|Series|DataFrame|\w*Dataset|EagerTensor|Tensor)'? object has no attribute '(\w+)'"
)
INDEX = re.compile(
    r"only integer scalar arrays can be converted to a scalar index|"
    r"list indices must be integers or slices, not (?:tuple|list|ndarray|numpy|Series)"
)
OPERATOR = re.compile(r"unsupported operand type\(s\) for [-+*/%]+=?: |can't multiply sequence by non-int of type")
ASSIGNED = re.compile(r"EagerTensor' object does not support item assignment")
NOT_CUT = re.compile(r"^'(\w*Dataset)' object is not subscriptable")
BY_PLACE = re.compile(r"^\(?(?:slice\(|\(slice\()")
OF_PANDAS = ("Series", "DataFrame")
KINDS = {"list": "a list of Python", "tuple": "a tuple of Python", "Series": "a column of pandas",
         "DataFrame": "a table of pandas"}  # fmt: skip


def explain_no_array(crash: Crash) -> Finding | None:
    """Name what is no array, and the user's line with an array in its place."""
    step = crash.user
    if step is None:
        return None
    ways = (_given, _attribute, _operand, _index, _by_place, _assigned, _element, _count)
    found = next((told for way in ways if (told := way(crash, step)) is not None), None)
    if found is None:
        return None
    node, kind, fix = found
    return NO_ARRAY.found(
        expected=f"an array of numpy in {ast.unparse(node)}",
        received=f"{KINDS.get(kind, kind)}, at {crash.place}",
        fix=fix,
    )


def _given(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """A list of numbers given to a method of a model."""
    call = step.call
    if call is None or "Unrecognized data type: x=" not in crash.text:
        return None
    given = [*call.args, *(each.value for each in call.keywords if each.arg in ("x", "y"))]
    lists = [each for each in given if _is_of_numbers(_value(each, step))]
    if not lists:
        return None
    fix = line_changed(step, [(each, f"np.array({ast.unparse(each)})") for each in lists])
    return lists[0], type(_value(lists[0], step)).__name__, fix


def _attribute(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """A method or attribute of arrays: `.shape` of a list, `.reshape` of a column."""
    match = ATTRIBUTE.match(crash.text)
    if match is None or not isinstance(crash.error, AttributeError) or not hasattr(np.ndarray, match[2]):
        return None
    nodes = [each.value for each in step.on_line(ast.Attribute) if each.attr == match[2]]
    held = [each for each in nodes if type(held_by(each, step.frame)).__name__ == match[1]] or nodes
    if len(held) != 1:
        return None
    node = held[0]
    if match[1].endswith("Dataset"):
        fix = f"Ask {ast.unparse(node)}.element_spec: a dataset gives batches or examples, one after another."
        return node, f"a dataset of tf.data ({match[1]})", fix if match[2] in ("shape", "dtype") else _first(node)
    if match[1] in OF_PANDAS:
        return node, match[1], line_changed(step, [(node, f"{ast.unparse(node)}.to_numpy()")])
    if match[1] in ("EagerTensor", "Tensor"):
        return node, "a tensor", line_changed(step, [(node, f"{ast.unparse(node)}.numpy()")])
    return node, match[1], _as_array(crash, step, node)


def _first(node: ast.expr) -> str:
    return f"for batch in {ast.unparse(node)}.take(1):  # a dataset gives its batches one after another"


def _as_array(crash: Crash, step: TraceStep, node: ast.expr) -> str:
    """Return the line that makes a name an array before it is used; else the user's line with an array in it."""
    made = f"np.array({ast.unparse(node)})"
    if isinstance(node, ast.Name | ast.Attribute):
        return f"{ast.unparse(node)} = {made}  # before {crash.place}"
    return line_changed(step, [(node, made)])


def _operand(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """Arithmetic of numbers with a list."""
    node = operands_at(step)
    if not isinstance(crash.error, TypeError) or not OPERATOR.search(crash.text) or not isinstance(node, ast.BinOp):
        return None
    sides = [each for each in (node.left, node.right) if _is_of_numbers(_value(each, step))]
    others = [_value(each, step) for each in (node.left, node.right) if each not in sides]
    if not sides or any(isinstance(each, list | tuple | str) for each in others):
        return None
    return sides[0], type(_value(sides[0], step)).__name__, _as_array(crash, step, sides[0])


def _value(node: ast.expr, step: TraceStep) -> Any:
    if isinstance(node, ast.Constant | ast.List | ast.Tuple):
        try:
            return ast.literal_eval(node)
        except ValueError:
            return None
    return held_by(node, step.frame)


def _is_of_numbers(value: Any) -> bool:
    """Whether something is a list of numbers, of arrays, or of rows of numbers."""
    first = value[0] if isinstance(value, list | tuple) and value else None
    return isinstance(first, int | float | np.ndarray | np.number) or _is_of_rows(first)


def _is_of_rows(first: Any) -> bool:
    return isinstance(first, list | tuple) and bool(first) and isinstance(first[0], int | float | list | np.number)


def _index(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """A list cut as an array is: by an array of places, by several axes."""
    if not isinstance(crash.error, TypeError) or not INDEX.search(crash.text):
        return None
    cut = [each.value for each in step.on_line(ast.Subscript)]
    lists = [each for each in cut if isinstance(_value(each, step), list | tuple)]
    if len(lists) != 1:
        return None
    return lists[0], type(_value(lists[0], step)).__name__, _as_array(crash, step, lists[0])


def _by_place(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """A table of pandas cut by places, `table[:, 0]`."""
    if type(crash.error).__name__ not in ("InvalidIndexError", "KeyError", "TypeError"):
        return None
    for each in step.on_line(ast.Subscript):
        is_cut = isinstance(each.slice, ast.Tuple) and any(isinstance(part, ast.Slice) for part in each.slice.elts)
        if is_cut and type(held_by(each.value, step.frame)).__name__ == "DataFrame" and BY_PLACE.search(crash.text):
            by_place = ast.Subscript(ast.Attribute(each.value, "iloc", ast.Load()), each.slice, ast.Load())
            return each.value, "DataFrame", line_changed(step, [(each, ast.unparse(by_place))])
    return None


def _assigned(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """An element of a tensor that is given another value."""
    found = [each.value for each in step.on_line(ast.Subscript) if isinstance(each.ctx, ast.Store)]
    if not ASSIGNED.search(crash.text) or len(found) != 1:
        return None
    name = ast.unparse(found[0])
    return found[0], "a tensor, whose elements never change", f"{name} = {name}.numpy().copy()  # before {crash.place}"


def _element(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """An element, or a slice, of a dataset of tf.data."""
    match = NOT_CUT.search(crash.text)
    found = [each for each in step.on_line(ast.Subscript) if _is_dataset(held_by(each.value, step.frame))]
    if match is None or len(found) != 1:
        return None
    name, place = ast.unparse(found[0].value), found[0].slice
    if isinstance(place, ast.Slice):
        first, last = (ast.unparse(each) if each is not None else "" for each in (place.lower, place.upper))
        part = f"{name}.skip({first})" if first else name
        part += f".take({last} - {first})" if first and last else f".take({last})" if last else ""
    else:
        first = ast.unparse(place)
        part = f"next(iter({name}))" if first == "0" else f"next(iter({name}.skip({first})))"
    return found[0].value, f"a dataset of tf.data ({match[1]})", line_changed(step, [(found[0], part)])


def _is_dataset(value: Any) -> bool:
    return hasattr(value, "element_spec") and hasattr(value, "take")


def _count(crash: Crash, step: TraceStep) -> tuple[ast.expr, str, str] | None:
    """The length of a dataset that does not know it."""
    call = step.call
    if "dataset length is unknown" not in crash.text or call is None or len(call.args) != 1:
        return None
    name = ast.unparse(call.args[0])
    fix = f"{line_changed(step, [(call, f'sum(1 for _ in {name})')])}: goes through the dataset once"
    return call.args[0], "a dataset of tf.data that does not know its length, as of a generator or a filter", fix
