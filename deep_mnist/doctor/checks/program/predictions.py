"""What a network that has learned everything, nothing, or all of it wrongly would predict, in the form of its output.

A right prediction is not exact: probabilities of 0.55 to 0.97 for the right class, or their logits; numbers off by a
thousandth of their spread. So a metric that asks for equality, or for another form, shows itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, DISTRIBUTION_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case

EXAMPLES = 64
MOST_NUMBERS = 1 << 19  # in one array of predictions
LEAST_SURE, MOST_SURE = 0.55, 0.97  # probabilities of what is right
NOISE = 1e-3  # of the spread of numbers
NEARER = 0.3  # of the distance from even chances, where a wrong prediction is less sure than the right ones


class Predicted(StrEnum):
    """What one row of predictions is."""

    ONE_CLASS = "one class of several"
    YES_OR_NO = "yes or no"
    SEVERAL_LABELS = "several labels at once"
    NUMBERS = "numbers"


@dataclass(frozen=True)
class Predictions:
    """Labels as fit passes them to metrics, and predictions of them.

    Attributes:
        kind: What is predicted.
        labels: (n, …), of the data's own dtype; float64 as float32.
        right, wrong, alike, mixed: float32 (n, …) in the form of the output: each right, none right, the same for every
            example, every fourth wrong though less sure than the others.
        mixed_probabilities: `mixed` before it was turned into logits.
        logits: The output is no probability yet.
        is_sparse: Labels are class numbers and not rows.
        covers: Every class, or both answers of each question, is among the labels.
        plus_minus: Labels are -1 and 1.
    """

    kind: Predicted
    labels: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    alike: np.ndarray
    mixed: np.ndarray
    mixed_probabilities: np.ndarray
    logits: bool = False
    is_sparse: bool = False
    covers: bool = True
    plus_minus: bool = False

    @property
    def units(self) -> int:
        return int(self.right.shape[-1])


def predictions_of(contract: Contract, labels: np.ndarray | None, shape: tuple[int, ...] | None) -> Predictions | None:
    """Return predictions of some of the labels; None where the output's form is not known for certain.

    Args:
        contract: Of the output.
        labels: All labels of the train split.
        shape: Of one prediction, without the batch axis.
    """
    if labels is None or shape is None or not labels.ndim or not len(labels) or labels.dtype.kind not in "fiub":
        return None
    if not shape or any(each is None or each < 1 for each in shape) or not np.isfinite(labels[:EXAMPLES]).all():
        return None
    size = int(np.prod(shape))
    some = _some(labels, max(2, min(EXAMPLES, MOST_NUMBERS // size)))
    some = some.astype(np.float32) if some.dtype == np.float64 else some
    if some.ndim not in (len(shape), len(shape) + 1):
        return None
    if (classes := _classes(contract, some, shape)) is not None:
        return _of_classes(contract, some, classes, shape)
    answers = some.reshape(len(some), *shape) if some.size == len(some) * size else None
    if answers is None:
        return None
    if _is_yes_or_no(contract, answers):
        return _of_answers(contract, some, answers)
    if contract.loss in REGRESSION_LOSSES and contract.output_activation != "softmax":
        return _of_numbers(some, answers.astype(np.float32))
    return None


def _some(labels: np.ndarray, count: int) -> np.ndarray:
    """Return labels from the whole, with one of each class where there are few enough."""
    spread = np.linspace(0, len(labels) - 1, min(count, len(labels))).astype(int)
    flat = labels.reshape(len(labels), -1)
    first: np.ndarray = np.array([], int)
    if flat.shape[1] == 1:
        first = np.unique(flat[:, 0], return_index=True)[1]
    elif flat.shape[1] <= 1000:
        first = np.unique(flat.argmax(axis=1), return_index=True)[1]
    chosen = np.unique(np.concatenate([first[:count], spread]))
    return np.ascontiguousarray(labels[chosen])


# --- one class of several -----------------------------------------------------------------------------


def _classes(contract: Contract, labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the class at each position, int (n, …), where each prediction is one of several classes."""
    units, softmax = shape[-1], (contract.output_activation or "").startswith("softmax")
    if units < 2 or not (softmax or contract.from_logits):
        return None
    positions = (len(labels), *shape[:-1])
    if labels.shape in (positions, (*positions, 1)):
        whole = labels.reshape(positions).astype(np.int64)
        sparse = contract.loss in SPARSE_LOSSES or (softmax and not _is_known(contract))
        fits = bool((whole == labels.reshape(positions)).all() and whole.min() >= 0 and whole.max() < units)
        return whole if sparse and fits else None
    if labels.shape != (*positions, units) or contract.loss in SPARSE_LOSSES:
        return None
    one_hot = bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=-1) == 1).all())
    return labels.argmax(axis=-1) if one_hot and (softmax or contract.loss in DISTRIBUTION_LOSSES) else None


