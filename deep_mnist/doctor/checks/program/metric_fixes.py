"""Lines that put another metric in the place of one, the model otherwise compiled as it was."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from deep_mnist.doctor.checks.program.compiled_metrics import OutputMetric, expression_of, stated_metrics
from deep_mnist.doctor.checks.program.predictions import Predicted, Predictions
from deep_mnist.doctor.evidence.live.source_text import keyword_of

COUNTS = ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")
ACCURACIES = ('"accuracy"', '"binary_accuracy"')
Chosen = Sequence[tuple[OutputMetric, str]]  # wrong metrics, and what to write in their place


def mended(model: Any, wrong: Sequence[tuple[OutputMetric, Predictions]]) -> str:
    """Return the statement that compiles the model again with metrics that fit in the place of the wrong ones."""
    chosen = [(each, fitting_metric(each, predictions)) for each, predictions in wrong]
    stated, weighted = stated_metrics(model)
    names = list(getattr(model, "output_names", None) or ())
    written = None if weighted else _all_written(stated, chosen, names)
    if written is None:
        pairs = dict.fromkeys(f"{fitting} in the place of {each.title}" for each, fitting in chosen)
        return f"In compile, write {', '.join(pairs)}."
    return f"model.compile(optimizer=model.optimizer, loss=model.loss, metrics={written})"


def remade(by_output: Mapping[str, str]) -> str:
    """Return the statement that compiles the model again with one metric for each output."""
    metrics = ", ".join(f'"{name}": [{each}]' for name, each in by_output.items())
    return f"model.compile(optimizer=model.optimizer, loss=model.loss, metrics={{{metrics}}})"


def takes_logits(metric: Any) -> bool:
    """Whether it was told of logits, or its thresholds are none of probabilities."""
    stated = getattr(metric, "thresholds", None) or [getattr(metric, "threshold", None)]
    between = [0 < each < 1 for each in stated if isinstance(each, float | int)]
    return bool(getattr(metric, "_from_logits", False)) or (bool(between) and not any(between))


def fitting_metric(wrong: OutputMetric, predictions: Predictions) -> str:
    """Return the expression of a metric that fits labels and output, by the own name where its purpose stays."""
    fitting = _fitting(wrong, predictions)
    name = _stated_name(wrong)
    if name is None:
        return fitting
    if fitting in ACCURACIES and "Accuracy" in wrong.kind:
        accuracy = "Binary" if fitting != '"accuracy"' or _are_answers(predictions) else ""
        accuracy = accuracy or ("SparseCategorical" if predictions.is_sparse else "Categorical")
        fitting = f"keras.metrics.{accuracy}Accuracy()"
    call = ast.parse(fitting, mode="eval").body
    if not isinstance(call, ast.Call) or any(each.arg == "name" for each in call.keywords):
        return fitting
    if ast.unparse(call.func).rpartition(".")[2] != wrong.kind and "Accuracy" not in wrong.kind:
        return fitting
    call.keywords.append(ast.keyword("name", ast.Constant(name)))
    return ast.unparse(call).replace("'", '"')


def _stated_name(wrong: OutputMetric) -> str | None:
    """Return the name that a metric was made with, None where it has that of its class."""
    call = ast.parse(expression_of(wrong.stated) or "None", mode="eval").body if _is_made(wrong.stated) else None
    stated = keyword_of(call, "name") if isinstance(call, ast.Call) else None
    return str(stated.value) if isinstance(stated, ast.Constant) else None


def _is_made(stated: Any) -> bool:
    return hasattr(stated, "update_state") and not isinstance(stated, type)


def _are_answers(predictions: Predictions) -> bool:
    return predictions.kind in (Predicted.YES_OR_NO, Predicted.SEVERAL_LABELS)


def _fitting(wrong: OutputMetric, predictions: Predictions) -> str:
    kind, form = predictions.kind, wrong.kind
    if kind is Predicted.NUMBERS:
        return '"mean_absolute_error"'
    if "IoU" in form:
        return _overlap(predictions)
    of_answers = _are_answers(predictions)
    if predictions.logits and form == "AUC":
        return _with_argument(wrong, form, "from_logits", True)
    if form == "AUC":
        return "keras.metrics.AUC()" if not predictions.is_sparse else '"accuracy"'
    if kind is Predicted.SEVERAL_LABELS and form == "BinaryAccuracy" and not predictions.logits:
        return 'keras.metrics.F1Score(average="micro", threshold=0.5)'
    if predictions.logits and of_answers and form == "BinaryAccuracy" and takes_logits(wrong.metric):
        return "keras.metrics.Recall(thresholds=0)"
    if predictions.logits and of_answers:
        asked = form if form in ("Precision", "Recall", *COUNTS) else "BinaryAccuracy"
        return _with_argument(wrong, asked, "threshold" if asked == "BinaryAccuracy" else "thresholds", 0)
    if form in ("Precision", "Recall") and of_answers:
        return f"keras.metrics.{form}()"
    if form in ("Precision", "Recall") and predictions.units == 2 and not predictions.is_sparse:
        return _with_argument(wrong, form, "class_id", 1)
    return '"binary_accuracy"' if kind is Predicted.SEVERAL_LABELS else '"accuracy"'


def _with_argument(wrong: OutputMetric, form: str, name: str, value: int) -> str:
    """Return a metric of this class with one argument set, and otherwise as the user made it."""
    stated = expression_of(wrong.stated) if type(wrong.stated).__name__ == form else ""
    call = ast.parse(stated or f"keras.metrics.{form}()", mode="eval").body
    if not isinstance(call, ast.Call):
        return stated
    kept = [each for each in call.keywords if each.arg != name]
    again = ast.Call(call.func, call.args, [*kept, ast.keyword(name, ast.Constant(value))])
    return ast.unparse(again).replace("'", '"')


def _overlap(predictions: Predictions) -> str:
    if predictions.kind is not Predicted.ONE_CLASS:
        at = 0.0 if predictions.logits else 0.5
        return f"keras.metrics.BinaryIoU(target_class_ids=[0, 1], threshold={at})"
    if predictions.is_sparse:
        return f"keras.metrics.MeanIoU(num_classes={predictions.units}, sparse_y_pred=False)"
    return f"keras.metrics.OneHotMeanIoU(num_classes={predictions.units})"


def _all_written(stated: Any, chosen: Chosen, names: Sequence[str]) -> str | None:
    """Return metrics as stated, as an expression with some of them replaced; None where it cannot be written."""
    if len(names) < 2:
        return _written(stated, chosen)
    if isinstance(stated, Mapping):
        held = {key: _written(stated[key], _of_output(chosen, names.index(key))) for key in stated if key in names}
        parts = [f'"{key}": {each}' for key, each in held.items() if each is not None]
        return "{" + ", ".join(parts) + "}" if len(parts) == len(stated) else None
    listed = [_written(each, _of_output(chosen, index)) for index, each in enumerate(stated)]
    return f"[{', '.join(map(str, listed))}]" if None not in listed else None


def _of_output(chosen: Chosen, output: int) -> Chosen:
    return [(each, fitting) for each, fitting in chosen if each.output == output]


def _written(stated: Any, chosen: Chosen) -> str | None:
    """Return the metrics of one output as an expression."""
    for each, fitting in chosen:
        if stated is each.stated or stated is type(each.stated) or (isinstance(stated, str) and stated == each.stated):
            return fitting
    if isinstance(stated, Mapping):
        stated = [stated[key] for key in sorted(stated)]
    if isinstance(stated, list | tuple):
        parts = [_written(each, chosen) for each in stated]
        written = dict.fromkeys(each for each in parts if each is not None)
        return f"[{', '.join(written)}]" if None not in parts else None
    if isinstance(stated, str):
        return f'"{stated}"'
    if isinstance(stated, type) and stated.__module__.startswith("keras."):
        return f"keras.metrics.{stated.__name__}()"
    if stated is None or hasattr(stated, "update_state"):
        return (expression_of(stated) or None) if stated is not None else "[]"
    name = getattr(stated, "__name__", "")
    return name if name.isidentifier() else None
