"""Convolutions and poolings that leave nothing, reshapes that do not hold, tensors that do not join."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, layers_of
from deep_mnist.doctor.checks.crashes.layers import CHANNELS, Shape, parsed_shape, producer
from deep_mnist.doctor.checks.crashes.rules import MERGE_SHAPES, NOTHING_LEFT, RESHAPE_SIZE
from deep_mnist.doctor.checks.crashes.source_code import (
    at_line,
    inserted,
    made_at,
    shape_text,
    spoken,
    told,
    with_keywords,
)
from deep_mnist.doctor.finding import Finding

EMPTY = re.compile(r"output size would be zero or negative.*?inputs?[ .]shape=[`]?[\[(]([^\])]*)[\])]", re.S)
SIZE = re.compile(
    r"input_shape=(\([^)]*\)), target_shape=(\([^)]*\))|"
    r"input_shape = (\[[^\]]*\]), output_shape = (\[[^\]]*\])"
)
CONCATENATE = re.compile(r"`Concatenate` layer requires inputs with matching shapes")
INCOMPATIBLE = re.compile(r"Inputs have incompatible shapes\. Received shapes (\([^)]*\)) and (\([^)]*\))")
DOT = re.compile(
    r"Incompatible input shapes: axis values (\d+) \(at axis (\d+)\) != (\d+) \(at axis (\d+)\)\. "
    r"Full input shapes: (\([^)]*\)), (\([^)]*\))"
)

MOST_TENSORS = 500  # looked at, of those that a tensor is made of


def explain_nothing_left(crash: Crash) -> Finding | None:
    """Name the convolution or pooling that is larger than what is left, and how many are possible."""
    match, layer = EMPTY.search(crash.text), crash.layer
    window = window_of(layer)
    if match is None or layer is None or window is None:
        return None
    shape = parsed_shape(match.group(1).replace(" ", ",") if "," not in match.group(1) else match.group(1))
    first = getattr(layer, "data_format", "") == "channels_first"
    size = shape[2:] if first else shape[1:-1]
    before = producer(crash, layer)
    origin = f" after {told(before)}" if before is not None and type(before).__name__ != "InputLayer" else ""
    return NOTHING_LEFT.found(
        expected=f"at least {_times(window)} for {told(layer)}{at_line(made_at(crash, layer))}"
        f"{_possible(crash, layer, window)}",
        received=f"{_times(size)} is left{origin}, of shape {shape_text(shape)}",
        fix=_mend_nothing_left(crash, layer, shape, first),
    )


def window_of(layer: Any) -> tuple[int, ...] | None:
    """Return the rows and columns that a convolution or pooling takes at once, its dilation counted."""
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if window is None:
        return None
    window = (window,) if isinstance(window, int) else tuple(window)
    spread = getattr(layer, "dilation_rate", None) or (1,) * len(window)
    spread = (spread,) * len(window) if isinstance(spread, int) else spread
    return tuple((each - 1) * by + 1 for each, by in zip(window, spread, strict=False))


def _times(sizes: Any) -> str:
    return " x ".join("?" if each is None else str(each) for each in sizes)


def _possible(crash: Crash, layer: Any, window: tuple[int, ...]) -> str:
    """Return how many poolings of its kind the model's input lasts for."""
    if "Pooling" not in type(layer).__name__ or min(window) < 2:
        return ""
    pools = [each for each in _all_layers(crash) if type(each).__name__ == type(layer).__name__]
    earlier = len([each for each in pools if each is not layer]) if layer in pools else len(pools)
    return f"; {earlier} {type(layer).__name__} before it are as many as this input lasts for" if earlier else ""


def _all_layers(crash: Crash) -> list[Any]:
    for step in crash.steps:
        owner = step.held.get("self")
        if type(owner).__name__ == "Sequential":
            return list(layers_of(owner))
    return list(layers_of(crash.model))


def _mend_nothing_left(crash: Crash, layer: Any, shape: Shape, first: bool) -> str:
    inner = shape[1:]
    before = producer(crash, layer)
    if first is False and _looks_channels_first(inner) and type(before).__name__ in ("InputLayer", "NoneType"):
        return f"shape={(*inner[1:], inner[0])}  # in Input or input_shape: channels last; x = np.moveaxis(x, 1, -1)"
    node = made_at(crash, layer)
    if node is not None and "Conv" in type(layer).__name__ and len(node.args) >= 3 and "strides" not in _names(node):
        import ast

        kernel = f"({ast.unparse(node.args[1])}, {ast.unparse(node.args[2])})"
        kept = ast.Call(node.func, [node.args[0], ast.parse(kernel, mode="eval").body, *node.args[3:]], node.keywords)
        return f"{ast.unparse(kept)}  # Keras 1's rows and columns: the third argument is now the stride"
    if None in inner:
        return f"{with_keywords(crash, layer, padding=chr(34) + 'same' + chr(34))}  # of {told(layer)}"
    return f"{with_keywords(crash, layer, padding=chr(34) + 'same' + chr(34))}  # of {told(layer)}; or leave it out"


