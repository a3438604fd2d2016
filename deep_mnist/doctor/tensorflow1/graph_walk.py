"""Walks a TensorFlow graph: its loss, its training operations, its constants."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WITH_LOGITS = {
    "SoftmaxCrossEntropyWithLogits": "categorical_crossentropy",
    "SparseSoftmaxCrossEntropyWithLogits": "sparse_categorical_crossentropy",
}
SHAPING = ("Reshape", "Identity", "Cast", "Squeeze", "ExpandDims", "StopGradient")
TRAINING = ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply")
# Which input of a training operation is the rate.
RATE_INPUT = {"Adam": 5, "GradientDescent": 1, "Momentum": 2, "RMSProp": 3, "Adagrad": 2, "AdagradV2": 2}
MOST_OPERATIONS = 200_000


@dataclass(frozen=True)
class Loss:
    """A cross-entropy in a graph.

    Attributes:
        name: As Keras calls it.
        scores: Tensor (n, classes) that it takes: logits, or probabilities where it is log(softmax).
        from_logits: It takes the softmax itself.
        softmax: Its scores come out of a softmax.
        unprotected: It is log(softmax) with nothing that keeps the logarithm from 0.
    """

    name: str
    scores: Any
    from_logits: bool
    softmax: bool
    unprotected: bool = False


def loss_of(graph: Any) -> Loss | None:
    """Return the graph's cross-entropy, of TensorFlow's own kinds first; None when it has none."""
    operations = graph.get_operations()[:MOST_OPERATIONS]
    for operation in operations:
        if operation.type in WITH_LOGITS:
            scores = shaped_from(operation.inputs[0])
            return Loss(WITH_LOGITS[operation.type], scores, True, scores.op.type == "Softmax")
    for operation in operations:
        if operation.type == "Log":
            source = shaped_from(operation.inputs[0])
            protected = source.op.type != "Softmax"
            softmax = next((each for each in _sources(source, 3) if each.op.type == "Softmax"), None)
            if softmax is not None:
                return Loss("categorical_crossentropy", softmax, False, True, unprotected=not protected)
    return None


def shaped_from(tensor: Any) -> Any:
    """Return the tensor that this one is a reshaped form of."""
    while tensor.op.type in SHAPING and len(tensor.op.inputs):
        tensor = tensor.op.inputs[0]
    return tensor


def _sources(tensor: Any, depth: int) -> Iterator[Any]:
    """Yield a tensor and what it was made of, `depth` operations back (a clip, an epsilon added)."""
    yield tensor
    if depth:
        for each in tensor.op.inputs:
            yield from _sources(each, depth - 1)


def consumers(tensor: Any) -> list[Any]:
    """Return the operations that take a tensor."""
    return list(tensor.consumers())


def trains(operation: Any) -> bool:
    """Whether running an operation updates weights."""
    waiting, seen = [operation], set[Any]()
    while waiting and len(seen) < MOST_OPERATIONS:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if each.type.startswith(TRAINING):
            return True
        waiting += [tensor.op for tensor in each.inputs] + list(each.control_inputs)
    return False


def rates_of(graph: Any) -> Iterator[tuple[str, float]]:
    """Yield (optimizer, rate) of the training operations whose rate is a constant."""
    for operation in graph.get_operations()[:MOST_OPERATIONS]:
        if operation.type.startswith(TRAINING):
            name = operation.type.replace("Resource", "").replace("Sparse", "").removeprefix("Apply")
            place = RATE_INPUT.get(name)
            rate = behind(operation.inputs[place]) if place is not None and place < len(operation.inputs) else None
            if rate is not None:
                yield name, rate


def behind(tensor: Any) -> float | None:
    """Return the one number that a tensor always is, None when it is none."""
    value = sys.modules["tensorflow"].get_static_value(shaped_from(tensor))
    return float(value) if value is not None and getattr(value, "size", 1) == 1 else None