def _is_known(contract: Contract) -> bool:
    return contract.loss in (*SPARSE_LOSSES, *DISTRIBUTION_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)


def _of_classes(
    contract: Contract, labels: np.ndarray, classes: np.ndarray, shape: tuple[int, ...]
) -> Predictions | None:
    units, logits = shape[-1], bool(contract.from_logits)
    if logits and contract.output_activation != "linear":
        return None
    sure = np.linspace(LEAST_SURE, MOST_SURE, classes.size).reshape(classes.shape)
    others = (classes + 1) % units

    def rows(chosen: np.ndarray, sure: np.ndarray) -> np.ndarray:
        probabilities = np.repeat(((1 - sure) / (units - 1))[..., None], units, axis=-1)
        np.put_along_axis(probabilities, chosen[..., None], sure[..., None], axis=-1)
        return probabilities

    mixed = rows(_every_fourth(classes, others), _less_sure(sure, 1 / units))
    alike = np.full(mixed.shape, 1 / units)
    made = (rows(classes, sure), rows(others, sure), alike, mixed)
    formed = [_formed(each, logits, of_rows=True) for each in made]
    right, wrong, same, partly = formed
    is_sparse = labels.ndim < len(shape) + 1 or labels.shape[-1] != units
    covers = len(np.unique(classes)) == units
    return Predictions(
        Predicted.ONE_CLASS, labels, right, wrong, same, partly, mixed.astype(np.float32), logits, is_sparse, covers
    )


