"""Derives the contract from a Keras model's configuration: the graph of its layers and its loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deep_mnist.contract.contract import Contract, ContractError, NormLayer, encoding_of, layout_of_shape, loss_name
from deep_mnist.contract.keras_graph import Graph, GraphError, Node, Shape, channel_axis, read_graph

# Layers before the first weights that leave a pixel's value as it is.
VALUE_KEEPING = (
    "Reshape", "Flatten", "Permute", "ExpandDims", "Squeeze", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D",
    "Cropping2D", "Resizing", "CenterCrop", "RandomCrop", "RandomFlip", "RandomRotation", "RandomTranslation",
    "RandomZoom", "RandomContrast", "Dropout", "SpatialDropout2D", "GaussianNoise", "Identity", "Cast", "Concatenate",
    "MaxPooling2D", "AveragePooling2D", "Activation", "UpSampling2D", "Repeat",
)  # fmt: skip
SHAPE_CHANGING = ("Reshape", "Flatten", "Permute", "ExpandDims", "Squeeze")
WEIGHTED = ("Conv", "Dense", "SeparableConv", "DepthwiseConv", "LocallyConnected", "LSTM", "GRU", "SimpleRNN",
            "Embedding", "MultiHeadAttention", "EinsumDense", "Bidirectional", "RNN")  # fmt: skip
NORMALIZING = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization")
OPERATORS = {"truediv": "TrueDivide", "divide": "TrueDivide", "multiply": "Multiply", "mul": "Multiply",
             "add": "Add", "subtract": "Subtract", "sub": "Subtract", "cast": "Cast", "argmax": "Argmax",
             "softmax": "Softmax", "Divide": "TrueDivide"}  # fmt: skip
ACTIVATIONS = {"Softmax": "softmax", "ReLU": "relu", "Relu": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu",
               "ELU": "elu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Argmax": "argmax", "ArgMax": "argmax",
               "LogSoftmax": "log_softmax", "Exp": "exp", "Log": "log", "Argmin": "argmin",
               "ThresholdedReLU": "relu", "Max": "max"}  # fmt: skip
TRANSPARENT_AT_END = ("Flatten", "Reshape", "Squeeze", "ExpandDims", "Cast", "Identity", "ActivityRegularization",
                      "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
                      "Permute", "ZeroPadding2D", "Cropping2D", "MaxPooling2D", "AveragePooling2D")  # fmt: skip
MOST_CHANNELS = 4  # a picture has 1, 3 or 4 channels; a longer "channel" axis at the input is rows or columns
RAW_PIXEL_STEP = 1 / 32  # a factor below this takes 0..255 in, not 0..1


@dataclass
class _Prefix:
    """What stands between the input and the first weights."""

    scale: float = 1.0
    offset: float = 0.0
    scales: bool = False
    normalizes: bool = False
    normalization: str | None = None
    raw_range: bool = False
    reader: str | None = None
    unknown: list[str] = field(default_factory=list)


def contract_of_model(
    name: str, model: Mapping[str, Any], compiled: Any, statistics: Callable[[], list[Any]] | None
) -> Contract:
    """Return the contract of a serialized model.

    Args:
        name: To call it by.
        model: {"class_name": …, "config": …}, as in a `.keras` file's config.json.
        compiled: Its compile configuration, or None.
        statistics: Reads (mean, variance, adapted?) of each Normalization layer from the weights.

    Raises:
        ContractError: It is no Sequential or Functional model.
    """
    try:
        graph = read_graph(model)
        return _derived(name, graph, compiled, statistics)
    except (
        GraphError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"Expected a readable Keras model. Received: {str(error)[:200]}") from error


def _derived(name: str, graph: Graph, compiled: Any, statistics: Callable[[], list[Any]] | None) -> Contract:
    unknown: list[str] = []
    if len(graph.inputs) != 1:
        unknown.append(f"input_shape: the model has {len(graph.inputs)} inputs, the first is judged")
    if len(graph.outputs) != 1:
        unknown.append(f"output: the model has {len(graph.outputs)} outputs, the first is judged")
    source = graph.nodes[graph.inputs[0]]
    shape = source.output_shape[1:] if source.output_shape else None
    if shape is None:
        unknown.append("input_shape: the model was saved before it was built")
    prefix = _prefix(graph, statistics)
    loss, from_logits = _loss(compiled, unknown)
    units, rank, tail = _output(graph, unknown)
    produced = graph.nodes[graph.outputs[0]].output_shape
    contract = Contract(
        name=name,
        input_shape=shape,
        layout=_layout(graph, shape),
        input_dtype="uint8" if prefix.raw_range else "float32",
        input_range=(0.0, 255.0) if prefix.raw_range else (0.0, 1.0),
        scales_inside=prefix.scales,
        pixel_scale=prefix.scale,
        pixel_offset=prefix.offset,
        normalizes_input=prefix.normalizes,
        normalization=prefix.normalization,
        loss=loss,
        from_logits=from_logits,
        num_classes=2 if units == 1 else units,
        output_units=units,
        output_rank=rank,
        output_shape=produced[1:] if produced and len(produced) > 1 else None,
        output_tail=tail,
        output_dtype=_dtype_of(graph.nodes[graph.outputs[0]]),
        first_layer=prefix.reader or None,
        metrics=_metrics(compiled),
        norm_layers=tuple(_norm_layers(graph)),
        input_faults=tuple(_input_faults(graph)),
        lambda_layers=tuple(node.name for node in graph.nodes.values() if node.kind == "Lambda"),
        unknown=tuple(unknown + prefix.unknown),
    )
    # Read back as if written by hand, so that a hostile configuration's values are checked like anybody's.
    return Contract.from_dict(replace(contract, label_encoding=encoding_of(contract)).to_dict())


# --- input -------------------------------------------------------------------------------------


def _prefix(graph: Graph, statistics: Callable[[], list[Any]] | None) -> _Prefix:
    """Follow the pixels from the input to the first layer with weights."""
    prefix, key, seen = _Prefix(), graph.inputs[0], set()
    while key not in seen:
        seen.add(key)
        followers = [(name, node) for name, node in graph.nodes.items() if key in node.sources]
        if len(followers) != 1:
            prefix.reader = _kind(followers[0][1])[:60] if followers else None
            if any(_kind(node) in ("Rescaling", "Normalization", "TrueDivide") for _, node in followers):
                prefix.unknown.append("input scaling: the input feeds several branches, one of which scales")
            break
        key, node = followers[0]
        prefix.reader = _kind(node)[:60]
        if not _follow(node, prefix, statistics):
            break
    prefix.raw_range = prefix.scales and (prefix.raw_range or 0 < abs(prefix.scale) < RAW_PIXEL_STEP)
    return prefix


def _follow(node: Node, prefix: _Prefix, statistics: Callable[[], list[Any]] | None) -> bool:
    """Take one layer into account; False when the pixels have reached weights."""
    kind = _kind(node)
    if kind == "Rescaling":
        _compose(prefix, _mean(node.config.get("scale", 1.0)), _mean(node.config.get("offset", 0.0)))
    elif kind == "Normalization":
        _compose_normalization(node, prefix, statistics)
    elif kind in ("TrueDivide", "Multiply", "Add", "Subtract") and node.constants:
        _compose_operator(kind, node, prefix)
    elif kind in NORMALIZING:
        prefix.normalizes = True
        return False
    elif kind == "Lambda":
        prefix.unknown.append(f"input scaling: the Lambda layer {node.name} holds Python code")
        return False
    elif kind not in VALUE_KEEPING or (kind == "Activation" and node.config.get("activation") != "linear"):
        if not kind.startswith(WEIGHTED):
            prefix.unknown.append(f"input scaling: layer {node.name} is of the unrecognized class {kind[:60]}")
        return False
    return True


def _compose(prefix: _Prefix, scale: float, offset: float) -> None:
    prefix.scale, prefix.offset = prefix.scale * scale, prefix.offset * scale + offset
    prefix.scales = prefix.scales or scale != 1.0 or offset != 0.0


def _compose_operator(kind: str, node: Node, prefix: _Prefix) -> None:
    position, number = next(iter(node.constants.items()))
    if kind == "TrueDivide" and position > 0 and number:
        _compose(prefix, 1 / number, 0.0)
    elif kind == "Multiply":
        _compose(prefix, number, 0.0)
    elif kind == "Add":
        _compose(prefix, 1.0, number)
    elif kind == "Subtract":
        _compose(prefix, *((1.0, -number) if position > 0 else (-1.0, number)))


def _compose_normalization(node: Node, prefix: _Prefix, statistics: Callable[[], list[Any]] | None) -> None:
    mean, variance = node.config.get("mean"), node.config.get("variance")
    adapted = True
    if mean is None or variance is None:
        try:
            found = statistics() if statistics else []
        except ContractError as error:
            prefix.unknown.append(f"normalization: {error}")
            found = []
        if len(found) != 1:
            prefix.normalization = "unknown"
            prefix.unknown.append("input scaling: the statistics of the Normalization layer could not be read")
            return
        mean, variance, adapted = found[0]
    prefix.normalization = "adapted" if adapted else "not adapted"
    if not adapted:
        return
    center, deviation = _mean(mean), math.sqrt(max(_mean(variance), 1e-14))
    if node.config.get("invert"):
        _compose(prefix, deviation, center)
        return
    # Statistics of 0..255 data: no 0..1 data has a mean above 1 or a deviation above 0.5.
    prefix.raw_range = prefix.raw_range or (not prefix.scales and (abs(center) > 1.5 or deviation > 4))
    _compose(prefix, 1 / deviation, -center / deviation)


def _mean(value: Any) -> float:
    """The mean of a number or of (nested) numbers, such as one scale a channel."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, Mapping):  # a serialized numpy array: {"class_name": "__numpy__", "config": {"value": …}}
        return _mean(value["config"]["value"])
    elif isinstance(value, str):
        raise ContractError(f"Expected numbers as scaling constants. Received: {value[:60]!r}.")
    else:
        flat = [_mean(each) for each in value]
        number = sum(flat) / len(flat) if flat else 0.0
    if not math.isfinite(number):
        raise ContractError(f"Expected finite scaling constants. Received: {number}.")
    return number


