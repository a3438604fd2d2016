"""A loss of one's own, and the few targets and predictions that it is tried on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.predictions import predictions_of
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, outputs_of, rows_of, step_of
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial, of_compiled, of_step
from deep_mnist.doctor.evidence.task import is_one_hot

MANY = 5  # different targets, that are rather numbers than classes


@dataclass(frozen=True)
class Rows:
    """Targets as the loss takes them, and predictions of them, float32 (n, …)."""

    y: np.ndarray
    made: np.ndarray
    right: np.ndarray | None = None
    wrong: np.ndarray | None = None


def trial_of(case: Case) -> LossTrial | None:
    """Return the user's own loss of a live call, None where it is one of Keras's or cannot be tried."""
    if not can_be_tried(case) or case.call is None or case.contract.outputs:
        return None
    step = step_of(case)
    if step is not None:
        return of_step(step) if step.y is not None else None
    return of_compiled(case.call.model)


def trial_rows(case: Case) -> Rows | None:
    """Return a few targets and the outputs for them, None where a loss cannot be tried on them."""
    step = case.call.step if case.call is not None else None
    x, y = (step.x, np.asarray(step.y)) if step is not None else rows_of(case)
    made = outputs_of(case, x) if x is not None else None
    if y is None or made is None or made.ndim < 1 or len(made) != len(y) or y.dtype.kind not in "fiub":
        return None
    predicted = predictions_of(_assumed(case.contract, y, made), y, made.shape[1:])
    targets = y.astype(np.float32)
    if predicted is None or len(predicted.labels) < 2 or predicted.plus_minus or _is_of_pairs(case):
        return Rows(targets, made)
    return Rows(targets, made, *_for(targets, predicted.labels.astype(np.float32), predicted.right, predicted.wrong))


def _for(y: np.ndarray, labels: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray | None, ...]:
    """Return right and wrong predictions in the order of the targets; None where labels were drawn otherwise."""
    flat, drawn = y.reshape(len(y), -1), labels.reshape(len(labels), -1)
    places = [
        int(np.flatnonzero((drawn == row).all(axis=1))[0]) if (drawn == row).all(axis=1).any() else -1 for row in flat
    ]
    return (None, None) if -1 in places else (right[places], wrong[places])


def _assumed(contract: Contract, y: np.ndarray, made: np.ndarray) -> Contract:
    """Return the contract with a loss of Keras that fits the output and the targets, where its own is not known."""
    last, units = contract.output_activation or "", made.shape[-1] if made.ndim > 1 else 1
    rows = y.ndim == 2 and y.shape[1] > 1
    if last == "softmax" and units > 1:
        loss = "categorical_crossentropy" if rows else "sparse_categorical_crossentropy"
    elif last == "sigmoid" and set(np.unique(y).tolist()) <= {0, 1} and y.size * 1 == made.size:
        loss = "binary_crossentropy"
    elif len(np.unique(y)) >= min(MANY, len(y)) and y.size == made.size and not is_one_hot(y):
        loss = "mean_squared_error"
    else:
        loss = "unknown"
    activation = last if loss != "mean_squared_error" else "linear"
    return replace(
        contract, loss=loss, from_logits=False, output_tail=(activation,) if activation else (), output_units=units
    )


def _is_of_pairs(case: Case) -> bool:
    """Whether the network compares two inputs: its output may be a distance, whose targets mean what the user says."""
    return len(case.contract.inputs) > 1 or len(case.train.inputs) > 1
