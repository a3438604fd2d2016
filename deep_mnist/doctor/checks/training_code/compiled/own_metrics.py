"""Metrics of the user's own, called as the first step of fit calls them; Keras's beside a loss of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import (
    MetricsError,
    OutputMetric,
    compiled_of,
    is_of_keras_3,
    stated_metrics,
    trains_in_own_way,
    value_of,
)
from deep_mnist.doctor.checks.program.metric_fixes import mended
from deep_mnist.doctor.checks.program.metrics import LABELS_FIRST
from deep_mnist.doctor.checks.program.predictions import Output, outputs_of
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.checks.training_code.live_batch import outputs_of as outputs_made
from deep_mnist.doctor.checks.training_code.raised import renamed, told
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial, error_of, of_compiled
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ROWS = 32  # of a batch, as fit makes them where nothing else is said
OF_DATA = ("TypeError", "ValueError", "InvalidArgumentError")  # that may be of the labels' shape or type

RAISES = Rule(
    code="P019",
    name="own-metric-raises",
    field="contract.metrics",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="A metric of the user's own raises when fit calls it: a graph has no numbers for numpy or scikit-learn, a "
    "name is gone from Keras, or labels are of another type than predictions.",
    why="fit stops at its first batch.",
)
# Outputs that a loss is asked of: of distances, probabilities and scores.
TRIED = np.array([-2, -1, -0.5, 0, 0.25, 0.5, 0.75, 1, 2], np.float32)
LEAST = 1e-4  # of the range of a loss, by which it may be above its least to be counted as that
BADLY, BETTER = 0.4, 0.3  # what the best outputs come to at most, and by how much their opposite comes to more

UPSIDE_DOWN = Rule(
    code="P166",
    name="metric-of-the-opposite",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="A loss of the user's own makes outputs low for the label 1, as of a distance where 1 stands for alike, "
    "and a metric of compile() takes high ones for it.",
    why="The metric falls while the network learns: near 0 when every answer is right.",
)


@check(RAISES)
def check_own_metrics(case: Case) -> Iterator[Finding]:
    """Yield the metrics of the user's own that the first step of fit cannot call."""
    model = case.call.model if case.call is not None else None
    if model is None or not is_of_keras_3(model) or trains_in_own_way(model) or not any(stated_metrics(model)):
        return
    outputs = outputs_of(case, model) if can_be_tried(case) else []
    batches = [batch for each in outputs if (batch := _batch(case, each)) is not None]
    if not batches or len(batches) < len(outputs):
        return
    try:
        compiled = compiled_of(model, *zip(*batches, strict=True))
    except MetricsError:  # of another rule
        return
    for each in compiled.metrics:
        error = None if each.is_kerass else _error_of(model, each, *batches[each.output])
        if error is not None:
            yield RAISES.found(
                severity="warning" if type(error).__name__ in OF_DATA and not _is_given(case) else "",
                expected="a metric of operations of Keras or TensorFlow",
                received=f"{each.title} {told(error)}",
                fix=renamed(error) or _fix(model, each, outputs[each.output], error),
            )


def _batch(case: Case, output: Output) -> tuple[np.ndarray, np.ndarray] | None:
    """Return labels and outputs as a step has them, Keras's own type for floating numbers; None of an unknown shape."""
    labels, shape = output.labels[:ROWS], output.shape
    if not output.is_sure:
        x, _ = rows_of(case)
        made = outputs_made(case, x) if x is not None else None
        if made is None or not made.ndim:
            return None
        shape = made.shape[1:]
    labels = labels.astype(np.float32) if labels.dtype == np.float64 else labels
    return labels, np.zeros((len(labels), *shape), np.float32)


def _is_given(case: Case) -> bool:
    """Whether the labels are arrays of the call, whose shape and type a step sees, and none of a pipeline's."""
    return case.call is not None and isinstance(case.call.y, np.ndarray)


