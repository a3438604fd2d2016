"""What stands between a live network's input and its first weights, layer by layer, run on a sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states

MOST_LAYERS = 60
NORMALIZING = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization")
POOLING = ("MaxPooling", "AveragePooling", "GlobalMax", "GlobalAverage")


@dataclass
class LayerStage:
    """One layer or operation on the way.

    Attributes:
        layer: Of Keras: a layer, or an operation such as a division.
        before: Its (first) input, (n, …).
        after: Its output outside of training.
        in_training: Its output in training, on the same input.
    """

    layer: Any
    before: np.ndarray
    after: np.ndarray
    in_training: np.ndarray


@dataclass
class Way:
    """From a network's input on.

    Attributes:
        stages: Layers and operations without trained weights, in order.
        last: What the first weights, or a normalization, read; None where the way could not be followed so far.
        reader: Class of the layer that reads it, "" likewise.
    """

    stages: list[LayerStage]
    last: np.ndarray | None = None
    reader: str = ""


def way_of(model: Any, sample: np.ndarray) -> Way:
    """Return what each layer before the first weights makes of a sample.

    Args:
        model: Of Keras 3, sequential or functional, with one input; it is left as it was. Of others nothing is known.
        sample: Examples as fit receives them, (n, …).
    """
    try:
        with unchanged_random_states(_untrained(model)):
            return _followed(model, sample, Way([]))
    except Exception:  # another version's internals, a class of one's own, or whatever a layer raises on a sample
        return Way([])


def _untrained(model: Any) -> list[Any]:
    """Return the layers that may be run; their seeds are given back."""
    layers = getattr(model, "layers", ())
    return [each for each in layers if not getattr(each, "trainable_weights", ())]


def _followed(model: Any, value: np.ndarray, way: Way) -> Way:
    """Follow a network, and one nested in it, up to the layer that reads; without an end where branches differ."""
    if any(each.__name__ == "Sequential" for each in type(model).__mro__):
        return _through_layers(model, value, way)
    if hasattr(model, "_nodes_by_depth") and len(getattr(model, "inputs", None) or ()) == 1:
        return _through_nodes(model, value, way)
    return way


def _through_layers(model: Any, value: np.ndarray, way: Way) -> Way:
    for layer in model.layers[:MOST_LAYERS]:
        if _stops(layer):
            return _read_by(layer, value, way)
        way.stages.append(_stage(layer, (value,), {}, value))
        value = way.stages[-1].after
    return way


def _through_nodes(model: Any, value: np.ndarray, way: Way) -> Way:
    """Run every node that depends on the input alone and has no weights, in the order of depths."""
    values = {id(model.inputs[0]): value}
    readers: dict[int, Any] = {}
    for node in _in_order(model)[: 4 * MOST_LAYERS]:
        inputs = node.input_tensors
        if not inputs or not all(id(each) in values for each in inputs) or len(node.output_tensors) != 1:
            continue
        if _stops(node.operation):
            readers.setdefault(id(inputs[0]), node.operation)
            continue
        args, kwargs = node.arguments.fill_in({id(each): _tensor(values[id(each)]) for each in inputs})
        stage = _stage(node.operation, args, kwargs, values[id(inputs[0])])
        way.stages.append(stage)
        values[id(node.output_tensors[0])] = stage.after
    if len(readers) != 1:
        return way
    tensor, layer = next(iter(readers.items()))
    return _read_by(layer, values[tensor], way)


def _in_order(model: Any) -> list[Any]:
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in model._nodes_by_depth[depth] if not node.is_input]


def _read_by(layer: Any, value: np.ndarray, way: Way) -> Way:
    if _is_network(layer):
        with unchanged_random_states(_untrained(layer)):
            return _followed(layer, value, way)
    way.last, way.reader = value, type(layer).__name__
    return way


def _stage(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: np.ndarray) -> LayerStage:
    outputs = []
    for training in (False, True):
        told = {**kwargs, "training": training} if getattr(layer, "_call_has_training_arg", False) else kwargs
        outputs.append(np.asarray(layer(*args, **told)))
    return LayerStage(layer, before, *outputs)


def _tensor(value: np.ndarray) -> Any:
    import keras

    return keras.ops.convert_to_tensor(value)


def _stops(layer: Any) -> bool:
    """Whether a layer reads: it has weights that are trained, normalizes, pools, or is a network of such."""
    if type(layer).__name__.startswith((*NORMALIZING, *POOLING)) or bool(getattr(layer, "trainable_weights", ())):
        return True
    if not getattr(layer, "built", True) and _builds(layer):
        return True  # a call would make its weights
    return any(each.weights and type(each).__name__ != "Normalization" for each in _leaves(layer))


def _builds(layer: Any) -> bool:
    """Whether a layer has a build() of its own, as those with weights have."""
    own = itertools.takewhile(lambda kind: kind.__name__ != "Layer", type(layer).__mro__)
    return any("build" in vars(kind) for kind in own)


def _leaves(layer: Any) -> Iterator[Any]:
    inner = getattr(layer, "layers", None)
    if not isinstance(inner, list):
        if hasattr(layer, "weights"):
            yield layer
        return
    for each in inner:
        yield from _leaves(each)


def _is_network(layer: Any) -> bool:
    return hasattr(layer, "layers") and hasattr(layer, "inputs")
