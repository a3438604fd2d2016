"""What the configuration tells of how a network will train: optimizer, activations, initial weights, frozen layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deep_mnist.contract.compiled import activation_name
from deep_mnist.contract.graph import Graph, Node, kind_of
from deep_mnist.contract.layer_shapes import channel_axis
from deep_mnist.contract.layers import Architecture

DENSE_OR_CONV = ("Dense", "Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv2D")
LINEAR = (
    *DENSE_OR_CONV, "InputLayer", "Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout1D", "SpatialDropout2D",
    "Rescaling", "Normalization", "BatchNormalization", "AveragePooling1D", "AveragePooling2D", "Identity", "Cast",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
    "Concatenate", "Add", "Subtract", "TrueDivide", "Activation", "ExpandDims", "Squeeze", "GaussianNoise",
)  # fmt: skip
WEIGHTLESS = (
    *(kind for kind in LINEAR if kind not in DENSE_OR_CONV), "ReLU", "LeakyReLU", "ELU", "Softmax", "MaxPooling1D",
    "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Resizing", "RandomFlip", "RandomRotation",
    "RandomZoom",
    "Multiply", "Average",
)  # fmt: skip
PASSING = ("Dropout", "Flatten", "Reshape", "BatchNormalization", "Identity", "GaussianNoise", "Cast")
CONSTANT = ("zeros", "zero", "ones", "one", "constant")
JOINING = ("Add", "Multiply", "Subtract", "Dot", "MatMul", "Einsum", "Average", "Maximum")
RATES = {"sgd": 0.01}  # Keras's defaults; of every other optimizer 0.001


def read_architecture(
    graph: Graph, untouched: Callable[[], bool] | None = None, heads: Sequence[str] = ()
) -> Architecture:
    """Return what the layers of a graph tell of training.

    Args:
        graph: Of the layers, with the output that is judged.
        untouched: Reads from the weights whether every BatchNormalization still has mean 0 and variance 1; it is asked
            only where that matters.
        heads: Keys of all outputs of the model.
    """
    led = _leading(graph)
    weighted = {node.name: node for node in graph.layers() if kind_of(node) in DENSE_OR_CONV}
    tail = set(_tail(graph))
    last = {graph.nodes[key].name for key in tail}
    body = {key: node for key, node in graph.nodes.items() if key not in tail}
    frozen = [node for node in weighted.values() if _is_frozen(node)]
    joined = any(kind_of(node) in JOINING and len(node.sources) > 1 for node in graph.nodes.values())
    hidden = {name: node for name, node in weighted.items() if name not in last}
    softmaxes = [key for key, node in body.items() if key not in heads and _is_softmax(node)]
    names_led = {graph.nodes[key].name for key in led}
    behind = {name: node for name, node in weighted.items() if name in names_led}
    return Architecture(
        weight_layers=len(behind),
        linear=len(behind) > 1
        and all(_is_linear(node) for key, node in body.items() if key in led)
        and not _is_narrow(behind),
        fan_in=_fan_in(graph),
        hidden=tuple(name for name in behind if name not in last)[:20],
        hidden_softmax=tuple(dict.fromkeys(body[key].name for key in softmaxes if _feeds_dense(key, graph))),
        constant_kernels=() if joined else tuple(each.name for each in hidden.values() if _starts_constant(each)),
        frozen=tuple(node.name for node in frozen)[:20],
        all_frozen=bool(frozen) and all(_is_frozen(node) for node in _with_weights(graph)),
        frozen_output=any(node in frozen for name, node in weighted.items() if name in last),
        stale_norms=_stale_norms(graph, untouched),
        dense_norms=tuple(
            node.name
            for node in graph.layers()
            if kind_of(node) == "BatchNormalization" and len(node.input_shape or ()) == 2
        ),
    )


def _leading(graph: Graph) -> set[str]:
    """Return the keys of the nodes that have a part in the outputs."""
    pending, led = list(graph.outputs), set[str]()
    while pending:
        key = pending.pop()
        if key not in led:
            led.add(key)
            pending += graph.nodes[key].sources
    return led


def _is_frozen(node: Node) -> bool:
    return node.config.get("trainable") is False


def _stale_norms(graph: Graph, untouched: Callable[[], bool] | None) -> tuple[str, ...]:
    """Return the BatchNormalization layers, when all are frozen as they were made, behind weights that train."""
    norms = [node for node in graph.nodes.values() if kind_of(node) == "BatchNormalization"]
    if not norms or untouched is None or not all(_is_frozen(node) for node in norms):
        return ()
    trained: set[str] = set()  # what weights that train have a part in
    behind = []
    for key, node in graph.nodes.items():
        if kind_of(node) == "BatchNormalization" and trained.intersection(node.sources):
            behind.append(node.name)
        if trained.intersection(node.sources) or (kind_of(node) in DENSE_OR_CONV and not _is_frozen(node)):
            trained.add(key)
    return tuple(behind[:20]) if behind and untouched() else ()


def _with_weights(graph: Graph) -> list[Node]:
    """Layers that have weights, and those of which it is not known."""
    return [node for node in graph.nodes.values() if kind_of(node) not in WEIGHTLESS]


def _tail(graph: Graph) -> Iterator[str]:
    """Yield the keys from the outputs back to the last weights."""
    pending, seen = list(graph.outputs), set[str]()
    while pending:
        key = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        yield key
        node = graph.nodes[key]
        if kind_of(node) not in DENSE_OR_CONV and (len(node.sources) == 1 or kind_of(node) == "Average"):
            pending += node.sources


def _is_narrow(weighted: Mapping[str, Node]) -> bool:
    """Whether a dense layer is narrower than the first one's input and the last one's output."""
    nodes = list(weighted.values())
    widths = [node.config.get("units") for node in nodes]
    first = (nodes[0].input_shape or (None,))[-1]
    known = [width for width in widths if isinstance(width, int)]
    return first is not None and len(known) == len(nodes) and min(known[:-1]) < min(first, known[-1])


def _fan_in(graph: Graph) -> int | None:
    """Return the most inputs that a unit sums up, None where a layer is not known."""
    most = 0
    for node in _with_weights(graph):
        shape = node.input_shape
        if kind_of(node) not in DENSE_OR_CONV or not shape:
            return None
        channels = shape[channel_axis(node.config, len(shape))] if "kernel_size" in node.config else shape[-1]
        kernel = node.config.get("kernel_size") or 1
        area = math.prod(kernel) if isinstance(kernel, list | tuple) else kernel
        if channels is None:
            return None
        most = max(most, area * channels)
    return most or None


def _is_linear(node: Node) -> bool:
    return kind_of(node) in LINEAR and activation_name(node.config.get("activation")) == "linear"


def _is_softmax(node: Node) -> bool:
    kind, axis = kind_of(node), node.config.get("axis", -1)
    if kind == "Softmax":
        return bool(axis == -1)
    return kind in ("Dense", "Activation") and activation_name(node.config.get("activation")) == "softmax"


def _feeds_dense(key: str, graph: Graph) -> bool:
    """Whether the next layer that computes anything is a dense one, and the only one."""
    for _ in range(len(PASSING)):
        followers = [(name, node) for name, node in graph.nodes.items() if key in node.sources]
        if len(followers) != 1:
            return False
        key, node = followers[0]
        if kind_of(node) == "Dense":
            return True
        if kind_of(node) not in PASSING:
            return False
    return False


def _starts_constant(node: Node) -> bool:
    stated = node.config.get("kernel_initializer")
    name = stated.get("class_name") if isinstance(stated, Mapping) else stated
    return isinstance(name, str) and name.lower() in CONSTANT


def read_optimizer(compiled: Any) -> dict[str, Any]:
    """Return {"name", "learning_rate", "momentum", "clipped"} of a compile configuration, as far as they are stated.

    "clipped" says that gradients are. A schedule stands for its highest rate; "name" is in lower case, such as "adam".
    """
    stated = compiled.get("optimizer", compiled.get("optimizer_config")) if isinstance(compiled, Mapping) else None
    if isinstance(stated, str):
        name = stated.rpartition(".")[2].lower()[:40]
        return {"name": name, "learning_rate": RATES.get(name, 0.001)}
    if not isinstance(stated, Mapping) or not isinstance(stated.get("class_name"), str):
        return {}
    config = stated.get("config")
    if not isinstance(config, Mapping):
        return {}
    if isinstance(config.get("inner_optimizer"), Mapping):
        return read_optimizer({"optimizer": config["inner_optimizer"]})
    found: dict[str, Any] = {"name": stated["class_name"].rpartition(">")[2].lower()[:40]}
    for key, value in (("learning_rate", _rate(config.get("learning_rate", config.get("lr")))),
                       ("momentum", _rate(config.get("momentum")))):  # fmt: skip
        if value is not None:
            found[key] = value
    if any(config.get(name) for name in ("clipnorm", "clipvalue", "global_clipnorm")):
        found["clipped"] = True
    return found


def _rate(stated: Any) -> float | None:
    if isinstance(stated, Mapping):
        config = stated.get("config")
        config = config if isinstance(config, Mapping) else {}
        listed = config.get("values")
        values = [config.get("initial_learning_rate"), config.get("warmup_target"),
                  *(listed if isinstance(listed, Sequence) and not isinstance(listed, str) else [])]  # fmt: skip
        rates = [rate for rate in map(_rate, values) if rate is not None]
        return max(rates, default=None)
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
        return None
    return round(float(stated), 9)
