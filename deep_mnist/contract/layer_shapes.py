"""What each kind of layer makes of its input's shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from deep_mnist.contract.graph import Node, Shape, shape_from

SHAPE_KEEPING = (
    "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Dropout", "SpatialDropout1D", "SpatialDropout2D",
    "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "Rescaling", "Normalization",
    "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity", "Masking", "Cast",
    "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness",
    "TrueDivide", "Divide", "Multiply", "Add", "Subtract", "Average", "Maximum", "Minimum", "Relu", "Sigmoid", "Tanh",
    "Log", "Exp", "LogSoftmax", "Silu", "Gelu", "Clip", "Negative", "Abs",
)  # fmt: skip
ELEMENT_BY_ELEMENT = ("TrueDivide", "Divide", "Multiply", "Add", "Subtract", "Average", "Maximum", "Minimum")
RECURRENT = ("LSTM", "GRU", "SimpleRNN")


def output_shape(node: Node) -> Shape | None:
    """Return what a layer makes of its input's shape, or None when it is not known."""
    shape, config, kind = node.input_shape, node.config, node.kind
    if shape is None:
        return None
    if kind in SHAPE_KEEPING:
        return shape
    if kind in ("Dense", "EinsumDense"):
        return (*shape[:-1], config["units"]) if isinstance(config.get("units"), int) else None
    if kind == "Flatten":
        return (shape[0], _product(shape[1:]))
    if kind in ("Embedding", *RECURRENT, "Bidirectional", "TimeDistributed", "RepeatVector"):
        return _of_steps(kind, shape, config)
    if kind == "Reshape":
        return _reshaped(shape, config.get("target_shape") or config.get("newshape"))
    if kind == "Permute":
        return (shape[0], *(shape[axis] for axis in config["dims"]))
    if kind in ("Argmax", "ArgMax", "Argmin", "Max", "Mean", "Sum"):
        return _reduced(shape, config)
    if kind in ("ExpandDims", "Squeeze"):
        return _expanded(shape, config, kind)
    if kind in ("Resizing", "CenterCrop", "RandomCrop"):
        return (shape[0], config.get("height"), config.get("width"), *shape[3:])
    return _spatial(kind, shape, config)


def joined_shape(shapes: Sequence[Shape | None]) -> Shape | None:
    """Return the shape of tensors joined element by element: a length of 1 is repeated as often as another asks."""
    known = [shape for shape in shapes if shape is not None]
    if not known or len(known) < len(shapes):
        return None
    columns = zip_longest(*(reversed(shape) for shape in known), fillvalue=1)
    return tuple(reversed([_joined(set(column) - {1}) for column in columns]))


def _joined(lengths: set[int | None]) -> int | None:
    stated = lengths - {None}
    return stated.pop() if stated else None if lengths else 1


def _of_steps(kind: str, shape: Shape, config: Mapping[str, Any]) -> Shape | None:
    """Return what a layer over steps makes of (examples, steps, …)."""
    if kind == "Embedding":
        width = config.get("output_dim")
        return (*shape, width) if isinstance(width, int) else None
    if kind == "RepeatVector":
        return (shape[0], config.get("n"), *shape[1:])
    if kind in RECURRENT:
        units = config.get("units")
        steps = shape[1:2] if config.get("return_sequences") else ()
        return (shape[0], *steps, units) if isinstance(units, int) and not config.get("return_state") else None
    inner = config["layer"]
    if kind == "TimeDistributed":
        each = output_shape(Node("", inner["class_name"], inner["config"], [], {}, (shape[0], *shape[2:])))
        return (*shape[:2], *each[1:]) if each is not None else None
    once = output_shape(Node("", inner["class_name"], inner["config"], [], {}, shape))
    if once is None or once[-1] is None or config.get("merge_mode") is None:
        return None
    return (*once[:-1], once[-1] * (2 if config["merge_mode"] == "concat" else 1))


def _product(lengths: Sequence[int | None]) -> int | None:
    known = [length for length in lengths if length is not None]
    return math.prod(known) if len(known) == len(lengths) else None


def _reshaped(shape: Shape, target: Any) -> Shape | None:
    lengths = shape_from([None if length == -1 else length for length in target]) if target else None
    if lengths is None:
        return None
    total, known = _product(shape[1:]), math.prod(length for length in lengths if length is not None)
    return (shape[0], *(total // known if length is None and total and known else length for length in lengths))


def _reduced(shape: Shape, config: Mapping[str, Any]) -> Shape | None:
    axis = config.get("axis")
    if not isinstance(axis, int):
        return None
    axis %= len(shape)
    return tuple(
        1 if index == axis else length
        for index, length in enumerate(shape)
        if index != axis or config.get("keepdims")
    )  # fmt: skip


def _expanded(shape: Shape, config: Mapping[str, Any], kind: str) -> Shape | None:
    axis = config.get("axis")
    if not isinstance(axis, int):
        return None
    if kind == "Squeeze":
        return tuple(length for index, length in enumerate(shape) if index != axis % len(shape))
    axis %= len(shape) + 1
    return (*shape[:axis], 1, *shape[axis:])


def channel_axis(config: Mapping[str, Any], rank: int) -> int:
    """Return the axis of the channels, batch axis counted, of a layer that has a data_format."""
    return 1 if config.get("data_format") == "channels_first" else rank - 1


def _spatial(kind: str, shape: Shape, config: Mapping[str, Any]) -> Shape | None:
    channel = channel_axis(config, len(shape))
    space = [axis for axis in range(1, len(shape)) if axis != channel]
    lengths: list[int | None] = list(shape)
    if kind.startswith("Global") and "Pooling" in kind:
        pooled = [length if axis in (0, channel) else 1 for axis, length in enumerate(shape)]
        return tuple(pooled) if config.get("keepdims") else (shape[0], shape[channel])
    size_key = next((key for key in ("kernel_size", "pool_size") if key in config), None)
    if size_key and "Transpose" not in kind:
        sizes, strides = _each(config[size_key], len(space)), _each(config.get("strides"), len(space))
        for axis, size, stride in zip(space, sizes, strides if config.get("strides") else sizes, strict=False):
            dilation = _each(config.get("dilation_rate") or 1, len(space))[space.index(axis)]
            lengths[axis] = _window(shape[axis], (size - 1) * dilation + 1, stride, config.get("padding"))
        if kind.startswith("Depthwise"):
            before = shape[channel]
            lengths[channel] = before * config.get("depth_multiplier", 1) if before else None
        elif isinstance(config.get("filters"), int):
            lengths[channel] = config["filters"]
        return tuple(lengths)
    if kind.startswith("ZeroPadding") or kind.startswith("Cropping"):
        return _padded(kind, shape, config, space)
    return None


def _each(value: Any, count: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value or 1] * count
    return [max(1, int(each or 1)) for each in values[:count]] + [1] * (count - len(values))


def _window(length: int | None, size: int, stride: int, padding: Any) -> int | None:
    if length is None:
        return None
    return -(-length // stride) if padding in ("same", "causal") else max(0, (length - size) // stride + 1)


def _padded(kind: str, shape: Shape, config: Mapping[str, Any], space: Sequence[int]) -> Shape | None:
    amounts = config.get("padding") if kind.startswith("Zero") else config.get("cropping")
    sign = 1 if kind.startswith("Zero") else -1
    lengths = list(shape)
    for axis, amount in zip(space, amounts or [], strict=False):
        before = lengths[axis]
        both = sum(amount) if isinstance(amount, list | tuple) else 2 * int(amount)
        lengths[axis] = None if before is None else before + sign * both
    return tuple(lengths)
