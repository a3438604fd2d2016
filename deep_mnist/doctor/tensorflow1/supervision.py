"""Where a graph's predictions meet the labels: the operation of the loss that takes both.

Everything that is said of a loss starts here: which tensor is predicted, against which labels, by which kind of loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from deep_mnist.doctor.tensorflow1.graph_walk import WITH_LOGITS, ancestors, behind, shaped_from
from deep_mnist.doctor.tensorflow1.train_step import TrainStep

SOURCES = ("IteratorGetNext", "QueueDequeueV2", "QueueDequeueManyV2", "QueueDequeueUpToV2", "ReaderReadV2")
DIFFERENCE = ("Sub", "SquaredDifference")
PRODUCT = ("Mul",)
# What a loss does to the error of each example.
OF_LOSS = ("Square", "Abs", "Mean", "Sum", "Neg", "Reshape", "Squeeze", "Identity", "Pow", "Sqrt", "Log", "ExpandDims")
# What keeps a prediction from 0, or shapes it, before its logarithm.
AROUND = ("Log", "Maximum", "Minimum", "Add", "AddV2", "Sub", "Identity", "Reshape", "Squeeze", "ExpandDims", "Cast",
          "ClipByValue", "Neg", "Mul")  # fmt: skip


@dataclass(frozen=True)
class Supervision:
    """The operation of a loss at which predictions and labels meet.

    Attributes:
        step: The training whose loss it is.
        kind: "softmax", "sparse", "sigmoid" (of TensorFlow's own cross-entropies), "product" (labels times a
            logarithm), "difference".
        operation: At which they meet.
        labels: Tensor that it takes of the labels.
        predicted: Tensor that it takes of the predictions.
        output: The network's output: `predicted` before logarithm, clipping, or 1 - p.
    """

    step: TrainStep
    kind: str
    operation: Any
    labels: Any
    predicted: Any
    output: Any

    @property
    def takes_logits(self) -> bool:
        return self.kind in ("softmax", "sparse", "sigmoid")

    @property
    def activation(self) -> str:
        """Type of the operation that the output is the result of, such as "Softmax", "Relu" or "BiasAdd"."""
        return str(shaped_from(self.output).op.type)


def supervision_of(step: TrainStep, given: Iterable[Any]) -> Supervision | None:
    """Return where labels and predictions meet in a training's loss, None where that is not clear.

    Args:
        step: Of the run.
        given: Tensors that examples and labels come in by: fed ones, and those of iterators.
    """
    if step.loss is None:
        return None
    reach = Reach(step, {each.op for each in given})
    for operation in reach.of_loss:
        if operation.type not in WITH_LOGITS or operation.inputs[1].op in reach.trained:
            continue
        if reach.is_predicted(operation.inputs[0]):
            kind = "sparse" if operation.type.startswith("Sparse") else "softmax"
            logits = operation.inputs[0]
            return Supervision(step, kind, operation, operation.inputs[1], logits, shaped_from(logits))
    for operation in reach.of_loss:
        if operation.type == "Log1p" and operation.name.endswith("logistic_loss/Log1p"):
            return _sigmoid(step, operation, reach)
    return _by_hand(step, reach)


class Reach:
    """Which operations of a loss depend on trained variables, and which on examples."""

    def __init__(self, step: TrainStep, given: Set[Any]) -> None:
        self.step = step
        inside = step.of_loss
        self.of_loss = sorted(inside, key=lambda each: -each._id)
        self.trained = _forward([each for each in step.variables if each in inside], inside)
        sources = [each for each in inside if each in given or each.type in SOURCES or _is_data(each)]
        self.fed = _forward(sources, inside)

    def is_predicted(self, tensor: Any) -> bool:
        """It depends on trained variables and on examples."""
        return tensor.op in self.trained and tensor.op in self.fed

    def is_given(self, tensor: Any) -> bool:
        """It depends on what is fed, and on no trained variable."""
        return tensor.op in self.fed and tensor.op not in self.trained


def _is_data(operation: Any) -> bool:
    """Whether a constant holds examples: two numbers or more along a first axis, of two axes."""
    if operation.type != "Const" or not operation.outputs[0].dtype.is_floating:
        return False
    shape = operation.outputs[0].shape
    return shape.rank == 2 and shape[0] is not None and shape.as_list()[0] > 1


def _forward(sources: Iterable[Any], inside: Set[Any]) -> set[Any]:
    """Return what depends on some operations, within a set."""
    waiting, reached = list(sources), set[Any]()
    while waiting:
        each = waiting.pop()
        if each in reached:
            continue
        reached.add(each)
        waiting += [one for output in each.outputs for one in output.consumers() if one in inside]
    return reached


def _sigmoid(step: TrainStep, log1p: Any, reach: Reach) -> Supervision | None:
    scope = log1p.name.removesuffix("Log1p")
    names = {each.name: each for each in reach.of_loss}
    product = names.get(f"{scope}mul")
    if product is None or len(product.inputs) != 2:
        return None
    first, second = product.inputs
    logits, labels = (first, second) if reach.is_predicted(first) else (second, first)
    if not reach.is_predicted(logits) or labels.op in reach.trained:
        return None
    return Supervision(step, "sigmoid", product, labels, logits, shaped_from(logits))


def _by_hand(step: TrainStep, reach: Reach) -> Supervision | None:
    """Return the first meeting on the way back from the loss, past weights of examples and masks."""
    found = next(_meetings([step.loss.op], reach), None)
    while found is not None:
        deeper = next(_meetings([found[2].op], reach, only=OF_LOSS), None)
        if deeper is None:
            break
        found = deeper
    if found is None:
        return None
    operation, labels, predicted = found
    kind = "difference" if operation.type in DIFFERENCE else "product"
    if kind == "product" and not any(each.type == "Log" for each in (predicted.op, *_unary(predicted))):
        return None
    return Supervision(step, kind, operation, labels, predicted, _output(predicted, reach))


def _meetings(start: list[Any], reach: Reach, only: tuple[str, ...] | None = None) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (operation, labels, predicted) nearest to the loss first.

    Args:
        start: Where to begin, itself included.
        reach: Of the loss.
        only: Types of operations that the way may lead through; None for any.
    """
    waiting, seen = list(start), set[Any]()
    while waiting:
        each = waiting.pop(0)
        if each in seen or each not in reach.trained:
            continue
        seen.add(each)
        if each.type in (*DIFFERENCE, *PRODUCT) and len(each.inputs) == 2:
            first, second = each.inputs
            for labels, predicted in ((first, second), (second, first)):
                if reach.is_given(labels) and reach.is_predicted(predicted):
                    yield each, labels, predicted
        if only is None or each.type in only or (each in start and each.type in only):
            waiting += [tensor.op for tensor in each.inputs]


def _unary(tensor: Any) -> list[Any]:
    """Return the operations right behind a tensor that shape, clip or negate it."""
    passed = []
    operation = tensor.op
    while operation.type in AROUND and operation.inputs:
        passed.append(operation)
        operation = operation.inputs[0].op if behind(operation.inputs[0]) is None else operation.inputs[-1].op
        if len(passed) > 12:
            break
    return passed


def _output(predicted: Any, reach: Reach) -> Any:
    """Return the network's output behind a logarithm, a clip, an epsilon, or 1 - p; else `predicted` itself."""
    tensor = predicted
    for _ in range(12):
        varying = [each for each in tensor.op.inputs if reach.is_predicted(each)]
        constant = len(varying) == 1 and all(
            each is varying[0] or behind(each) is not None or "shape" in each.op.name.lower()
            for each in tensor.op.inputs
        )
        if tensor.op.type not in AROUND or not constant:
            return tensor
        tensor = varying[0]
    return tensor


def depends_on(tensor: Any, operation: Any) -> bool:
    """Whether a tensor's value comes from an operation."""
    return operation in ancestors([tensor.op], control=False)
