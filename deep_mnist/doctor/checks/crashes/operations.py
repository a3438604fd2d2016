"""Operations of TensorFlow and keras.ops, in graphs and outside: shapes that do not fit, and what mends them."""

from __future__ import annotations

import ast
import math
import re

from deep_mnist.doctor.checks.crashes.building.reshapes import reshape_of
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.layers import Shape, parsed_shape
from deep_mnist.doctor.checks.crashes.operands import (
    bracketed,
    listed_operands,
    many_shapes,
    names_of,
    picture_shape,
    resized,
)
from deep_mnist.doctor.checks.crashes.rules import NOTHING_LEFT, OPERANDS
from deep_mnist.doctor.checks.crashes.source_code import at_line, calls_named, changed_call
from deep_mnist.doctor.finding import Finding

NODE = re.compile(r"'\{\{node ([\w./]+)\}\} = (\w+)\[.*?with input shapes: ((?:\[[^\]]*\](?:, )?)*)", re.S)
EAGER = re.compile(r"In\[0\]: (\[[^\]]*\]), In\[1\]: (\[[^\]]*\])|Incompatible shapes: (\[[^\]]*\]) vs\. (\[[^\]]*\])")
OF_KERAS = re.compile(
    r"`x1\.shape=(\([^)]*\))` and `x2\.shape=(\([^)]*\))`|Input shapes are: (\([^)]*\)) and (\([^)]*\))"
)
EAGER_KIND = re.compile(r"\[Op:(\w+)\]")


def explain_operation(crash: Crash) -> Finding | None:
    """Name an operation, the shapes it was given, and the line that makes them fit."""
    parts = _parts(crash)
    if parts is None:
        return None
    kind, shapes = parts
    step = crash.user
    if step is None or not shapes or crash.is_inside_a_layer:
        return None  # the user's line does not name the operands
    told = {
        "MatMul": _matmul,
        "BatchMatMulV2": _matmul,
        "Conv2D": _conv,
        "ConcatV2": _concat,
        "MaxPool": _pool,
        "AvgPool": _pool,
        "Reshape": reshape_of,
    }.get(kind, _elementwise)
    return told(crash, step, kind, shapes)


def explain_frames(crash: Crash) -> Finding | None:
    """Name decode_image, which may return the frames of a GIF and so tells no shape, before what needs one."""
    if (
        not re.search(r"'images' (?:contains|tensor must have|must have)", crash.text)
        and "unknown rank" not in crash.text
    ):
        return None
    for step in (each for each in crash.steps if each.is_own):
        for node in calls_named(step, "decode_image"):
            if not any(each.arg == "expand_animations" for each in node.keywords):
                return OPERANDS.found(
                    expected="images (rows, columns, channels)",
                    received=f"a tensor without a shape, of decode_image{at_line(node)}: a GIF would have frames",
                    fix=changed_call(node, {"expand_animations": "False"}),
                )
    return None


def _parts(crash: Crash) -> tuple[str, list[Shape]] | None:
    if (match := NODE.search(crash.text)) is not None:
        return match.group(2), [parsed_shape(each) for each in re.findall(r"\[[^\]]*\]", match.group(3))]
    found = EAGER.search(crash.text)
    if found is not None and (kind := EAGER_KIND.search(crash.text)) is not None:
        return kind.group(1), [parsed_shape(each) for each in found.groups() if each]
    if (found := OF_KERAS.search(crash.text)) is not None:
        return ("MatMul" if found.group(1) else "Add"), [parsed_shape(each) for each in found.groups() if each]
    return None


# --- each kind of operation ----------------------------------------------------------------------------


def _matmul(crash: Crash, step: TraceStep, kind: str, shapes: list[Shape]) -> Finding | None:
    if len(shapes) < 2:
        return None
    one, other = shapes[:2]
    first, second = names_of(step, 2)
    call = step.call
    function = ast.unparse(call.func) if call is not None else "tf.matmul"
    fix = ""
    if len(one) == 1:
        fix = f"{function}(tf.expand_dims({first}, 0), {second})  # one row"
    elif len(one) > len(other) == 2 and None not in one[1:]:
        flat = math.prod(one[1:])  # type: ignore[arg-type]
        fix = f"{first} = tf.reshape({first}, [-1, {flat}])"
        if flat != other[0]:
            fix += f"; {resized(step, second, other, (flat, other[1]))}"
        fix += "  # before it: rows"
    elif len(other) == 1:
        fix = (
            f"{function}({first}, tf.reshape({second}, [-1, 1]))"
            if other[0] == one[-1]
            else resized(step, second, other, (one[-1], *other))
        )
    elif len(one) == len(other) and one[-1] == other[-1]:
        fix = f"{function}({first}, {second}, transpose_b=True)"
        if "keras" in type(crash.error).__module__ or ("ops.matmul" in function and "tf" not in function):
            fix = f"{function}({first}, keras.ops.transpose({second}))"
    elif len(one) == len(other) == 2 and other[-1] is not None and other[-1] == one[0]:
        fix = f"{function}({second}, {first})  # in the other order"
    elif len(other) == 2:
        fix = resized(step, second, other, (one[-1], other[1]))
    return OPERANDS.found(
        expected=f"{kind}: as many columns in {first} as rows in {second}",
        received=f"{bracketed(one)} times {bracketed(other)}, at {crash.place}",
        fix=fix or f"Give {second} {one[-1]} rows.",
    )


