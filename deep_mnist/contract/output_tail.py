"""What a network's last layers make of its scores: how many, of which rank, through which activations."""

from __future__ import annotations

from collections.abc import Sequence

from deep_mnist.contract.compiled import activation_name
from deep_mnist.contract.graph import Graph, Node, kind_of
from deep_mnist.contract.scaling import WEIGHTED

ACTIVATIONS = {"Softmax": "softmax", "ReLU": "relu", "Relu": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu",
               "ELU": "elu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Argmax": "argmax", "ArgMax": "argmax",
               "LogSoftmax": "log_softmax", "Exp": "exp", "Log": "log", "Argmin": "argmin",
               "ThresholdedReLU": "relu", "Max": "max"}  # fmt: skip
TRANSPARENT_AT_END = ("Flatten", "Reshape", "Squeeze", "ExpandDims", "Cast", "Identity", "ActivityRegularization",
                      "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
                      "Permute", "ZeroPadding2D", "Cropping2D", "MaxPooling2D", "AveragePooling2D")  # fmt: skip


def read_output(graph: Graph, unknown: list[str]) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Return the output's width, rank and tail of activations."""
    last = graph.nodes[graph.outputs[0]]
    tail = _tail(graph, last, unknown)
    shape = last.output_shape
    if shape is None:
        unknown.append("output_units: the output's shape does not follow from the configuration")
        width = last.config.get("units")
        return (width if isinstance(width, int) else None), None, _in_order(tail)
    return (shape[-1] if len(shape) > 1 else None), len(shape), _in_order(tail)


def _tail(graph: Graph, node: Node, unknown: list[str], *, of_branch: bool = False) -> list[str]:
    """Return the activations from a node back to the last weights; branches are followed into one Average only."""
    tail: list[str] = []
    while True:
        named = _activation(node)
        if named is not None:
            tail.append(named)
        if kind_of(node).startswith(WEIGHTED) or node.kind == "InputLayer":
            return tail
        if kind_of(node) == "Average" and node.sources and not of_branch:
            # Mean scores are scores, and mean probabilities sum to 1 as well: of branches that all end alike.
            branches = [_tail(graph, graph.nodes[key], unknown, of_branch=True) for key in node.sources]
            if all(each == branches[0] for each in branches):
                return tail + branches[0]
        if named is None and kind_of(node) not in TRANSPARENT_AT_END:
            unknown.append(f"output_activation: layer {node.name} is of the class {node.kind[:60]}")
            return [*tail, "unknown"]
        if not node.sources:
            return tail
        node = graph.nodes[node.sources[0]]


def _in_order(tail: Sequence[str]) -> tuple[str, ...]:
    stated = tuple(each for each in reversed(tail) if each != "linear")
    return stated or ("linear",)


def _activation(node: Node) -> str | None:
    """The activation a layer applies ("linear" for none), or None when it is no such layer."""
    kind = kind_of(node)
    if kind in ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "BatchNormalization", "Rescaling"):
        return {"BatchNormalization": "batch_normalization"}.get(kind, kind.lower())
    if kind == "Softmax" and node.input_shape is not None:
        axis = node.config.get("axis", -1)
        if isinstance(axis, int) and axis % len(node.input_shape) != len(node.input_shape) - 1:
            return f"softmax(axis={axis})"
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind]
    if kind in ("Bidirectional", "RNN"):
        return "unknown"
    if kind == "TimeDistributed":
        inner = node.config["layer"]
        return _activation(Node("", inner["class_name"], inner["config"], [])) or "unknown"
    if kind == "Activation" or kind.startswith(WEIGHTED):
        return activation_name(node.config.get("activation"))
    return None
