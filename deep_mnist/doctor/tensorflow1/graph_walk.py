"""Walks a TensorFlow graph: its loss, its training operations, its constants."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

WITH_LOGITS = {
    "SoftmaxCrossEntropyWithLogits": "categorical_crossentropy",
    "SparseSoftmaxCrossEntropyWithLogits": "sparse_categorical_crossentropy",
}
SHAPING = ("Reshape", "Identity", "Cast", "Squeeze", "ExpandDims", "StopGradient")
TRAINING = ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply")
VARIABLES = ("VariableV2", "Variable", "VarHandleOp")
# Which input of a training operation is the rate.
RATE_INPUT = {"Adam": 5, "GradientDescent": 1, "Momentum": 2, "RMSProp": 3, "Adagrad": 2, "AdagradV2": 2,
              "Adadelta": 3, "CenteredRMSProp": 4, "KerasMomentum": 2}  # fmt: skip
ASSIGNING = ("Assign", "AssignSub", "AssignAdd", "AssignVariableOp", "AssignSubVariableOp", "AssignAddVariableOp")
GRADIENT_SEED = re.compile(r"grad_ys_\d+$")  # what a gradient begins with
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


def ancestors(operations: Iterable[Any], *, control: bool = True) -> list[Any]:
    """Return all that running operations runs, themselves first; without `control`, what their values come from."""
    waiting, seen = list(operations), dict[Any, None]()
    while waiting and len(seen) < MOST_OPERATIONS:
        each = waiting.pop()
        if each in seen:
            continue
        seen[each] = None
        waiting += [tensor.op for tensor in each.inputs] + (list(each.control_inputs) if control else [])
    return list(seen)


def trains(operation: Any) -> bool:
    """Whether running an operation updates weights."""
    return bool(updates_in(ancestors([operation])))


def updates_in(reached: Iterable[Any]) -> list[Any]:
    """Return the operations that update weights: an optimizer's, else assignments of what a gradient gives."""
    operations = list(reached)
    found = [each for each in operations if each.type.startswith(TRAINING)]
    if found or not any(GRADIENT_SEED.search(each.name) for each in operations):
        return found
    assigning = [each for each in operations if each.type in ASSIGNING and each.inputs]
    return [each for each in assigning if any(map(_is_seed, ancestors([each], control=False)))]


def _is_seed(operation: Any) -> bool:
    return bool(GRADIENT_SEED.search(operation.name))


def optimizer_name(apply: Any) -> str:
    """Return the optimizer of a training operation, such as "Adam"."""
    return str(apply.type).replace("Resource", "").replace("Sparse", "").removeprefix("Apply")


def rate_tensor(apply: Any) -> Any:
    """Return the tensor that a training operation takes its rate from, None where that is not known."""
    place = RATE_INPUT.get(optimizer_name(apply))
    return apply.inputs[place] if place is not None and place < len(apply.inputs) else None


def rates_of(graph: Any) -> Iterator[tuple[str, float]]:
    """Yield (optimizer, rate) of the training operations whose rate is a constant."""
    for operation in graph.get_operations()[:MOST_OPERATIONS]:
        if operation.type.startswith(TRAINING):
            tensor = rate_tensor(operation)
            rate = behind(tensor) if tensor is not None else None
            if rate is not None:
                yield optimizer_name(operation), rate


def behind(tensor: Any) -> float | None:
    """Return the one number that a tensor always is, None when it is none."""
    value = sys.modules["tensorflow"].get_static_value(shaped_from(tensor))
    if value is None or getattr(value, "size", 1) != 1:
        return None
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError):  # text
        return None


def variable_shape(variable: Any) -> tuple[int, ...] | None:
    """Return the shape of a variable's operation, None where it is not fixed."""
    fixed = variable.type == "VarHandleOp"
    shape = variable.get_attr("shape").dim if fixed else variable.outputs[0].shape
    if not fixed and not shape.is_fully_defined():
        return None
    sizes = tuple(each.size for each in shape) if fixed else tuple(shape.as_list())
    return sizes if all(each >= 0 for each in sizes) else None


def line_of(operation: Any) -> int | None:
    """Return the line of the user's source that made an operation, None where that is not known."""
    for frame in reversed(list(operation.traceback or ())):
        file = str(frame.filename)
        if "site-packages" not in file and "dist-packages" not in file and not file.startswith("<frozen"):
            return int(frame.lineno)
    return None