def _layout(graph: Graph, shape: tuple[int | None, ...] | None) -> str:
    """The data_format of the first two-dimensional layer that meets the input as it is, else what the shape shows."""
    if shape is not None and len(shape) == 3:
        for node in _met_as_it_is(graph):
            return str(node.config["data_format"])
    return layout_of_shape(shape) if shape is not None else "unknown"


def _met_as_it_is(graph: Graph) -> list[Node]:
    """Layers with a data_format that the input reaches with its axes untouched, nearest first."""
    reached, order, met = set(graph.inputs[:1]), list(graph.nodes.items()), []
    for key, node in order:
        if not any(source in reached for source in node.sources) or _kind(node) in SHAPE_CHANGING:
            continue
        reached.add(key)
        if _is_spatial(node):
            met.append(node)
    return met


def _is_spatial(node: Node) -> bool:
    rank = len(node.input_shape) if node.input_shape else 4
    kind = _kind(node)
    counts = kind.startswith(("Conv2D", "SeparableConv2D", "DepthwiseConv2D")) or kind.endswith("Pooling2D")
    return counts and rank == 4 and node.config.get("data_format") in ("channels_last", "channels_first")


def _input_faults(graph: Graph) -> list[str]:
    """Say where the declared input, or one layer and the next, disagree on the axis of the channels."""
    faults, met = [], _met_as_it_is(graph)
    if met and met[0].input_shape:
        first, shape = met[0], met[0].input_shape
        form = first.config["data_format"]
        channels = shape[channel_axis(first.config, 4)] or 0
        side = (shape[1] if form == "channels_last" else shape[3]) or MOST_CHANNELS + 1
        if channels > MOST_CHANNELS >= side and _same_as_input(graph, shape):
            faults.append(
                f"{first.name} is {form} and the input {shape[1:]}: "
                f"it takes {channels} channels and pictures with a side of {side}"
            )
    formats = {str(node.config["data_format"]): node.name for node in met}
    if len(formats) > 1:
        faults.append("layers disagree: " + ", ".join(f"{name} is {form}" for form, name in sorted(formats.items())))
    return faults


