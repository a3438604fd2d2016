"""A check of errors in percent of targets among which are zeros: these few outweigh all others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import loss_name
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import compiled_with
from deep_mnist.doctor.checks.training_code.loss_rows import trial_of, trial_rows
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

PERCENTAGE = "mean_absolute_percentage_error"
SAMPLE = 20_000  # targets looked at
NEAR = 1e-3  # of the targets' middle size, below which one weighs a thousand times as much as it
LEAST_DIVISOR = 1e-7  # of Keras
OUTWEIGH = 10.0  # times the weight of all others, from where on these count for nothing

PERCENT_OF_ZERO = Rule(
    code="L203",
    name="percent-of-zero",
    field="contract.loss",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS, Need.LOSS),
    summary="The error is counted in percent of targets, some of which are zero, or nearly so.",
    why="An error at a zero is divided by next to nothing: the loss is in the millions, and the network learns to "
    "answer 0.",
)


@check(PERCENT_OF_ZERO)
def check_percent_of_zero(case: Case) -> Iterator[Finding]:
    """Yield targets near zero that outweigh all others where errors are divided by the target."""
    labels = case.train.labels
    if labels is None or labels.dtype.kind not in REAL_KINDS or not labels.size or case.contract.outputs:
        return
    sizes = np.abs(take(labels, sample_indices(len(labels), SAMPLE)).astype(np.float64)).reshape(-1)
    middle = float(np.median(sizes[sizes > 0])) if np.isfinite(sizes).all() and sizes.any() else 0.0
    near = sizes < NEAR * middle
    if not near.any():
        return
    received = f"{near.mean():.2%} of the targets are 0 or nearly so, the others about {middle:.4g}"
    rest = OUTWEIGH * middle * (1 / sizes[~near]).sum()
    in_percent = middle * (1 / np.maximum(sizes[near], LEAST_DIVISOR)).sum()  # by Keras
    by_loss = near.sum() * _weight_of_zero(case, middle) if trial_of(case) is not None else in_percent
    is_loss = case.contract.loss == PERCENTAGE or trial_of(case) is not None
    if is_loss and case.task is Task.NUMBERS and by_loss > rest:
        yield PERCENT_OF_ZERO.found(
            "train", expected=f"targets away from 0 for {case.contract.loss}", received=received, fix=_fix(case, middle)
        )
    elif PERCENTAGE in map(loss_name, case.contract.metrics) and in_percent > rest:
        yield PERCENT_OF_ZERO.found(
            "train",
            severity="note",
            expected="targets away from 0 for a metric in percent",
            received=received,
            fix='Count "mean_absolute_error" in the place of the metric in percent.',
            why="The metric is far above 100 %, whatever the network predicts.",
        )


def _weight_of_zero(case: Case, middle: float) -> float:
    """Return how much steeper a loss of the user's own is for a target of 0 than for one of the middle size."""
    trial, rows = trial_of(case), trial_rows(case)
    if trial is None or rows is None or rows.y.size != rows.made.size:
        return 0.0
    slopes = []
    for target in (0.0, middle):
        p = np.full(rows.made.shape, target + middle, np.float32)
        slope = trial.evaluate(np.full(rows.y.shape, target, np.float32), p).gradient
        slopes.append(0.0 if slope is None else float(np.abs(slope).mean()))
    of_zero, of_middle = slopes
    steeper = of_zero / of_middle if of_middle > 0 and np.isfinite(slopes).all() else 0.0
    return steeper if steeper > 1 / NEAR else 0.0


def _fix(case: Case, middle: float) -> str:
    if trial_of(case) is not None:
        return f"Divide by no less than {middle:.2g}: keras.ops.maximum(keras.ops.abs(y_true), {middle:.2g})."
    return compiled_with(case.contract, "mean_absolute_error")