def _conv(crash: Crash, step: TraceStep, kind: str, shapes: list[Shape]) -> Finding | None:
    if len(shapes) < 2:
        return None
    images, kernel = shapes[:2]
    first, second = names_of(step, 2)
    if len(images) != 4:
        depth = kernel[2] if len(kernel) == 4 else 1
        target = picture_shape(images, depth or 1)
        fix = f"{first} = tf.reshape({first}, {target})" if target else f"Give {first} its rows, columns and channels."
        expected = "images (batch, rows, columns, channels)"
    elif len(kernel) != 4:
        fix = resized(step, second, kernel, (*kernel[:2], images[3], kernel[-1]))
        expected = "a kernel (rows, columns, channels in, channels out)"
    elif images[3] is not None and kernel[2] is not None and images[3] != kernel[2] and "Negative" not in crash.text:
        fix = resized(step, second, kernel, (*kernel[:2], images[3], kernel[3]))
        expected = f"a kernel for the {images[3]} channels of {first}"
    elif "Negative" in crash.text:
        fix, expected = _same(step), f"images of at least {kernel[0]} x {kernel[1]}"
    else:
        return None
    return OPERANDS.found(
        expected=f"{kind}: {expected}",
        received=f"{bracketed(images)} with a kernel {bracketed(kernel)}, at {crash.place}",
        fix=fix,
    )


def _pool(crash: Crash, step: TraceStep, kind: str, shapes: list[Shape]) -> Finding | None:
    size = re.search(r"ksize=\[(\d+), (\d+), (\d+), (\d+)\]", crash.text)
    if len(shapes[0]) != 4 or size is None or "Negative" not in crash.text:
        return None
    return NOTHING_LEFT.found(
        expected=f"{kind}: at least {size.group(2)} x {size.group(3)}",
        received=f"{shapes[0][1]} x {shapes[0][2]} is left, at {crash.place}",
        fix=_same(step),
    )


def _same(step: TraceStep) -> str:
    call = step.call
    if call is None:
        return 'padding="SAME"'
    kept = [each for each in call.keywords if each.arg != "padding"]
    return ast.unparse(ast.Call(call.func, call.args, [*kept, ast.keyword("padding", ast.Constant("SAME"))]))


def values_of(inner: Shape) -> int:
    """Return how many values a shape without unknown sizes holds."""
    return math.prod(each or 1 for each in inner)


def _concat(crash: Crash, step: TraceStep, _kind: str, shapes: list[Shape]) -> Finding | None:
    given = [each for each in shapes[:-1] if each or each == ()]
    if len(given) < 2:
        return None
    if len({len(each) for each in given}) > 1:
        fix = "Give them one rank first: tf.reshape(…, [-1, …]) or tf.expand_dims(…, axis)."
        flat = [each for each in given if len(each) == 2]
        deep = [index for index, each in enumerate(given) if len(each) > 2 and None not in each[1:]]
        names = listed_operands(step)
        if flat and deep and len(names) == len(given):
            fix = "; ".join(
                f"{names[index]} = tf.reshape({names[index]}, [-1, {values_of(given[index][1:])}])" for index in deep
            )
        return OPERANDS.found(expected="tf.concat: tensors of one rank", received=many_shapes(given, crash), fix=fix)
    for axis in range(len(given[0])):
        rest = {tuple(each[:axis] + each[axis + 1 :]) for each in given}
        if len(rest) == 1:
            return OPERANDS.found(
                expected="tf.concat: tensors that differ on its axis alone",
                received=many_shapes(given, crash),
                fix=f"axis={axis}  # of tf.concat: the axis on which they differ",
            )
    return None


def _elementwise(crash: Crash, step: TraceStep, kind: str, shapes: list[Shape]) -> Finding | None:
    if kind == "Unpack" and (wrong := re.search(r"Dimension must be (\d+) but is (\d+)", crash.text)) is not None:
        return _unpack(crash, step, *map(int, wrong.groups()))
    pair = [each for each in shapes if each][:2]
    if len(pair) < 2 or kind in ("Unpack", "Transpose", "Squeeze", "Pad", "GatherV2"):
        return None
    one, other = pair
    first, second = names_of(step, 2)
    fix = ""
    if len(other) == 1 and one[-1] is not None:
        fix = resized(step, second, other, (one[-1],))
    elif len(one) == 1 and other[-1] is not None:
        fix = resized(step, first, one, (other[-1],))
    elif len(one) == len(other) == 2 and one[::-1] == other:
        fix = f"{second} = tf.transpose({second})"
    elif sorted(map(str, one)) == sorted(map(str, other)) and len(one) == len(other):
        fix = f"{second} = tf.transpose({second}, {[other.index(each) for each in one]})"
    elif math.prod(each or 1 for each in one[1:]) == math.prod(each or 1 for each in other[1:]):
        fix = f"{second} = tf.reshape({second}, {[-1, *one[1:]]})"
    return OPERANDS.found(
        expected=f"{kind}: shapes that are alike, or 1, from the last axis on",
        received=f"{bracketed(one)} and {bracketed(other)}, at {crash.place}",
        fix=fix or f"Give {second} the shape {bracketed(one)}.",
    )


def _unpack(crash: Crash, step: TraceStep, asked: int, length: int) -> Finding | None:
    call = step.call
    if call is None:
        return None
    right = [
        ast.Constant(length) if isinstance(each, ast.Constant) and each.value == asked else each for each in call.args
    ]
    named = [ast.keyword(each.arg, ast.Constant(length)) if each.arg == "num" else each for each in call.keywords]
    return OPERANDS.found(
        expected=f"as many parts as the axis is long: {length}",
        received=f"{asked}, at {crash.place}",
        fix=ast.unparse(ast.Call(call.func, right, named)),
    )


# --- at a session's run --------------------------------------------------------------------------------


# --- types -----------------------------------------------------------------------------------------------


# --- the user's own words ----------------------------------------------------------------------------------