def _same_as_input(graph: Graph, shape: Shape) -> bool:
    declared = graph.nodes[graph.inputs[0]].output_shape
    return declared is not None and declared[1:] == shape[1:]


# --- normalization axes ------------------------------------------------------------------------


def _norm_layers(graph: Graph) -> list[NormLayer]:
    found = []
    for node in graph.nodes.values():
        if node.kind not in ("BatchNormalization", "GroupNormalization"):
            continue
        axis = node.config.get("axis", -1)
        axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        if node.input_shape is None or not isinstance(axis, int):
            continue
        rank = len(node.input_shape)
        found.append(NormLayer(node.name, axis % rank, _channels_before(node, graph, rank), rank))
    return found


def _channels_before(node: Node, graph: Graph, rank: int) -> int | None:
    """Return the axis of the channels at a layer: told by the nearest layer above, else by the nearest below."""
    if rank == 2:
        return 1
    current, seen = node, set()
    while current.sources and current.sources[0] not in seen:
        seen.add(current.sources[0])
        current = graph.nodes[current.sources[0]]
        if current.kind in SHAPE_CHANGING:
            return None
        if current.kind in ("Dense", "EinsumDense"):
            return rank - 1
        if _has_format(current) and not current.kind.startswith("Random"):
            return channel_axis(current.config, rank)
    for follower in graph.nodes.values():
        if _has_format(follower) and follower.input_shape and len(follower.input_shape) == rank:
            return channel_axis(follower.config, rank)
    return None


