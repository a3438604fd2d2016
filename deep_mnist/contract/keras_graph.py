"""A Keras model's configuration as a plain graph of layers, read without Keras.

Nested Sequential and Functional models are unfolded in place, so that a reader sees one chain or
graph from the input to the output. No layer is built and no code of the model is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int | None, ...]  # with the batch axis first
Reference = tuple[str, int, int]  # a layer's name, which of its calls, which of its tensors

MAX_LAYERS = 20_000  # far above any published network; a cap on hostile files
MAX_DEPTH = 50  # of models within models

SHAPE_KEEPING = (
    "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Dropout", "SpatialDropout1D", "SpatialDropout2D",
    "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "Rescaling", "Normalization",
    "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity", "Masking", "Cast",
    "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness",
    "TrueDivide", "Divide", "Multiply", "Add", "Subtract", "Relu", "Sigmoid", "Tanh", "Log", "Exp",
    "LogSoftmax", "Silu", "Gelu", "Clip", "Negative", "Abs",
)  # fmt: skip


AMBIGUOUS = ("Conv", "Dense", "LSTM", "GRU", "Embedding", "Attention", "RNN")  # beginnings of classes of users as well
RECURRENT = ("LSTM", "GRU", "SimpleRNN")
OPERATORS = {"truediv": "TrueDivide", "divide": "TrueDivide", "multiply": "Multiply", "mul": "Multiply",
             "add": "Add", "subtract": "Subtract", "sub": "Subtract", "cast": "Cast", "argmax": "Argmax",
             "softmax": "Softmax", "Divide": "TrueDivide"}  # fmt: skip


def kind_of(node: Node) -> str:
    """Return a layer's class name, or the operation that it stands for."""
    if node.kind in ("TFOpLambda", "SlicingOpLambda"):
        return OPERATORS.get(str(node.config.get("function", "")).rpartition(".")[2], node.kind)
    return OPERATORS.get(node.kind, node.kind)


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

    def view(self, of_input: int, of_output: int) -> Graph:
        """Return the same nodes with one input and one output."""
        return Graph(self.nodes, [self.inputs[of_input]], [self.outputs[of_output]])


def read_graph(model: Mapping[str, Any]) -> Graph:
    """Return the unfolded graph of a serialized model: {"class_name": …, "config": …}.

    Raises:
        GraphError: The configuration is not one of a Sequential or Functional model.
    """
    graph = Graph({}, [], [])
    try:
        graph.outputs = _unfold(model, "", None, graph, 0)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, GraphError):
            raise
        raise GraphError(
            f"Expected a Keras model configuration. Received: one with {type(error).__name__} at {error}."
        ) from error
    return graph


def _unfold(model: Mapping[str, Any], path: str, fed: list[str] | None, graph: Graph, depth: int) -> list[str]:
    """Add a model's layers to the graph; `fed` are the keys its inputs stand for (None at the top)."""
    kind, config = model.get("class_name"), model.get("config")
    if depth > MAX_DEPTH:
        raise GraphError(f"Expected models nested at most {MAX_DEPTH} deep. Received: more.")
    if isinstance(config, Mapping) and isinstance(config.get("layers"), Sequence):
        if "output_layers" in config:
            return _unfold_functional(config, path, fed, graph, depth)
        return _unfold_sequential(config, path, fed, graph, depth)
    if kind == "Sequential" and isinstance(config, Sequence):  # Keras before 2.2 wrote a bare list
        return _unfold_sequential({"layers": config}, path, fed, graph, depth)
    if not isinstance(kind, str) or not isinstance(config, Mapping):
        raise GraphError(f"Expected a Sequential or Functional model. Received: {str(kind)[:60]}.")
    raise OwnClassError(f"Expected a Sequential or Functional model. Received: {kind[:60]}, a class of its own.")


def _unfold_sequential(
    config: Mapping[str, Any], path: str, fed: list[str] | None, graph: Graph, depth: int
) -> list[str]:
    current = list(fed) if fed else []
    for position, layer in enumerate(config["layers"]):
        if layer["class_name"] == "InputLayer":
            if fed is None:
                current = [_add_input(layer, path, graph)]
            continue
        if not current:
            current = [_implied_input(layer, config, path, graph)]
        current = _call(layer, path, f"#{position}", current, {}, graph, depth)
    if not current:
        raise GraphError("Expected a model with layers. Received: none.")
    return current


