"""A Keras model's configuration as a plain graph of layers, read without Keras.

Nested Sequential and Functional models are unfolded in place, so that a reader sees one chain or
graph from the input to the output. No layer is built and no code of the model is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deep_mnist.contract.call_arguments import arguments_of, names_of, references_of
from deep_mnist.contract.graph import (
    MAX_DEPTH,
    MAX_LAYERS,
    Graph,
    GraphError,
    Node,
    OwnClassError,
    Reference,
    Shape,
    shape_from,
)
from deep_mnist.contract.layer_shapes import ELEMENT_BY_ELEMENT, joined_shape, output_shape

AMBIGUOUS = ("Conv", "Dense", "LSTM", "GRU", "Embedding", "Attention", "RNN")  # beginnings of classes of users as well


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
    shape = shape_from(config.get("batch_shape") or config.get("batch_input_shape"))
    key = _add(graph, Node(path + str(config.get("name", "input")), "InputLayer", config, [], {}, shape, shape))
    graph.inputs.append(key)
    return key


def _unfold_functional(
    config: Mapping[str, Any], path: str, fed: list[str] | None, graph: Graph, depth: int
) -> list[str]:
    layers = {layer.get("name") or layer["config"]["name"]: layer for layer in config["layers"]}
    known: dict[Reference, str] = {}
    input_names = [name for name, _, _ in references_of(config["input_layers"])]
    if fed is None:
        graph.input_names = names_of(config["input_layers"])
        graph.output_names = names_of(config["output_layers"])
    for index, name in enumerate(input_names):
        key = fed[min(index, len(fed) - 1)] if fed else _add_input(layers[name], path, graph)
        known[(name, 0, 0)] = key
    pending = [
        (name, number, call)
        for name, layer in layers.items()
        if name not in input_names
        for number, call in enumerate(layer.get("inbound_nodes") or [])
    ]
    outputs = references_of(config["output_layers"])
    used = [*outputs, *(source for _, _, call in pending for source in arguments_of(call)[0])]
    earlier = _earlier_calls(used, layers)
    while pending:
        waiting = []
        for name, number, call in pending:
            sources, constants, shapes = arguments_of(call)
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
    recorded = shape_from(built.get("input_shape")) if isinstance(built, Mapping) else None
    produced = graph.nodes[sources[0]].output_shape if sources else None
    input_shape = (shapes[0] if shapes and shapes[0] else None) or produced or recorded
    node = Node(f"{path}{name}", kind, config, sources, constants, input_shape)
    node.output_shape = output_shape(node)
    if kind in ELEMENT_BY_ELEMENT and len(sources) > 1:
        stated = shapes or [None] * len(sources)
        met = [shape or graph.nodes[key].output_shape for shape, key in zip(stated, sources, strict=True)]
        node.output_shape = joined_shape(met)
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
