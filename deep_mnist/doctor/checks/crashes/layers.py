"""Layers that are given a tensor of another rank or width than they take: which, what from, and what mends it."""

from __future__ import annotations

import ast
import math
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, is_layer, is_model
from deep_mnist.doctor.checks.crashes.rules import LAYER_RANK, LAYER_WIDTH
from deep_mnist.doctor.checks.crashes.source_code import (
    at_line,
    given_array,
    inserted,
    made_at,
    restated_input,
    shape_text,
    spoken,
    told,
    with_keywords,
)
from deep_mnist.doctor.checks.crashes.tops import without_top
from deep_mnist.doctor.finding import Finding

RANK = re.compile(r"expected (min_|max_)?ndim=(\d+), found ndim=(\d+)\. Full shape received: (\([^)]*\))")
AXIS = re.compile(
    r"expected axis (-?\d+) of input shape to have value (\d+), but received input with shape (\([^)]*\))"
)
INNER = re.compile(r"Kernel shape must have the same length as input.*?input of shape (\([^)]*\))", re.S)
RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
PASSING = re.compile(
    r"\w*Dropout(1D)?|\w+Normalization|\w*Activation|\w*ReLU|[SC]?ELU|Softmax|GaussianNoise|ActivityReg\w+"
)
FLATTENING = re.compile(r"Flatten|Global\w+Pooling\dD")
TAKES = {
    "LSTM": "(batch, steps, features)", "GRU": "(batch, steps, features)", "SimpleRNN": "(batch, steps, features)",
    "RNN": "(batch, steps, features)", "Bidirectional": "(batch, steps, features)",
    "Conv1D": "(batch, steps, channels)", "Conv2D": "(batch, rows, columns, channels)",
    "Conv3D": "(batch, depth, rows, columns, channels)", "RepeatVector": "(batch, features)",
    "ConvLSTM2D": "(batch, steps, rows, columns, channels)", "Dense": "(batch, features)",
}  # fmt: skip
CHANNELS = (1, 3, 4)
MOST_PASSING = 8  # layers that keep the shape, looked back through
LARGE_AXIS = 64  # from here on a first axis is rather the number of examples, where the rank is one too many

Shape = tuple[int | None, ...]


def parsed_shape(text: str) -> Shape:
    """Return a shape as it stands in a message: "(None, 28, 28)", "[?,784]"."""
    parts = [each.strip() for each in text.strip("()[] ").replace("<unknown>", "").split(",")]
    return tuple(int(each) if each.lstrip("-").isdigit() else None for each in parts if each)


def takes(layer: Any, rank: int, least: bool) -> str:
    """Return what a layer takes, in words."""
    name = type(layer).__name__
    form = TAKES.get(name) or TAKES.get(name.replace("Transpose", "").replace("Separable", "").replace("Depthwise", ""))
    if form is None and "Pooling" in name:
        form = TAKES.get(f"Conv{name[-2]}D")
    if form is None or form.count(",") != rank - 1:
        form = ""
    return f"rank {rank}{' or more' if least and form == '' else ''}{', ' + form if form else ''}"


def explain_rank(crash: Crash) -> Finding | None:
    """Name a layer that takes another number of axes."""
    layer = crash.layer
    stated = _ranks(crash, layer) if layer is not None else None
    if stated is None:
        return None
    rank, shape, is_least = stated
    before = producer(crash, layer)
    return LAYER_RANK.found(
        expected=f"{takes(layer, rank, is_least)}, for {told(layer)}",
        received=f"{shape_text(shape)}{_from(before)}{at_line(made_at(crash, layer))}",
        fix=_mend_rank(crash, layer, rank, shape, before),
    )


def _ranks(crash: Crash, layer: Any) -> tuple[int, Shape, bool] | None:
    """Return the axes that a layer takes, the shape that it is given, and whether it takes more axes too."""
    match = RANK.search(crash.text)
    if match is not None:
        return int(match.group(2)), parsed_shape(match.group(4)), match.group(1) == "min_"
    match, name = INNER.search(crash.text), type(layer).__name__
    wrapped = any(type(each).__name__ == "TimeDistributed" for each in _called(crash))
    if match is None or wrapped or not re.fullmatch(r"\w*Conv\dD(Transpose)?", name):
        return None
    return int(re.sub(r"\D", "", name)) + 2, parsed_shape(match.group(1)), False


