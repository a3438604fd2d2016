"""Checks of the compiled metrics: each is computed on right, wrong and equal predictions in the form of the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import (
    MetricsError,
    OutputMetric,
    compiled_of,
    first_line,
    is_of_keras_3,
    stated_metrics,
    trains_in_own_way,
    value_of,
)
from deep_mnist.doctor.checks.program.given_callbacks import is_monitored
from deep_mnist.doctor.checks.program.metric_fixes import COUNTS, mended, remade, takes_logits
from deep_mnist.doctor.checks.program.predictions import Output, Predicted, Predictions, outputs_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

BEST = 1.0  # of all metrics of Keras's that are better the higher
LEAST_OF_BEST = 0.9  # that right predictions must come to
MOST_OF_WRONG = 0.5  # that predictions without one right class may come to, of four classes or more
MOST_OF_ALIKE = 0.6  # that equal predictions may come to
RARE = 1 / 3  # share of a class, below which accuracy says little of it
RARE_TAGS = 0.1  # share of ones among several labels, likewise
EXACTLY = 1e-5  # of two means of float32
SAME = 0.02  # by which logits and probabilities may differ
LABELS_FIRST = (  # what is wrong with labels, loss or output is said of these
    Follows(
        fields=("labels.encoding", "labels.values", "labels.rank", "labels.width", "model.output_units",
                "model.output_activation", "contract.loss", "contract.from_logits"),
        on=On.ANY_SPLIT, least="warning",
    ),
)  # fmt: skip

NOT_AT_ITS_BEST = Rule(
    code="P010",
    name="metric-that-perfection-fails",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="A metric of compile() does not come to its best for predictions that are all right.",
    why="The metric stays low however well the network learns: it asks for another form of output, or another task.",
)
CANNOT_FALL = Rule(
    code="P011",
    name="metric-that-praises-anything",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="A metric of compile() is high for predictions of which not one is right.",
    why="The metric counts every output by itself, and nearly all of them are rightly 0: it is high before training.",
)
TAKES_PROBABILITIES = Rule(
    code="P012",
    name="metric-of-logits",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="The output is logits, and a metric of compile() reads it as probabilities.",
    why="A threshold of 0.5 is no even chance for logits, and those beyond 0 and 1 are all alike to the metric.",
)
RAISES = Rule(
    code="P013",
    name="metric-that-raises",
    field="contract.metrics",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="A metric of compile() raises for labels and outputs of these shapes.",
    why="fit stops at its first batch.",
)
FOR_NO_OUTPUT = Rule(
    code="P014",
    name="metrics-for-no-output",
    field="contract.metrics",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The metrics of compile() do not match the outputs of the network.",
    why="fit stops before its first batch.",
)

SAME_AS_ACCURACY = Rule(
    code="P105",
    name="metric-that-is-accuracy",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=LABELS_FIRST,
    summary="Precision or Recall of two classes under a softmax counts both columns: it is the accuracy once more.",
    why="Of two classes each error is a wrong yes and a missed no: what becomes of the rarer class is not to be seen.",
)


@dataclass(frozen=True)
class MetricFault:
    """What is wrong with one metric; `severity` is "" for the rule's own."""

    rule: Rule
    expected: str
    received: str
    severity: str = ""


Judged = tuple[OutputMetric, Predictions, MetricFault]


@check(NOT_AT_ITS_BEST, CANNOT_FALL, TAKES_PROBABILITIES, RAISES, FOR_NO_OUTPUT, SAME_AS_ACCURACY)
def check_metrics(case: Case) -> Iterator[Finding]:
    """Yield metrics that cannot say what they are there for."""
    model = case.call.model if case.call is not None else None
    if model is None or not is_of_keras_3(model) or trains_in_own_way(model) or not any(stated_metrics(model)):
        return
    outputs = outputs_of(case, model)
    if not outputs:
        return
    try:
        labels, predicted = zip(*(each.arrays for each in outputs), strict=True)
        compiled = compiled_of(model, labels, predicted)
    except MetricsError as error:
        if len(outputs) > 1:
            yield _refused(model, outputs, error)
        return
    judged = [
        (each, predictions, fault)
        for each in compiled.metrics
        if each.metric is not None
        and (predictions := outputs[each.output].predictions) is not None
        and (fault := _fault_of(case, each, predictions) or _of_rare_labels(case, compiled.metrics, each, predictions))
    ]
    graver = [each for each in judged if each[2].severity != "note"]
    fix = mended(model, [(each, predictions) for each, predictions, _ in graver or judged])
    for (output, fault), alike in _by_fault(judged).items():
        of_output = f" of the output {compiled.output_names[output]!r}" if len(outputs) > 1 else ""
        yield fault.rule.found(
            severity=fault.severity,
            expected=fault.expected,
            received=f"{', '.join(each.title for each, _ in alike)}{of_output}{fault.received}",
            fix=fix if fault.severity != "note" else mended(model, alike),
        )