def _implied_input(layer: Mapping[str, Any], model: Mapping[str, Any], path: str, graph: Graph) -> str:
    config = layer.get("config", {})
    shape = (
        (config.get("batch_input_shape") or config.get("batch_shape")) if isinstance(config, Mapping) else None
    ) or model.get("build_input_shape")
    shape = shape or (layer.get("build_config") or {}).get("input_shape")
    dtype = config.get("dtype") if isinstance(config, Mapping) else None
    implied = {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": shape, "dtype": dtype}}
    return _add_input(implied, path, graph)


def _add_input(layer: Mapping[str, Any], path: str, graph: Graph) -> str:
    config = layer["config"]
    shape = _shape(config.get("batch_shape") or config.get("batch_input_shape"))
    key = _add(graph, Node(path + str(config.get("name", "input")), "InputLayer", config, [], {}, shape, shape))
    graph.inputs.append(key)
    return key


def _unfold_functional(
    config: Mapping[str, Any], path: str, fed: list[str] | None, graph: Graph, depth: int
) -> list[str]:
    layers = {layer.get("name") or layer["config"]["name"]: layer for layer in config["layers"]}
    known: dict[Reference, str] = {}
    input_names = [name for name, _, _ in _references(config["input_layers"])]
    if fed is None:
        graph.input_names = _names(config["input_layers"])
        graph.output_names = _names(config["output_layers"])
    for index, name in enumerate(input_names):
        key = fed[min(index, len(fed) - 1)] if fed else _add_input(layers[name], path, graph)
        known[(name, 0, 0)] = key
    pending = [
        (name, number, call)
        for name, layer in layers.items()
        if name not in input_names
        for number, call in enumerate(layer.get("inbound_nodes") or [])
    ]
    outputs = _references(config["output_layers"])
    used = [*outputs, *(source for _, _, call in pending for source in _arguments(call)[0])]
    earlier = _earlier_calls(used, layers)
    while pending:
        waiting = []
        for name, number, call in pending:
            sources, constants, shapes = _arguments(call)
            sources = [_of_call(source, known, earlier) for source in sources]
            if not all(source in known for source in sources):
                waiting.append((name, number, call))
                continue
            fed_keys = [known[source] for source in sources]
            keys = _call(layers[name], path, f"@{number}", fed_keys, constants, graph, depth, shapes)
            known.update({(name, number, position): key for position, key in enumerate(keys)})
        if len(waiting) == len(pending):
            break  # inputs that nothing produces: the output below will be missing
        pending = waiting
    return [known[_of_call(reference, known, earlier)] for reference in outputs]


def _earlier_calls(used: Sequence[Reference], layers: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Return how many calls of each layer are left out: Keras 2 counts a nested model's own building as its first."""
    last: dict[str, int] = {}
    for name, number, _ in used:
        last[name] = max(number, last.get(name, 0))
    return {
        name: max(0, number + 1 - max(1, len(layers[name].get("inbound_nodes") or [])))
        for name, number in last.items()
        if name in layers
    }


def _of_call(reference: Reference, known: Mapping[Reference, str], earlier: Mapping[str, int]) -> Reference:
    """Return the call as it is numbered here, and its first tensor where it yields several (return_state)."""
    name, number, position = reference
    number -= earlier.get(name, 0)
    return (name, number, position if (name, number, position) in known else 0)


def _names(value: Any) -> list[str]:
    """Return the names of inputs or outputs: a dictionary's keys, else the layers' names."""
    if isinstance(value, Mapping) and all(len(_references(each)) == 1 for each in value.values()):
        return [str(name)[:60] for name in value]
    return [name[:60] for name, _, _ in _references(value)]


def _references(value: Any) -> list[tuple[str, int, int]]:
    """Return [("name", node, tensor), …] of Keras 2's and 3's ways to write one or several."""
    if isinstance(value, Mapping):
        return [reference for each in value.values() for reference in _references(each)]
    if len(value) == 3 and isinstance(value[0], str):
        return [(value[0], int(value[1]), int(value[2]))]
    return [reference for each in value for reference in _references(each)]


def _arguments(call: Any) -> tuple[list[tuple[str, int, int]], dict[int, float], list[Shape | None]]:
    """Return the tensors, the plain numbers and the tensors' shapes among one call's arguments."""
    sources: list[tuple[str, int, int]] = []
    shapes: list[Shape | None] = []
    constants: dict[int, float] = {}
    if not isinstance(call, Mapping):  # Keras 2: [["name", 0, 0, {kwargs}], …]
        entries = [call] if call and isinstance(call[0], str) else call
        for entry in entries:
            sources.append((str(entry[0]), int(entry[1]), int(entry[2])))
            for value in (entry[3] if len(entry) > 3 and isinstance(entry[3], Mapping) else {}).values():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    constants[1] = float(value)
        return sources, constants, [None] * len(sources)
    arguments = [*call.get("args", []), *(call.get("kwargs") or {}).values()]
    for position, argument in enumerate(arguments):
        if isinstance(argument, int | float) and not isinstance(argument, bool):
            constants[position] = float(argument)
        elif (numbers := _array(argument)) is not None:
            constants[position] = numbers
        for tensor in _tensors(argument, 0):
            sources.append(_references(tensor["keras_history"])[0])
            shapes.append(_shape(tensor.get("shape")))
    return sources, constants, shapes


def _array(value: Any) -> float | None:
    """Return the mean of a constant array, such as one mean for each channel."""
    if not isinstance(value, Mapping) or value.get("class_name") not in ("__numpy__", "__tensor__"):
        return None
    pending: list[Any] = [value["config"].get("value")]
    numbers: list[float] = []
    while pending and len(numbers) <= MAX_LAYERS:
        stated = pending.pop()
        if isinstance(stated, list | tuple):
            pending += stated
        elif isinstance(stated, int | float) and math.isfinite(stated):
            numbers.append(float(stated))
        else:
            return None
    return sum(numbers) / len(numbers) if numbers else None


def _tensors(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]
            return
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each, depth + 1)


def _call(
    layer: Mapping[str, Any],
    path: str,
    suffix: str,
    sources: list[str],
    constants: dict[int, float],
    graph: Graph,
    depth: int,
    shapes: Sequence[Shape | None] = (),
) -> list[str]:
    kind, config = _kind(layer), layer["config"]
    config = config if isinstance(config, Mapping) else {"layers": config}
    name = str(config.get("name") or layer.get("name") or kind.lower())
    if "layers" in config and isinstance(config["layers"], Sequence):
        inner = {"class_name": "Functional" if "output_layers" in config else "Sequential", "config": config}
        return _unfold(inner, f"{path}{name}/", sources, graph, depth + 1)
    built = layer.get("build_config") or {}
    recorded = _shape(built.get("input_shape")) if isinstance(built, Mapping) else None
    produced = graph.nodes[sources[0]].output_shape if sources else None
    input_shape = (shapes[0] if shapes and shapes[0] else None) or produced or recorded
    node = Node(f"{path}{name}", kind, config, sources, constants, input_shape)
    node.output_shape = output_shape(node)
    return [_add(graph, node, suffix)]


def _kind(layer: Mapping[str, Any]) -> str:
    """Return a layer's class name; one of the user's own that begins as a layer of Keras does is told apart."""
    kind, module = str(layer["class_name"]), str(layer.get("module") or "keras")
    is_own = layer.get("registered_name") is not None and module.partition(".")[0] not in ("keras", "tf_keras")
    return f"own {kind}" if is_own and kind.startswith(AMBIGUOUS) else kind


def _add(graph: Graph, node: Node, suffix: str = "") -> str:
    if len(graph.nodes) >= MAX_LAYERS:
        raise GraphError(f"Expected at most {MAX_LAYERS} layers. Received: more.")
    key = f"{node.name}{suffix}"
    while key in graph.nodes:
        key += "'"
    graph.nodes[key] = node
    return key


def _shape(value: Any) -> Shape | None:
    if not isinstance(value, list | tuple):
        return None
    if value and isinstance(value[0], list | tuple):
        return _shape(value[0])
    if not all(each is None or (type(each) is int and each >= 0) for each in value):
        return None
    return tuple(value)


# --- shapes ----------------------------------------------------------------------------------


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
    lengths = _shape([None if length == -1 else length for length in target]) if target else None
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