def explain_inner_rank(crash: Crash) -> Finding | None:
    """Name a convolution inside of TimeDistributed that gets one axis too few."""
    match = INNER.search(crash.text)
    wrapper = next((layer for layer in _called(crash) if type(layer).__name__ == "TimeDistributed"), None)
    if match is None or wrapper is None:
        return None
    inner, shape = wrapper.layer, parsed_shape(match.group(1))
    rank = int(type(inner).__name__[-2]) + 2 if type(inner).__name__[-2:-1].isdigit() else len(shape) + 1
    node = made_at(crash, wrapper)
    own = spoken(crash, type(inner).__name__)
    text = ast.unparse(node.args[0]) if node is not None and node.args else f"{own}(…)"
    return LAYER_RANK.found(
        expected=f"rank {rank + 1} for TimeDistributed, which gives each step to {told(inner)}: "
        f"{takes(inner, rank, False)}",
        received=f"each step is {shape_text(shape)}, of {len(shape) + 1} axes",
        fix=f"{text}  # without TimeDistributed; or put the axis of steps first: Input((steps, …))",
    )


def explain_width(crash: Crash) -> Finding | None:
    """Name a built layer that is given another number of features or channels."""
    match = AXIS.search(crash.text)
    layer = crash.layer
    if match is None or layer is None:
        return None
    wide, shape = int(match.group(2)), parsed_shape(match.group(3))
    axis = int(match.group(1))
    before = producer(crash, layer)
    return LAYER_WIDTH.found(
        expected=f"{told(layer)} has weights for {wide} on axis {axis}",
        received=f"{shape_text(shape)}{_from(before)}",
        fix=_mend_width(crash, layer, axis, wide, shape),
    )


# --- the line that mends it ---------------------------------------------------------------------------


def _mend_rank(crash: Crash, layer: Any, rank: int, shape: Shape, before: Any) -> str:
    own = told(layer)
    name = type(before).__name__ if before is not None else ""
    if rank == 4 and (line := without_top(crash, before)):
        return line
    ended = _last_step_alone(crash, before) if len(shape) == rank - 1 else None
    if ended is not None:
        made = with_keywords(crash, getattr(ended, "forward_layer", ended), return_sequences="True")
        return f"{made}  # of {told(ended)}{at_line(made_at(crash, ended))}: one output a step"
    if before is not None and FLATTENING.fullmatch(name) and len(shape) < rank and _rank_before(before) == rank:
        return f"Leave out {told(before)}{at_line(made_at(crash, before))}: {own} takes what it is given."
    if len(shape) == rank + 1 and _is_input(before) and (shape[1] or 0) >= LARGE_AXIS and _may_be_count(shape):
        return f"shape={shape[2:]}  # in Input or input_shape: the shape of one example, x.shape[1:]"
    if len(shape) == rank + 1 and name in RECURRENT and type(layer).__name__ in ("RepeatVector",):
        return f"{with_keywords(crash, before, return_sequences='False')}  # of {told(before)}: its last output alone"
    if rank == 2 and len(shape) > 2:
        return f"{inserted(crash, spoken(crash, 'Flatten') + '()')}  # before {own}"
    target_shape = _reshaped(layer, rank, shape)
    if target_shape is not None and (array := given_array(crash)):
        added = target_shape == (*shape[1:], 1)
        return f"{array}[..., None]  # the channel axis" if added else f"{array}.reshape{(-1, *target_shape)}"
    if target_shape is not None and _is_input(before) and target_shape == (*shape[1:], 1):
        stated = restated_input(crash, layer, shape[1:], target_shape)
        if stated:
            return f"{stated}  # {_note(rank, shape, target_shape)}, which Keras gives x itself"
    if target_shape is None:
        return f"Give {own} a tensor of {rank} axes: a layer before it passes on {shape_text(shape)}."
    note = _note(rank, shape, target_shape)
    return f"{inserted(crash, spoken(crash, 'Reshape') + f'({target_shape})')}  # before {own}: {note}"


def _reshaped(layer: Any, rank: int, shape: Shape) -> tuple[int, ...] | None:
    """Return an example's shape of the rank that a layer takes, with as many values; None where none is known."""
    inner = shape[1:]
    if len(shape) == rank - 1 and rank == 5 and inner and inner[-1] in CHANNELS and None not in inner:
        return (1, *inner)  # type: ignore[arg-type]
    if len(shape) == rank - 1 and len(inner) != 1:
        return (*(-1 if each is None else each for each in inner), 1) if inner.count(None) < 2 else None
    if len(shape) == rank - 1:
        return (inner[0], 1) if inner[0] is not None else (-1, 1)
    if rank == 4 and len(inner) == 1 and inner[0] is not None:
        return _picture(inner[0], layer)
    if len(shape) > rank >= 3 and None not in inner[1:]:
        kept = rank - 2
        return (*(-1 if each is None else each for each in inner[:kept]), math.prod(each or 1 for each in inner[kept:]))
    return None