def _error_of(model: Any, each: OutputMetric, labels: np.ndarray, outputs: np.ndarray) -> Exception | None:
    stated, eagerly = each.stated, bool(getattr(model, "run_eagerly", False))
    if labels.dtype.kind not in "fiub" or not callable(getattr(stated, "update_state", stated)):
        return None

    def compute(y: Any, p: Any) -> Any:
        if not hasattr(stated, "update_state"):
            return stated(y, p)
        stated.update_state(y, p)
        return stated.result()

    with unchanged(model, stated):
        return error_of(compute, labels, outputs, eagerly=eagerly)


def _fix(model: Any, each: OutputMetric, output: Output, error: Exception) -> str:
    labels = output.labels.dtype.kind
    if type(error).__name__ in OF_DATA and "does not match type" in str(error) and labels in "iub":
        return f"Begin {each.title} with y_true = keras.ops.cast(y_true, y_pred.dtype)."
    if output.predictions is None:
        return f"Write {each.title} with keras.ops in the place of numpy, scikit-learn and Python's own float and if."
    line = mended(model, [(each, output.predictions)])
    return f"{line}  # and {each.title} after fit, of model.predict(…)" if line.startswith("model.") else line


# --- the opposite ------------------------------------------------------------------------------------


@check(UPSIDE_DOWN)
def check_upside_down(case: Case) -> Iterator[Finding]:
    """Yield metrics that are better for the opposite of what the loss is least for, of one output for yes or no."""
    model, labels = case.call.model if case.call is not None else None, case.train.labels
    if model is None or labels is None or not is_of_keras_3(model) or trains_in_own_way(model):
        return
    if not any(stated_metrics(model)) or not can_be_tried(case) or case.contract.outputs:
        return
    if labels.dtype.kind not in "fiub" or labels.size != len(labels) or not np.isin(np.unique(labels), (0, 1)).all():
        return
    trial, outputs = of_compiled(model), outputs_of(case, model)
    batch = _batch(case, outputs[0]) if trial is not None and len(outputs) == 1 else None
    if trial is None or batch is None or batch[1].size != len(batch[1]):
        return
    y = (np.arange(len(batch[0])) % 2).astype(batch[0].dtype).reshape(batch[0].shape)
    ends = _least(trial, np.zeros_like(y), batch[1].shape), _least(trial, np.ones_like(y), batch[1].shape)
    if ends[0] is None or ends[1] is None or not ends[1].max() < ends[0].min():
        return
    yield from _against(model, y, batch[1].shape, float(ends[0].min()), float(ends[1].max()))


def _least(trial: LossTrial, y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return which outputs a loss is least for where all labels are alike, None where it is no number or none is."""
    made = [trial.evaluate(y.astype(np.float32), np.full(shape, each, np.float32)).mean for each in TRIED]
    span = max(made) - min(made)
    if not np.isfinite(made).all() or span <= 0:
        return None
    return TRIED[np.array(made) <= min(made) + LEAST * span]


def _against(model: Any, y: np.ndarray, shape: tuple[int, ...], no: float, yes: float) -> Iterator[Finding]:
    """Yield Keras's metrics that are low for `no` where labels are 0 and `yes` where they are 1, and high otherwise."""
    right, opposite = (np.where(y.reshape(shape) > 0, *each).astype(np.float32) for each in ((yes, no), (no, yes)))
    try:
        compiled = compiled_of(model, [y], [right])
    except MetricsError:  # of another rule
        return
    kept = [each for each in compiled.metrics if each.is_kerass and getattr(each.metric, "_direction", None) == "up"]
    values = [(each, value_of(each.metric, y, right), value_of(each.metric, y, opposite)) for each in kept]
    for each, best, worst in values:
        if best <= BADLY and worst >= best + BETTER:
            middle = (no + yes) / 2
            near = f"keras.metrics.binary_accuracy(y, -p, threshold={-middle:g})"
            yield UPSIDE_DOWN.found(
                expected=f"a metric that takes outputs below {middle:g} for the label 1, as the loss does",
                received=f"{each.title}: {best:.2g} for outputs of the least loss, {worst:.2g} for their opposite",
                fix="model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["
                f'keras.metrics.MeanMetricWrapper(lambda y, p: {near}, name="{each.logged}")])',
            )
            return
