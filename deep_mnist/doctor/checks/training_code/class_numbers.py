"""Losses and metrics of the user's own that calculate with class numbers as if they were rows of one class each."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import (
    MetricsError,
    compiled_of,
    is_of_keras_3,
    stated_metrics,
    trains_in_own_way,
)
from deep_mnist.doctor.checks.program.predictions import Output, Predicted, outputs_of
from deep_mnist.doctor.checks.training_code.class_number_trace import OwnLine, places_of
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried
from deep_mnist.doctor.evidence.live.loss_trial import of_compiled
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

ROWS = 5  # that a function is traced for
BOTH = ("C030", "P019")  # it raises

LOSS = Rule(
    code="C039",
    name="own-loss-of-class-numbers",
    field="contract.loss",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=(Follows(rules=BOTH, on=On.MODEL),),
    summary="A loss of the user's own multiplies or compares class numbers (…, 1) with outputs (…, classes): number "
    "2 counts twice as much as 1, class 0 nothing, and for every class alike.",
    why="The loss does not say which class is right: it pulls all outputs of a row the same way.",
)
METRIC = Rule(
    code="P098",
    name="own-metric-of-class-numbers",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS),
    follows=(Follows(rules=BOTH, on=On.MODEL),),
    summary="A metric of the user's own multiplies or compares class numbers (…, 1) with outputs (…, classes): the "
    "number 2 counts twice as much as 1, class 0 nothing, and for every class alike.",
    why="The logs show a number that has nothing to do with right and wrong; a checkpoint or a stop chosen by it errs.",
)


@check(LOSS, METRIC)
def check_class_numbers(case: Case) -> Iterator[Finding]:
    """Yield losses and metrics of the user's own that broadcast class numbers against the outputs of every class."""
    model = case.call.model if case.call is not None else None
    if model is None or not can_be_tried(case) or not is_of_keras_3(model) or trains_in_own_way(model):
        return
    outputs = outputs_of(case, model)
    for rule, title, compute, output in (*_own_loss(model, outputs), *_own_metrics(model, outputs)):
        arrays = _class_numbers(output, np.float32 if rule is LOSS else None)  # which a loss of Keras's casts
        with unchanged(model):
            places = places_of(compute, *arrays) if arrays is not None else []
        if arrays is not None and places:
            yield _found(case, rule, title, places[0], *arrays)


Own = tuple[Rule, str, Callable[..., Any], Output]


def _own_loss(model: Any, outputs: list[Output]) -> Iterator[Own]:
    trial = of_compiled(model) if len(outputs) == 1 else None
    if trial is not None and trial.function is not None:
        yield LOSS, trial.name, trial.function, outputs[0]


def _own_metrics(model: Any, outputs: list[Output]) -> Iterator[Own]:
    if not outputs or not any(stated_metrics(model)):
        return
    try:
        compiled = compiled_of(model, *zip(*(each.arrays for each in outputs), strict=True))
    except MetricsError:  # of another rule
        return
    for each in compiled.metrics:
        if not each.is_kerass and callable(called := getattr(each.stated, "update_state", each.stated)):
            yield METRIC, each.title, called, outputs[each.output]


def _class_numbers(output: Output, dtype: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return class numbers (n, …, 1) in a dtype or their own, and outputs; None where labels are anything else.

    Of the labels at least all classes, or three of them, are there: else 0 and 1 may be weights, or answers.
    """
    made = output.predictions
    if (
        made is None
        or made.kind is not Predicted.ONE_CLASS
        or not made.is_sparse
        or made.labels.ndim != made.right.ndim
    ):
        return None
    several = made.covers or len(np.unique(made.labels)) > 2
    return (made.labels[:ROWS].astype(dtype or made.labels.dtype), made.right[:ROWS]) if several else None


def _found(case: Case, rule: Rule, title: str, place: OwnLine, y: np.ndarray, p: np.ndarray) -> Finding:
    classes = p.shape[-1]
    text = ProgramText(case.frame, place.file) if case.frame is not None else None
    where = f" at {text.at(ast.Pass(lineno=place.line))}" if text is not None else ""
    return rule.found(
        expected=f"class numbers as one-hot rows of {classes}, the outputs' shape {_shape(p)}",
        received=f"{title} sets class numbers {_shape(y)} against outputs {_shape(p)}{where}, each number against all "
        f"{classes} outputs",
        fix=_fix(text, title, place.line, classes),
    )


def _shape(array: np.ndarray) -> str:
    return f"({', '.join(['n', *map(str, array.shape[1:])])})"


def _fix(text: ProgramText | None, title: str, line: int, classes: int) -> str:
    """Return the first statement of the function that a line is of, behind one that makes its labels one-hot rows."""
    function = _function_around(text, line) if text is not None else None
    names = [each.arg for each in function.args.args if each.arg != "self"] if function is not None else []
    name = names[0] if names else "y_true"
    rows = f'{name} = keras.ops.one_hot(keras.ops.cast({name}[..., 0], "int32"), {classes})'
    first = function.body[0] if function is not None else None
    plain = isinstance(first, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr)
    if text is None or first is None or not plain or len(names) < 2:
        return f"Begin {title} with {rows}."
    return text.in_place(f"{rows}; {ast.unparse(first)}", first)


def _function_around(text: ProgramText, line: int) -> ast.FunctionDef | None:
    """Return the innermost definition that a line stands in."""
    held = [each for each in text.nodes if isinstance(each, ast.FunctionDef)]
    around = [each for each in held if each.lineno <= line <= (each.end_lineno or 0)]
    return max(around, key=lambda each: each.lineno, default=None)