def _picture(count: int, layer: Any) -> tuple[int, int, int] | None:
    """Return rows, columns, channels that hold so many values: square where they can be."""
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side > 1 and side * side * channels == count:
            return side, side, channels
    kernel = max(getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None) or (1,))
    for rows in range(math.isqrt(count), 0, -1):
        if count % rows == 0 and rows >= kernel:
            return rows, count // rows, 1
    return None


def _note(rank: int, shape: Shape, target: tuple[int, ...]) -> str:
    if rank == 3 and len(shape) == 2:
        return f"{target[0] if target[0] != -1 else 'all'} steps of one feature"
    if len(shape) < rank and target[-1] == 1:
        return "the channel axis"
    if len(shape) == rank - 1:
        return "one step"
    return "the same values on as many axes as it takes"


def _mend_width(crash: Crash, layer: Any, axis: int, wide: int, shape: Shape) -> str:
    inner = shape[1:]
    if None not in inner and math.prod(inner) == wide and len(inner) > 1:  # type: ignore[arg-type]
        return f"{inserted(crash, spoken(crash, 'Flatten') + '()')}  # before {told(layer)}"
    if axis == -1 and "Conv" in type(layer).__name__ and shape[-1] == 1 and wide == 3:
        grey = spoken(crash, "Concatenate")
        return f"{grey}()([x, x, x])  # grey to {wide} channels, before {told(layer)}"
    if len(inner) > 1 and inner[0] == wide and inner[-1] != wide:
        order = (*range(2, len(inner) + 1), 1)
        return f"{inserted(crash, spoken(crash, 'Permute') + f'({order})')}  # before {told(layer)}: features last"
    return (
        f"Give {told(layer)} {wide} features, or make a layer of its own for {shape[axis]}: its weights are made once."
    )


# --- where a tensor comes from -------------------------------------------------------------------------


def producer(crash: Crash, layer: Any) -> Any:
    """Return the layer whose output a layer was given, None where that is not known."""
    history = getattr(crash.symbol, "_keras_history", None)
    if history is not None and history[0] is not layer and is_layer(history[0]):
        return history[0]
    return _held_before(crash, layer)


def _held_before(crash: Crash, layer: Any) -> Any:
    for top in _called(crash):
        if type(top).__name__ != "Sequential":
            continue
        held = list(getattr(top, "_layers", ()))
        place = next((index for index, each in enumerate(held) if each is layer), None)
        if place:
            return held[place - 1]
    return None


def _layer_before(crash: Crash, layer: Any) -> Any:
    """Return the one layer whose output a layer of the network took when it was called; None where unknown."""
    nodes: list[Any] = getattr(layer, "_inbound_nodes", [])
    if not nodes:
        return _held_before(crash, layer)
    tensors: list[Any] = getattr(nodes[-1], "input_tensors", [])
    history = getattr(tensors[0], "_keras_history", None) if len(tensors) == 1 else None
    return history[0] if history is not None and is_layer(history[0]) else None


def _last_step_alone(crash: Crash, layer: Any) -> Any:
    """Return the recurrent layer that gives its last step alone, behind layers that keep the shape; else None."""
    for _ in range(MOST_PASSING):
        if layer is None or not PASSING.fullmatch(type(layer).__name__):
            break
        layer = _layer_before(crash, layer)
    is_ended = type(layer).__name__ in RECURRENT and not _returns_sequences(layer)
    return layer if is_ended else None


def _called(crash: Crash) -> list[Any]:
    found = [crash.model] if crash.model is not None else []
    for step in crash.steps:
        arguments = step.held.get("args")
        first = arguments[0] if isinstance(arguments, tuple) and arguments else None
        found += [each for each in (step.held.get("self"), step.held.get("obj"), first) if is_layer(each)]
    return found


def _from(before: Any) -> str:
    if before is None:
        return ""
    return " from the model's input" if _is_input(before) else f" from {told(before)}"


def _is_input(before: Any) -> bool:
    return before is not None and type(before).__name__ == "InputLayer"


def _may_be_count(shape: Shape) -> bool:
    """Whether the axis after the batch is longer than those behind it: rather the number of examples."""
    return all(each is None or each <= (shape[1] or 0) for each in shape[2:])


def _returns_sequences(layer: Any) -> bool:
    inner = getattr(layer, "forward_layer", layer)
    return bool(getattr(inner, "return_sequences", True))


def _rank_before(layer: Any) -> int | None:
    """Return the rank of what a layer of a network in the making is given."""
    if is_model(layer):
        return None
    try:
        return len(layer.input.shape)
    except (AttributeError, ValueError, RuntimeError):
        spec = getattr(layer, "_build_shapes_dict", None) or {}
        shape = spec.get("input_shape") if isinstance(spec, dict) else None
        return len(shape) if shape else None