def _names(node: Any) -> set[str]:
    return {each.arg for each in node.keywords if each.arg}


def _looks_channels_first(inner: Shape) -> bool:
    return len(inner) == 3 and inner[0] in CHANNELS and inner[1] == inner[2] and (inner[1] or 0) > max(CHANNELS)


def explain_reshape(crash: Crash) -> Finding | None:
    """Name a Reshape whose target holds another number of values."""
    match, layer = SIZE.search(crash.text), crash.layer
    if match is None or layer is None or type(layer).__name__ != "Reshape":
        return None
    given, target = (
        parsed_shape(each) for each in (match.group(1) or match.group(3), match.group(2) or match.group(4))
    )
    known = None not in given
    have = math.prod(each for each in given if each is not None)
    want = math.prod(each for each in target if each is not None and each > 0)
    return RESHAPE_SIZE.found(
        expected=f"{told(layer)} to {target} holds {want} values an example",
        received=f"{given} from {told(producer(crash, layer)) if producer(crash, layer) else 'the layer before'}"
        f" has {have if known else 'an unknown number'}",
        fix=_mend_reshape(crash, layer, given, target),
    )


def _mend_reshape(crash: Crash, layer: Any, given: Shape, target: Shape) -> str:
    if None in given:
        return f"{spoken(crash, 'Reshape')}((-1, {target[-1]}))  # -1 for what is not known"
    have = math.prod(given)  # type: ignore[arg-type]
    numbers = [each or 1 for each in target]
    for place in sorted(range(len(numbers)), key=lambda index: -numbers[index]):
        rest = math.prod(abs(each) for index, each in enumerate(numbers) if index != place and each > 0)
        if rest and have % rest == 0:
            mended = tuple(have // rest if index == place else each for index, each in enumerate(numbers))
            if -1 not in mended:
                return f"{spoken(crash, 'Reshape')}({mended})  # of {told(layer)}: {have} values"
    return f"{spoken(crash, 'Reshape')}((-1,))  # of {told(layer)}: {have} values are no multiple of {target[1:]}"


def explain_merge(crash: Crash) -> Finding | None:
    """Name the tensors that a Concatenate, Add, Dot and the like cannot join."""
    layer, shapes = crash.layer, crash.received
    if CONCATENATE.search(crash.text):
        found = re.search(r"input_shape=(\[.*\])", crash.text, re.S)
        shapes = [parsed_shape(each) for each in re.findall(r"\([^()]*\)", found.group(1))] if found else shapes
        axis = getattr(layer, "axis", -1)
        return MERGE_SHAPES.found(
            expected=f"{told(layer)} joins tensors that differ on axis {axis} alone",
            received=shape_text(shapes),
            fix=_mend_concatenate(crash, shapes),
        )
    if (match := DOT.search(crash.text)) is not None:
        return MERGE_SHAPES.found(
            expected=f"{told(layer)} multiplies axes of one length",
            received=f"{match.group(5)} and {match.group(6)}: axis {match.group(2)} has {match.group(1)}, "
            f"axis {match.group(4)} has {match.group(3)}",
            fix=_mend_dot(crash, parsed_shape(match.group(5)), parsed_shape(match.group(6))),
        )
    if (match := INCOMPATIBLE.search(crash.text)) is None or layer is None:
        return None
    if not isinstance(shapes, list):
        shapes = [(None, *parsed_shape(each)) for each in match.groups()]
    return MERGE_SHAPES.found(
        expected=f"{told(layer)} takes tensors of one shape",
        received=shape_text(shapes),
        fix=_mend_sum(crash, shapes),
    )


def _mend_concatenate(crash: Crash, shapes: Any) -> str:
    ranks = {len(each) for each in shapes}
    flat = spoken(crash, "Flatten")
    if len(ranks) > 1:
        return f"{_each(crash, flat + '()', shapes, lambda each: len(each) > 2)}  # before it: all of them rows"
    rank = ranks.pop()
    for other in range(1, rank):
        rest = {tuple(value for index, value in enumerate(each) if index != other) for each in shapes}
        if len(rest) == 1:
            return (
                f"axis={other - rank if other == rank - 1 else other}  # of Concatenate, the axis on which they differ"
            )
    if rank == 4 and (words := _halved_too_often(crash)):
        return words
    if rank == 4:
        rows, columns = (min(each[index] for each in shapes if each[index]) for index in (1, 2))
        size = spoken(crash, "Resizing")
        return f"{_each(crash, f'{size}({rows}, {columns})', shapes, lambda e: e[1:3] != (rows, columns))}  # before it"
    return f"{_each(crash, flat + '()', shapes, lambda each: len(each) > 2)}  # before it: all of them rows"


def _halved_too_often(crash: Crash) -> str:
    """Return what the input's sides should be, where tensors of one image come from halving sides that are odd."""
    call = crash.user.call if crash.user is not None else None
    named = {each.id for each in ast.walk(call) if isinstance(each, ast.Name)} if call is not None else set()
    held = crash.user.held if crash.user is not None else {}
    joined = [held[name] for name in named if hasattr(held.get(name), "_keras_history")]
    sides = {side for tensor in joined for each in _before(tensor) if len(each) == 4 for side in each[1:3] if side}
    if not sides:
        return ""
    largest, smallest = max(sides), min(sides)
    multiple = 2 ** round(math.log2(largest / smallest))
    halves = {largest // 2**times for times in range(16)}
    if multiple < 2 or largest % multiple == 0 or not sides <= halves | {2 * each for each in halves}:
        return ""  # a convolution without padding takes off some more
    below = largest // multiple * multiple
    usable = f"{below} or {below + multiple}" if below else str(multiple)
    halved = f"{largest} is halved to {smallest}, and doubled again"
    return f"Make the input's sides a multiple of {multiple}, as {usable}: {halved}."


def _before(tensor: Any) -> Iterator[Shape]:
    """Yield the shapes of a tensor and of all that it was made of."""
    seen: set[int] = set()
    waiting = [tensor]
    while waiting and len(seen) < MOST_TENSORS:
        one = waiting.pop()
        if id(one) not in seen and (history := getattr(one, "_keras_history", None)) is not None:
            seen.add(id(one))
            yield tuple(one.shape)
            waiting += history.operation._inbound_nodes[history.node_index].input_tensors


def _mend_sum(crash: Crash, shapes: list[Shape]) -> str:
    last = shapes[0][-1]
    if len({len(each) for each in shapes}) == 1 and len({each[1:-1] for each in shapes}) == 1:
        dense = f"{spoken(crash, 'Dense')}({last})"
        if len(shapes[0]) == 4:
            dense = f"{spoken(crash, 'Conv2D')}({last}, 1)"
        return f"{_each(crash, dense, shapes, lambda each: each[-1] != last)}  # before it: the first one's width"
    if len(shapes) == 2 and (shortcut := _shortcut(crash, shapes)):
        return shortcut
    return f"{_each(crash, spoken(crash, 'Flatten') + '()', shapes, lambda e: len(e) > 2)}  # before it, then one width"


def _shortcut(crash: Crash, shapes: list[Shape]) -> str:
    """Return the line that brings the input of a residual block to the block's shape, "" of other tensors."""
    call = crash.user.call if crash.user is not None else None
    held = call.args[0] if call is not None and call.args else None
    names = [ast.unparse(each) for each in held.elts] if isinstance(held, ast.List | ast.Tuple) else []
    if len(names) != 2 or not all(each.isidentifier() for each in names) or any(len(each) != 4 for each in shapes):
        return ""
    first, second = sorted(zip(shapes, names, strict=True), key=lambda pair: -(pair[0][1] or 0))
    (large, own), (small, other) = first, second
    ratios = {a // b for a, b in zip(large[1:3], small[1:3], strict=True) if a and b and a % b == 0}
    if len(ratios) != 1 or None in (*large[1:], *small[1:]):
        return ""
    conv = f"{spoken(crash, 'Conv2D')}({other}.shape[-1], 1, strides={own}.shape[1] // {other}.shape[1])"
    return f"if {own}.shape != {other}.shape: {own} = {conv}({own})  # before {crash.place}"


def _mend_dot(crash: Crash, one: Shape, other: Shape) -> str:
    pairs = [(a, b) for a in range(len(one) - 1, 0, -1) for b in range(len(other) - 1, 0, -1) if one[a] == other[b]]
    if pairs:
        return f"{spoken(crash, 'Dot')}(axes={pairs[0]})  # the axes of one length"
    return f"{spoken(crash, 'Dense')}({one[-1]})  # on the second one before it, so that the last axes have one length"


def _each(crash: Crash, code: str, shapes: Any, is_wrong: Any) -> str:
    """Return the line that puts a layer on the tensors that do not fit, by the user's names where they stand there."""

    step = crash.user
    call = step.call if step is not None else None
    held = call.args[0] if call is not None and call.args else None
    wrong = [index for index, each in enumerate(shapes) if is_wrong(each)]
    if isinstance(held, ast.List | ast.Tuple) and len(held.elts) == len(shapes):
        names = [ast.unparse(held.elts[index]) for index in wrong]
        if all(name.replace("_", "a").isalnum() for name in names):
            return "; ".join(f"{name} = {code}({name})" for name in names)
    return inserted(crash, code)