def _has_format(node: Node) -> bool:
    return node.kind.startswith(("Conv", "SeparableConv", "DepthwiseConv", "MaxPool", "AveragePool")) and (
        node.config.get("data_format") in ("channels_last", "channels_first")
    )


# --- output ------------------------------------------------------------------------------------


def _output(graph: Graph, unknown: list[str]) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Return the output's width, rank and tail of activations."""
    node, tail = graph.nodes[graph.outputs[0]], []
    last = node
    while True:
        named = _activation(node)
        if named is not None:
            tail.append(named)
        if _kind(node).startswith(WEIGHTED) or node.kind == "InputLayer":
            break
        if named is None and _kind(node) not in TRANSPARENT_AT_END:
            unknown.append(f"output_activation: layer {node.name} is of the class {node.kind[:60]}")
            tail.append("unknown")
            break
        if not node.sources:
            break
        node = graph.nodes[node.sources[0]]
    shape = last.output_shape
    if shape is None:
        unknown.append("output_units: the output's shape does not follow from the configuration")
        width = last.config.get("units")
        return (width if isinstance(width, int) else None), None, _in_order(tail)
    return (shape[-1] if len(shape) > 1 else None), len(shape), _in_order(tail)


def _in_order(tail: Sequence[str]) -> tuple[str, ...]:
    told = tuple(each for each in reversed(tail) if each != "linear")
    return told or ("linear",)


def _activation(node: Node) -> str | None:
    """The activation a layer applies ("linear" for none), or None when it is no such layer."""
    kind = _kind(node)
    if kind in ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "BatchNormalization", "Rescaling"):
        return {"BatchNormalization": "batch_normalization"}.get(kind, kind.lower())
    if kind == "Softmax" and node.input_shape is not None:
        axis = node.config.get("axis", -1)
        if isinstance(axis, int) and axis % len(node.input_shape) != len(node.input_shape) - 1:
            return f"softmax(axis={axis})"
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind]
    if kind == "Activation" or kind.startswith(WEIGHTED):
        return _activation_name(node.config.get("activation"))
    return None


def _activation_name(told: Any) -> str:
    if isinstance(told, Mapping):
        config = told.get("config")
        inner = config if isinstance(config, str) else config.get("name") if isinstance(config, Mapping) else None
        name = told.get("class_name") if told.get("class_name") not in ("function", None) else inner
        told = {"ReLU": "relu", "Softmax": "softmax", "LeakyReLU": "leaky_relu"}.get(str(name), name or inner)
    return str(told)[:60] if told is not None else "linear"


# --- the rest ----------------------------------------------------------------------------------


def _loss(compiled: Any, unknown: list[str]) -> tuple[str | None, bool | None]:
    told = compiled.get("loss") if isinstance(compiled, Mapping) else None
    if isinstance(told, list | tuple) and len(told) == 1:
        told = told[0]
    if isinstance(told, str):
        return loss_name(told), False
    if isinstance(told, Mapping) and told.get("class_name") == "function" and isinstance(told.get("config"), str):
        return loss_name(told["config"]), False
    if isinstance(told, Mapping) and isinstance(told.get("class_name"), str):
        config = told.get("config")
        return loss_name(told["class_name"]), isinstance(config, Mapping) and bool(config.get("from_logits", False))
    unknown.append("loss: the model was saved without one" if told is None else "loss: several, or of another form")
    return None, None


def _metrics(compiled: Any) -> tuple[str, ...]:
    """Return the names of the metrics, however they are nested."""
    names: list[str] = []
    pending = [compiled.get("metrics") if isinstance(compiled, Mapping) else None]
    while pending:
        told = pending.pop()
        if isinstance(told, str):
            names.append(told[:60])
        elif isinstance(told, Mapping) and isinstance(told.get("class_name"), str):
            pending.append(told["config"] if told["class_name"] == "function" else loss_name(told["class_name"]))
        elif isinstance(told, Mapping | list | tuple):
            pending += list(told.values() if isinstance(told, Mapping) else told)
    return tuple(sorted(set(names)))


def _dtype_of(node: Node) -> str:
    policy = node.config.get("dtype")
    if isinstance(policy, Mapping):
        config = policy.get("config")
        policy = config.get("name") if isinstance(config, Mapping) else None
    name = str(policy or "float32")
    return name.removeprefix("mixed_") if name.startswith("mixed_") else name


def _kind(node: Node) -> str:
    if node.kind in ("TFOpLambda", "SlicingOpLambda"):
        return OPERATORS.get(str(node.config.get("function", "")).rpartition(".")[2], node.kind)
    return OPERATORS.get(node.kind, node.kind)
