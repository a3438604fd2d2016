"""What the network predicts: one of several classes, yes or no, numbers, something at every position.

The loss and the output decide; the labels where these leave it open. Checks that speak of classes ask
`Task.has_classes` first.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, DISTRIBUTION_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.evidence.chunks import are_whole, extent, holds, tally

LOOKED_AT = 20_000  # labels, from the start
MOST_DIVIDED = 0.5  # greatest label of classes that were divided by 255
CLASS_RATIO = 1 / 255  # what integer labels look like after the images' scaling
FEW_GAPS = 2  # greatest class number relative to the number of classes that occur
ROW_TOLERANCE = 0.02  # of a row of probabilities, stored as float16 or rounded to two digits


class Task(StrEnum):
    """What one prediction is."""

    CLASSES = "one of several classes"
    BINARY = "yes or no"
    MULTI_LABEL = "several labels at once"
    EVERY_POSITION = "a class at every position"
    NUMBERS = "numbers"  # regression, embeddings, reconstruction
    UNKNOWN = "unknown"

    @property
    def has_classes(self) -> bool:
        """Whether each example belongs to one class, so that its label can be looked for in its image."""
        return self in (Task.CLASSES, Task.BINARY)


def task_of(contract: Contract, labels: np.ndarray | None) -> Task:
    """Return what the network predicts.

    Args:
        contract: Its loss and output are heard first.
        labels: The train split's, of any shape and dtype, or None.
    """
    if labels is not None and (labels.dtype.kind not in "fiub" or not labels.ndim or not labels.size):
        labels = None
    if (contract.output_rank or 2) > 2:
        return _of_positions(contract, labels)
    if contract.output_rank is None and contract.output_units is not None and labels is not None and labels.ndim > 2:
        return Task.UNKNOWN  # the output may have as many positions as the labels
    if contract.loss in SPARSE_LOSSES or contract.loss in DISTRIBUTION_LOSSES:
        return Task.CLASSES
    if contract.loss in BINARY_LOSSES:
        return _of_binary_loss(contract, labels)
    if contract.loss in REGRESSION_LOSSES:
        return _of_regression_loss(contract, labels)
    return _of_labels(contract, labels)


def _of_positions(contract: Contract, labels: np.ndarray | None) -> Task:
    if labels is None:
        return Task.UNKNOWN
    plain = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1) or is_one_hot(labels)
    if plain and contract.loss not in REGRESSION_LOSSES:
        return Task.CLASSES  # a Flatten() was forgotten: one label for many predictions
    if contract.loss in SPARSE_LOSSES or contract.loss in DISTRIBUTION_LOSSES:
        return Task.EVERY_POSITION
    return Task.NUMBERS if contract.loss in (*REGRESSION_LOSSES, *BINARY_LOSSES) else Task.UNKNOWN


def _of_binary_loss(contract: Contract, labels: np.ndarray | None) -> Task:
    if contract.output_units in (1, None) and labels is not None and not is_one_hot(labels) and _are_soft(labels):
        return Task.NUMBERS
    if contract.output_units == 1:
        return Task.BINARY
    if labels is None or labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1) or is_one_hot(labels):
        return Task.CLASSES
    values = np.unique(labels.reshape(-1)[:LOOKED_AT])
    return Task.MULTI_LABEL if len(values) <= 2 and set(values.tolist()) <= {0, 1} else Task.NUMBERS


def _are_soft(labels: np.ndarray) -> bool:
    """Whether targets are probabilities of yes: fractions within 0..1, and not whole numbers divided by 255."""
    low, high = extent(labels)
    return 0 <= low <= high <= 1 and not are_whole(labels) and (high > MOST_DIVIDED or not are_divided(labels))


def are_divided(labels: np.ndarray) -> bool:
    """Whether labels are whole numbers divided by 255."""
    return bool(extent(labels)[1] <= 1) and holds(labels, _are_ratios)


def _are_ratios(labels: np.ndarray) -> np.ndarray:
    restored = labels / CLASS_RATIO
    ratios: np.ndarray = np.abs(restored - np.rint(restored)) < 0.01
    return ratios


def _of_regression_loss(contract: Contract, labels: np.ndarray | None) -> Task:
    softmax = (contract.output_activation or "").startswith("softmax")
    if (contract.output_units or 2) == 1:
        values = set() if labels is None else set(np.unique(labels.reshape(-1)[:LOOKED_AT]).tolist())
        return Task.BINARY if values and (values <= {0, 1} or values <= {-1, 1}) else Task.NUMBERS
    if labels is None:
        return Task.CLASSES if softmax else Task.UNKNOWN
    if contract.output_units is None and not softmax:
        return Task.NUMBERS  # whole numbers may be ratings or counts as well
    rows = labels.ndim == 2 and labels.shape[1] > 1
    if rows and (is_one_hot(labels) or is_one_hot((labels[:LOOKED_AT] + 1.0) / 2)):
        return Task.CLASSES
    if rows:
        return Task.NUMBERS
    whole = labels.ndim <= 2 and are_whole(labels)
    units = contract.output_units
    beyond = units is not None and whole and not 0 <= extent(labels)[0] <= extent(labels)[1] <= units
    return Task.CLASSES if softmax or (whole and not beyond) else Task.NUMBERS


def _of_labels(contract: Contract, labels: np.ndarray | None) -> Task:
    """Judge without a loss that tells: an own loss, or a model saved without one."""
    if labels is None:
        return Task.CLASSES if contract.loss is None else Task.UNKNOWN
    whole = are_whole(labels)
    if contract.unknown and contract.output_units is None and not (whole and _are_compact(labels)):
        return Task.UNKNOWN  # a class of its own, with a loss of its own: it may well predict numbers
    numbers = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
    units = contract.output_units or contract.num_classes or 2
    if contract.loss is None and contract.input_shape is None and contract.output_units is None:
        return Task.CLASSES  # a folder without a network holds a set of labelled images
    if numbers and whole:
        if units > 1 and contract.output_units is not None and contract.loss is not None:
            return Task.CLASSES if 0 <= extent(labels)[0] <= extent(labels)[1] <= units else Task.UNKNOWN
        if units > 1:
            return Task.CLASSES
        return Task.BINARY if set(tally(labels.reshape(-1)).values.tolist()) <= {0, 1} else Task.UNKNOWN
    if is_one_hot(labels) or (contract.loss is None and (contract.output_activation or "") == "softmax"):
        return Task.CLASSES
    return Task.UNKNOWN


def _are_compact(labels: np.ndarray) -> bool:
    """Whether whole numbers (n,) or (n, 1) are class numbers, likely: from 0 or 1 on, nearly all of them used."""
    if labels.ndim > 2 or (labels.ndim == 2 and labels.shape[1] > 1):
        return is_one_hot(labels)
    values = np.unique(labels.reshape(-1)[:LOOKED_AT])
    return bool(values[0] in (0, 1) and values[-1] < FEW_GAPS * len(values) and len(values) * 4 <= max(8, len(labels)))


def is_one_hot(labels: np.ndarray) -> bool:
    """Whether labels are rows of probabilities, (n, k) with k > 1, each summing to 1."""
    if labels.ndim != 2 or labels.shape[1] < 2:
        return False
    rows = labels[:LOOKED_AT].astype(np.float64)
    return bool((np.abs(rows.sum(axis=1) - 1) < ROW_TOLERANCE).all() and rows.min() >= -ROW_TOLERANCE)
