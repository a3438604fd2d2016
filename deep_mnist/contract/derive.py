"""Derives the contract from a Keras model's configuration: the graph of its layers and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from deep_mnist.contract.architecture import read_architecture, read_optimizer
from deep_mnist.contract.compiled import output_part, read_ignored_class, read_loss, read_metrics
from deep_mnist.contract.contract import Contract, ContractError, NormLayer, encoding_of
from deep_mnist.contract.graph import Graph, GraphError, Node, OwnClassError, Shape, kind_of
from deep_mnist.contract.keras_graph import read_graph
from deep_mnist.contract.layer_shapes import channel_axis
from deep_mnist.contract.layouts import layout_of_shape
from deep_mnist.contract.output_tail import read_output
from deep_mnist.contract.own_class import contract_of_own_class
from deep_mnist.contract.scaling import read_scaling

SHAPE_CHANGING = ("Reshape", "Flatten", "Permute", "ExpandDims", "Squeeze")
MOST_CHANNELS = 4  # an image has 1, 3 or 4 channels; a longer "channel" axis at the input is rows or columns


def contract_of_model(
    name: str,
    model: Mapping[str, Any],
    compiled: Any,
    statistics: Callable[[], list[Any]] | None,
    weights: Callable[[], Mapping[str, Shape]] | None = None,
    untouched: Callable[[], bool] | None = None,
) -> Contract:
    """Return the contract of a serialized model.

    Args:
        name: To call it by.
        model: {"class_name": …, "config": …}, as in a `.keras` file's config.json.
        compiled: Its compile configuration, or None.
        weights: Reads the shape of each weight by its path, for models that are a class of their own.
        statistics: Reads (mean, variance, adapted?) of each Normalization layer from the weights.
        untouched: Reads from the weights whether every BatchNormalization has the statistics that it starts with.

    Raises:
        ContractError: It is no Keras model.
    """
    try:
        try:
            graph = read_graph(model)
        except OwnClassError:
            return contract_of_own_class(
                name, model, *read_loss(compiled), read_metrics(compiled), read_optimizer(compiled), weights
            )
        config = model.get("config")
        title = config.get("name") if isinstance(config, Mapping) else None
        return _derived(name, title, graph, compiled, cache(statistics) if statistics else None, untouched)
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


def _derived(
    name: str,
    title: Any,
    graph: Graph,
    compiled: Any,
    statistics: Callable[[], list[Any]] | None,
    untouched: Callable[[], bool] | None,
) -> Contract:
    """Return the contract of the first input and the first output with a loss, with those of all others in it."""
    many_inputs, many_outputs = len(graph.inputs) > 1, len(graph.outputs) > 1
    if len(set(graph.outputs)) != len(graph.outputs) or len(graph.input_names) != len(graph.inputs):
        many_inputs = many_outputs = False  # outputs that are one and the same; inputs of another form

    def of(first: int, last: int) -> Contract:
        names = (graph.input_names[first] if many_inputs else "", graph.output_names[last] if many_outputs else "")
        stated = output_part(compiled, graph.output_names, last) if many_outputs else compiled
        contract = _of_view(name, title, graph.view(first, last), stated, statistics)
        return replace(contract, input_name=names[0], output_name=names[1])

    outputs = tuple(of(0, index) for index in range(len(graph.outputs))) if many_outputs else ()
    trained = next((index for index, each in enumerate(outputs) if each.loss is not None), 0)
    first = outputs[trained] if outputs else of(0, 0)
    inputs = (first, *(of(index, trained) for index in range(1, len(graph.inputs)))) if many_inputs else ()
    architecture = read_architecture(graph.view(0, trained), untouched, graph.outputs)
    return replace(first, inputs=inputs, outputs=outputs, architecture=architecture)


def _of_view(
    name: str, title: Any, graph: Graph, compiled: Any, statistics: Callable[[], list[Any]] | None
) -> Contract:
    unknown: list[str] = []
    source = graph.nodes[graph.inputs[0]]
    shape = source.output_shape[1:] if source.output_shape else None
    if shape is None:
        unknown.append("input_shape: the model was saved before it was built")
    scaling = read_scaling(str(title or name), graph, statistics)
    pixels = scaling.pixels
    loss, from_logits, untold = read_loss(compiled)
    unknown += untold
    units, rank, tail = read_output(graph, unknown)
    produced = graph.nodes[graph.outputs[0]].output_shape
    contract = Contract(
        name=name,
        input_shape=shape,
        layout=_layout(graph, shape),
        input_dtype="uint8" if pixels.takes_raw else "float32",
        input_range=(0.0, 255.0) if pixels.takes_raw else (0.0, 1.0),
        scales_inside=pixels.scales,
        pixel_scale=pixels.scale,
        pixel_offset=pixels.offset,
        normalizes_input=scaling.normalizes,
        normalization=pixels.normalization,
        convention=scaling.convention,
        loss=loss,
        from_logits=from_logits,
        ignored_class=read_ignored_class(compiled),
        num_classes=2 if units == 1 else None,
        output_units=units,
        output_rank=rank,
        output_shape=produced[1:] if produced and len(produced) > 1 else None,
        output_tail=tail,
        output_dtype=_dtype_of(graph.nodes[graph.outputs[0]]),
        first_layer=scaling.first_layer,
        vocabulary=_vocabulary(graph),
        metrics=read_metrics(compiled),
        optimizer=read_optimizer(compiled),
        norm_layers=tuple(_norm_layers(graph)),
        input_faults=tuple(_input_faults(graph)),
        lambda_layers=tuple(node.name for node in graph.layers() if node.kind == "Lambda"),
        adjusts_rank=shape is not None,
        unknown=tuple(dict.fromkeys(unknown + scaling.unknown)),
    )
    # Read back as if written by hand, so that a hostile configuration's values are checked like anybody's.
    return Contract.from_dict(replace(contract, label_encoding=encoding_of(contract)).to_dict())


# --- input -------------------------------------------------------------------------------------


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
        if not any(source in reached for source in node.sources) or kind_of(node) in SHAPE_CHANGING:
            continue
        reached.add(key)
        if _is_spatial(node):
            met.append(node)
    return met


def _vocabulary(graph: Graph) -> int | None:
    """Return the rows of the smallest Embedding that the input reaches as it is, None without one."""
    reached, rows = set(graph.inputs[:1]), []
    for key, node in graph.nodes.items():
        if not any(source in reached for source in node.sources):
            continue
        if kind_of(node) in ("Reshape", "Flatten", "Squeeze", "ExpandDims", "Cast", "Identity"):
            reached.add(key)
        elif node.kind == "Embedding" and isinstance(node.config.get("input_dim"), int):
            rows.append(node.config["input_dim"])
    return min(rows, default=None) or None


def _is_spatial(node: Node) -> bool:
    rank = len(node.input_shape) if node.input_shape else 4
    kind = kind_of(node)
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
                f"it takes {channels} channels and images with a side of {side}"
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
    for node in graph.layers():
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
    """Return the axis of the channels at a layer: stated by the nearest layer above, else by the nearest below."""
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


def _dtype_of(node: Node) -> str:
    policy = node.config.get("dtype")
    if isinstance(policy, Mapping):
        config = policy.get("config")
        policy = config.get("name") if isinstance(config, Mapping) else None
    name = str(policy or "float32")
    return name.removeprefix("mixed_") if name.startswith("mixed_") else name