def _every_fourth(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    wrong = np.arange(values.size).reshape(values.shape) % 4 == 3
    chosen: np.ndarray = np.where(wrong, others, values)
    return chosen


def _less_sure(sure: np.ndarray, even: float) -> np.ndarray:
    """Return probabilities of which every fourth is nearer to that of no opinion."""
    return _every_fourth(sure, even + (sure - even) * NEARER)


def _formed(probabilities: np.ndarray, logits: bool, *, of_rows: bool) -> np.ndarray:
    """Return probabilities, or what softmax (of rows) or sigmoid makes these of, as float32."""
    if not logits:
        return probabilities.astype(np.float32)
    other = np.float64(1) if of_rows else 1 - probabilities
    formed: np.ndarray = np.log(probabilities / other).astype(np.float32)
    return formed


# --- yes or no, several labels, numbers -----------------------------------------------------------------


def _is_yes_or_no(contract: Contract, answers: np.ndarray) -> bool:
    if answers.dtype.kind == "b":
        return True
    values = set(np.unique(answers).tolist())
    probabilities = contract.output_activation == "sigmoid" and not contract.from_logits
    if contract.loss in BINARY_LOSSES or probabilities:
        fits = probabilities or (bool(contract.from_logits) and contract.output_activation == "linear")
        return fits and len(values) == 2 and values <= {0, 1}
    return contract.loss in ("hinge", "squared_hinge") and contract.output_activation == "tanh" and values == {-1, 1}


def _of_answers(contract: Contract, labels: np.ndarray, answers: np.ndarray) -> Predictions:
    logits, plus_minus = bool(contract.from_logits), bool((answers.astype(np.float32) < 0).any())
    yes = answers > 0
    sure = np.linspace(LEAST_SURE, MOST_SURE, yes.size).reshape(yes.shape)
    sure = np.roll(sure, 1, axis=0)

    def of(chosen: np.ndarray, sure: np.ndarray) -> np.ndarray:
        probabilities = np.where(chosen, sure, 1 - sure)
        return 2 * probabilities - 1 if plus_minus else probabilities

    mixed = of(_every_fourth(yes, ~yes), _less_sure(sure, 0.5))
    alike = np.full(yes.shape, 0.0 if plus_minus else 0.6)
    formed = [_formed(each, logits, of_rows=False) for each in (of(yes, sure), of(~yes, sure), alike, mixed)]
    flat = yes.reshape(-1, yes.shape[-1])
    kind = Predicted.YES_OR_NO if yes.shape[-1] == 1 else Predicted.SEVERAL_LABELS
    right, wrong, same, partly = formed
    covers = bool((flat.any(axis=0) & ~flat.all(axis=0)).all())
    plain = mixed.astype(np.float32)
    return Predictions(kind, labels, right, wrong, same, partly, plain, logits, False, covers, plus_minus)


def _of_numbers(labels: np.ndarray, numbers: np.ndarray) -> Predictions | None:
    spread = float(numbers.std())
    if not np.isfinite(spread) or spread == 0:
        return None
    steps = np.linspace(-1, 1, numbers.size, dtype=np.float32).reshape(numbers.shape)
    right = numbers + NOISE * spread * np.where(steps == 0, 1, steps)
    wrong = right + 3 * spread
    alike = np.full_like(numbers, numbers.mean())
    mixed = _every_fourth(right, wrong).astype(np.float32)
    return Predictions(Predicted.NUMBERS, labels, right, wrong, alike, mixed, mixed, covers=False)


@dataclass(frozen=True)
class Output:
    """One output: its contract, and predictions of it where their form is known.

    Attributes:
        shape: Of one prediction.
        is_sure: The shape is that of the network's last layer, and not taken to have one axis for want of a rank.
    """

    contract: Contract
    predictions: Predictions | None
    labels: np.ndarray
    shape: tuple[int, ...]
    is_sure: bool = True

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels and outputs, of the right shapes at least."""
        if self.predictions is not None:
            return self.predictions.labels, self.predictions.right
        return self.labels[:1], np.zeros((1, *self.shape), np.float32)


def outputs_of(case: Case, model: Any) -> list[Output]:
    """Return the model's outputs in order; [] where one of them has no labels or no known shape."""
    names = list(getattr(model, "output_names", None) or ())
    contracts = {each.output_name: each for each in case.contract.outputs}
    if len(names) > 1 or contracts:
        held = [(contracts.get(name), case.train.targets.get(name)) for name in names]
    else:
        held = [(case.contract, case.train.labels)]
    found = [_output(contract, labels) for contract, labels in held]
    return [each for each in found if each is not None] if all(found) else []


def _output(contract: Contract | None, labels: np.ndarray | None) -> Output | None:
    if contract is None or labels is None or not labels.ndim or not len(labels):
        return None
    shape = contract.output_shape
    if shape is None and contract.output_units and contract.output_rank in (None, 2):
        shape = (contract.output_units,)
    if shape is None or not shape or any(each is None for each in shape[-1:]):
        return None
    sizes = labels.shape[1:] if len(labels.shape) - 1 >= len(shape) - 1 else ()
    known = tuple(int(each or (sizes[index] if index < len(sizes) else 1)) for index, each in enumerate(shape))
    is_sure = contract.output_shape is not None or contract.output_rank is not None
    return Output(contract, predictions_of(contract, labels, known), labels, known, is_sure)
