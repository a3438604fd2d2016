"""The layers of a model as nodes of a plain graph: the types that its readers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int | None, ...]  # with the batch axis first
Reference = tuple[str, int, int]  # a layer's name, which of its calls, which of its tensors

MAX_LAYERS = 20_000  # far above any published network; a cap on hostile files
MAX_DEPTH = 50  # of models within models
OPERATORS = {"truediv": "TrueDivide", "divide": "TrueDivide", "multiply": "Multiply", "mul": "Multiply",
             "add": "Add", "subtract": "Subtract", "sub": "Subtract", "cast": "Cast", "argmax": "Argmax",
             "softmax": "Softmax", "Divide": "TrueDivide"}  # fmt: skip


class GraphError(ValueError):
    """A configuration that is no Keras model, or one this reader will not follow."""

    fix = "build it as a Sequential or Functional model of Keras' own layers"


class OwnClassError(GraphError):
    """A model that is a Python class of its own: its file does not tell how the layers are connected."""


@dataclass
class Node:
    """One layer (or operation) where it is called.

    Attributes:
        name: The layer's own name, with the names of the models around it: "encoder/conv2d".
        kind: Class name, such as "Conv2D" or, for an operation, "TrueDivide".
        config: The layer's configuration.
        sources: Keys of the nodes it reads, in order.
        constants: Numbers among the arguments of an operation, by position.
        input_shape: Shape of the first input, if known; output_shape likewise.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    sources: list[str]
    constants: dict[int, float] = field(default_factory=dict)
    input_shape: Shape | None = None
    output_shape: Shape | None = None


@dataclass
class Graph:
    """Nodes in the order in which they run; keys of the model's inputs and outputs, and what the model calls them."""

    nodes: dict[str, Node]
    inputs: list[str]
    outputs: list[str]
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)

    def layers(self) -> list[Node]:
        """Return each layer where it is first called: however often that is, it has its weights once."""
        first: dict[str, Node] = {}
        for node in self.nodes.values():
            first.setdefault(node.name, node)
        return list(first.values())

    def view(self, of_input: int, of_output: int) -> Graph:
        """Return the same nodes with one input and one output."""
        return Graph(self.nodes, [self.inputs[of_input]], [self.outputs[of_output]])


def kind_of(node: Node) -> str:
    """Return a layer's class name, or the operation that it stands for."""
    if node.kind in ("TFOpLambda", "SlicingOpLambda"):
        return OPERATORS.get(str(node.config.get("function", "")).rpartition(".")[2], node.kind)
    return OPERATORS.get(node.kind, node.kind)


def shape_from(value: Any) -> Shape | None:
    """Return the shape that a configuration states, None for anything else.

    >>> shape_from([None, 28, 28, 1]), shape_from([[None, 784]]), shape_from("28")
    ((None, 28, 28, 1), (None, 784), None)
    """
    if not isinstance(value, list | tuple):
        return None
    if value and isinstance(value[0], list | tuple):
        return shape_from(value[0])
    if not all(each is None or (type(each) is int and each >= 0) for each in value):
        return None
    return tuple(value)