def _by_fault(judged: Sequence[Judged]) -> dict[tuple[int, MetricFault], list[tuple[OutputMetric, Predictions]]]:
    """Return the metrics of each output that have one fault in common."""
    found: dict[tuple[int, MetricFault], list[tuple[OutputMetric, Predictions]]] = {}
    for each, predictions, fault in judged:
        found.setdefault((each.output, fault), []).append((each, predictions))
    return found


def _refused(model: Any, outputs: list[Output], error: MetricsError) -> Finding:
    names = [each.contract.output_name for each in outputs]
    stated = stated_metrics(model)[0]
    unknown = sorted(set(stated) - set(names)) if isinstance(stated, Mapping) else []
    said = f"metrics for {', '.join(map(repr, unknown))}" if unknown else str(error).splitlines()[0]
    if isinstance(stated, list | tuple) and not unknown:
        said = f"a list of {len(stated)} for {len(names)} outputs"
    return FOR_NO_OUTPUT.found(
        expected=f"metrics by the names of the outputs: {', '.join(names)}",
        received=said,
        fix=remade({each.contract.output_name: _usual(each.predictions) for each in outputs}),
    )


def _usual(predictions: Predictions | None) -> str:
    numbers = predictions is None or predictions.kind is Predicted.NUMBERS
    return '"mean_absolute_error"' if numbers else '"accuracy"'


# --- one metric ---------------------------------------------------------------------------------------


def _fault_of(case: Case, each: OutputMetric, predictions: Predictions) -> MetricFault | None:
    try:
        right = value_of(each.metric, predictions.labels, predictions.right)
    except Exception as error:  # whatever it raises here it raises in fit, and that is what is reported
        return _raised(predictions, error) if each.is_kerass else None
    if each.is_kerass and each.kind in COUNTS and predictions.kind is not Predicted.ONE_CLASS:
        return _of_logits(each, predictions)
    if not each.is_kerass or getattr(each.metric, "_direction", None) != "up":
        return None
    if not (predictions.covers or "Accuracy" in each.kind or predictions.kind is Predicted.NUMBERS):
        return None  # of a class that is not there, precision and its kin are 0
    if fault := _of_logits(each, predictions):
        return fault
    if not right >= LEAST_OF_BEST * BEST:
        expected = f"a metric that is {BEST:g} for right predictions of {_what(predictions)}"
        severity = "note" if _is_by_the_way(case, each, predictions) else ""
        return MetricFault(NOT_AT_ITS_BEST, expected, f": {right:.2g} when all are right", severity)
    if (high := _undeserved(each, predictions)) is not None:
        expected = f"a metric that falls when the predictions of {_what(predictions)} are wrong"
        return MetricFault(CANNOT_FALL, expected, f": {high}")
    return _counts_both(each, predictions)


def _of_logits(each: OutputMetric, predictions: Predictions) -> MetricFault | None:
    """Return the fault of a metric that reads logits as probabilities."""
    if not predictions.logits or takes_logits(each.metric) or not _differs(each.metric, predictions):
        return None
    expected = "a metric that takes logits, as the loss does (from_logits=True)"
    severity = "note" if each.kind == "BinaryAccuracy" else ""  # its threshold lies at 0.62, and not at 0.5
    return MetricFault(TAKES_PROBABILITIES, expected, ", of probabilities", severity)


def _differs(metric: Any, predictions: Predictions) -> bool:
    logits = value_of(metric, predictions.labels, predictions.mixed)
    return abs(logits - value_of(metric, predictions.labels, predictions.mixed_probabilities)) > SAME


def _is_by_the_way(case: Case, each: OutputMetric, predictions: Predictions) -> bool:
    """Whether nothing goes by the metric: an "accuracy" of habit, that of a reconstruction, or of labels -1 and 1."""
    if each.stated in ("accuracy", "acc") and not is_monitored(case, each.logged):
        return True
    images, labels = case.train.images, case.train.labels
    same = images is not None and labels is not None and images.shape == labels.shape and images.ndim > 1
    return predictions.plus_minus or (same and predictions.units > 1)


def _undeserved(each: OutputMetric, predictions: Predictions) -> str | None:
    """Return what the metric says of predictions without merit, None where it falls."""
    several = predictions.kind is Predicted.ONE_CLASS and predictions.units > 2 and "TopK" not in each.kind
    if not several and predictions.kind is not Predicted.YES_OR_NO:
        return None
    wrong = value_of(each.metric, predictions.labels, predictions.wrong)
    if not several:
        return f"{wrong:.2g} when not one answer is right" if wrong >= MOST_OF_WRONG else None
    if predictions.units > 3 and wrong >= MOST_OF_WRONG:
        return f"{wrong:.2g} when not one class is right"
    alike = value_of(each.metric, predictions.labels, predictions.alike)
    if each.kind == "BinaryAccuracy" and alike >= MOST_OF_ALIKE:
        return f"{alike:.2g} when every example is predicted alike"
    return None


def _of_rare_labels(
    case: Case, metrics: Sequence[OutputMetric], each: OutputMetric, predictions: Predictions
) -> MetricFault | None:
    """Return the fault of an accuracy that is all that is told of many labels, of which few are ever given."""
    alone = {other.kind for other in metrics if other.output == each.output} == {"BinaryAccuracy"}
    labels = predictions.labels
    if predictions.kind is not Predicted.SEVERAL_LABELS or not alone or labels.ndim != 2 or labels.mean() >= RARE_TAGS:
        return None
    nothing = value_of(each.metric, labels, np.full_like(predictions.right, predictions.right.min()))
    if nothing <= 1 - RARE_TAGS:
        return None
    severity = "" if is_monitored(case, each.logged) else "note"
    expected = f"a metric that falls when none of {predictions.units} labels is ever given"
    return MetricFault(CANNOT_FALL, expected, f": {nothing:.3f} when none is, of {labels.mean():.1%} ones", severity)


def _counts_both(each: OutputMetric, predictions: Predictions) -> MetricFault | None:
    """Return the fault of a precision or recall that counts each of two columns; a note where no class is rare."""
    asked = [getattr(each.metric, name, None) for name in ("class_id", "top_k")]
    labels = predictions.labels
    if each.kind not in ("Precision", "Recall") or asked != [None, None] or predictions.kind is not Predicted.ONE_CLASS:
        return None
    if labels.shape != predictions.mixed.shape or labels.shape[1:] != (2,) or predictions.logits:
        return None
    accuracy = float((predictions.mixed.argmax(axis=1) == labels.argmax(axis=1)).mean())
    if abs(value_of(each.metric, labels, predictions.mixed) - accuracy) > EXACTLY:
        return None
    severity = "" if labels.mean(axis=0).min() < RARE else "note"
    return MetricFault(SAME_AS_ACCURACY, "a metric of one of both classes", ", of both columns: the accuracy", severity)


def _what(predictions: Predictions) -> str:
    if predictions.kind is Predicted.ONE_CLASS:
        return f"one class of {predictions.units}"
    return predictions.kind.value


def _raised(predictions: Predictions, error: Exception) -> MetricFault:
    labels, output = (
        str(("n", *array.shape[1:])).replace("'", "") for array in (predictions.labels, predictions.right)
    )
    return MetricFault(
        RAISES,
        expected=f"a metric for labels {labels} and outputs {output}: {_what(predictions)}",
        received=f" raises {type(error).__name__}: {first_line(error)}",
    )
