"""Checks of what scores, and ==, are given behind the fit: labels and predictions of one form."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.given.predicted import is_changed_in_place
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, nodes_behind, place_of
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SCORES = (
    "confusion_matrix", "classification_report", "accuracy_score", "f1_score", "precision_score", "recall_score",
    "balanced_accuracy_score", "cohen_kappa_score", "matthews_corrcoef", "multilabel_confusion_matrix",
)  # fmt: skip
PREDICT = "predict"
KEEPING = (PREDICT, "squeeze", "flatten", "ravel", "reshape", "array", "asarray")  # calls that leave scores as they are
ROUNDING = ("round", "rint")  # that make rows of 0 and 1 of them
PROBABILITIES = ("softmax", "sigmoid")
OF_ONE_SHAPE = (PREDICT, "array", "asarray", "astype", *ROUNDING)  # calls that leave a column a column

OTHER_FORM = Rule(
    code="P088",
    name="score-of-other-form",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit a score is given rows or probabilities, where class numbers stand beside them or belong.",
    why="scikit-learn stops with a ValueError after the training: it can't handle such targets. So does TensorFlow.",
)

ALWAYS_ZERO = Rule(
    code="P089",
    name="argmax-of-one-unit",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit the class is chosen by argmax, and the network has one unit.",
    why="The largest of one number is always the first: every prediction is class 0, whatever the network says.",
)

COMPARED = Rule(
    code="P120",
    name="predictions-compared-as-they-are",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit labels are compared by == with probabilities, or on one axis with a column of predictions.",
    why="A probability equals no class, and (n,) beside (n, 1) is each label with each prediction: no accuracy.",
)


@check(OTHER_FORM)
def check_scored(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    if call is None or call.verb != "fit":
        return
    for use in after_fit(case.frame, call.model):
        sides = _sides(use)
        if sides is None:
            continue
        found = _mixed(case, use, *sides)
        if found is not None:
            expected, received, old, new = found
            yield OTHER_FORM.found(
                expected=expected,
                received=f"{received}, at {use.scope.text.at(use.node)}",
                fix=rewritten([(use, old, ast.parse(new, mode="eval").body)]),
            )
            return


@check(ALWAYS_ZERO)
def check_argmax(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    if call is None or call.verb != "fit" or units_of(call.model) != 1:
        return
    for use in after_fit(case.frame, call.model):
        if (scores := _chosen_from(use)) is None:
            continue
        lineage = Lineage(use.scope.text, use.scope.text.around(use.node))
        values = lineage.of(scores, place_of(use.node), PREDICT)
        if not predicts(use, call.model, values) or not is_as_predicted(values):
            continue
        threshold = 0 if case.contract.output_activation == "linear" else 0.5
        new = ast.parse(f"({ast.unparse(scores)} > {threshold}).astype(int)[:, 0]", mode="eval").body
        yield ALWAYS_ZERO.found(
            expected="a threshold for the one unit",
            received=f"{ast.unparse(use.node)}, at {use.scope.text.at(use.node)}",
            fix=rewritten([(use, use.node, new)]),
        )
        return


@check(COMPARED)
def check_compared(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    if call is None or call.verb != "fit":
        return
    for use in after_fit(case.frame, call.model):
        for predicted, labels in _compared(use):
            new = _comparable(case, use, predicted, labels)
            if new is not None:
                yield COMPARED.found(
                    expected="classes on both sides of ==, on the same axes",
                    received=f"{ast.unparse(use.node)}, at {use.scope.text.at(use.node)}",
                    fix=rewritten([(use, predicted, ast.parse(new, mode="eval").body)]),
                )
                return


def _compared(use: Use) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield both sides of == or !=, in either order."""
    node = use.node
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq):
        yield node.left, node.comparators[0]
        yield node.comparators[0], node.left


def _comparable(case: Case, use: Use, predicted: ast.expr, given: ast.expr) -> str | None:
    """Return predictions in the form of labels that they are compared with, None where they are so or it is open."""
    model = case.call.model if case.call is not None else None
    labels, units = _labels(use, given), units_of(model)
    if labels is None or units is None or not _are_classes(labels) or (units > 1 and labels.ndim > 1):
        return None
    lineage = Lineage(use.scope.text, use.scope.text.around(predicted))
    values = lineage.of(predicted, place_of(predicted), PREDICT)
    names = [node for each in values for node in nodes_behind(each, PREDICT) if isinstance(node, ast.Name)]
    if not predicts(use, model, values) or is_changed_in_place(lineage, names):
        return None
    text, is_chance = ast.unparse(predicted), case.contract.output_activation in PROBABILITIES and is_raw(values)
    if units > 1:
        return f"np.argmax({text}, axis=1)" if is_chance else None
    column = f"({text})[:, 0]" if labels.ndim == 1 and _is_column(values) else text
    return f"({column} > 0.5)" if is_chance else column if column != text and not is_raw(values) else None


def _is_column(values: Sequence[ast.AST]) -> bool:
    """Whether values have the axes that predict() gives them: no index and no other call is between."""
    nodes = [node for each in values for node in nodes_behind(each, PREDICT)]
    calls = {called(each) for each in nodes if isinstance(each, ast.Call)}
    others = ast.Subscript | ast.IfExp | ast.ListComp | ast.GeneratorExp
    return calls <= {*OF_ONE_SHAPE} and not any(isinstance(each, others) for each in nodes)


def is_as_predicted(values: Sequence[ast.AST]) -> bool:
    """Whether values are predictions as they came: nothing was computed of them, and no column was added."""
    nodes = [each for value in values for each in nodes_behind(value, PREDICT)]
    calls = {called(each) for each in nodes if isinstance(each, ast.Call)}
    return calls <= {PREDICT, "array", "asarray"} and not any(isinstance(each, ast.BinOp) for each in nodes)


def _chosen_from(use: Use) -> ast.expr | None:
    """Return the scores that argmax chooses from, over the units of each example; None of any other expression."""
    node = use.node
    if not isinstance(node, ast.Call) or called(node) != "argmax" or not isinstance(node.func, ast.Attribute):
        return None
    is_method = not isinstance(use.value(node.func.value), ModuleType)
    given = [node.func.value, *node.args] if is_method else [*node.args]
    axis = keyword_of(node, "axis") or (given[1] if len(given) > 1 else None)
    return given[0] if given and axis is not None and ast.unparse(axis) in ("1", "-1") else None


def _sides(use: Use) -> tuple[ast.expr, ast.expr] | None:
    """Return the labels and the predictions of a score of scikit-learn's or TensorFlow's matrix, else None."""
    node = use.node
    if not isinstance(node, ast.Call) or called(node) not in SCORES:
        return None
    if not is_tensorflows_matrix(use, node) and not _is_of_sklearn(use, node.func):
        return None
    given = [each for each in node.args if not isinstance(each, ast.Starred)]
    true = keyword_of(node, "y_true") or keyword_of(node, "labels") if not given else given[0]
    predicted = given[1] if len(given) > 1 else keyword_of(node, "y_pred") or keyword_of(node, "predictions")
    return (true, predicted) if true is not None and predicted is not None else None


def is_tensorflows_matrix(use: Use, node: ast.Call) -> bool:
    """Whether a call is of tf.math.confusion_matrix."""
    return called(node) == "confusion_matrix" and str(getattr(use.value(node.func), "__module__", "")).startswith(
        "tensorflow"
    )


def _is_of_sklearn(use: Use, function: ast.expr) -> bool:
    root = function
    while isinstance(root, ast.Attribute):
        root = root.value
    value = use.value(function)
    if str(getattr(value, "__module__", "")).startswith("sklearn"):
        return True
    imports = [each for each in use.scope.text.nodes if isinstance(each, ast.ImportFrom | ast.Import)]
    return any(
        (alias.asname or alias.name).partition(".")[0] == getattr(root, "id", "")
        and (getattr(each, "module", None) or alias.name).startswith("sklearn")
        for each in imports
        for alias in each.names
    )


def _mixed(case: Case, use: Use, true: ast.expr, predicted: ast.expr) -> tuple[str, str, ast.expr, str] | None:
    """Return what was expected and received, the wrong expression and what stands for it; None where all fits."""
    model = case.call.model if case.call is not None else None
    labels, units = _labels(use, true), units_of(model)
    lineage = Lineage(use.scope.text, use.scope.text.around(use.node))
    values = lineage.of(predicted, place_of(use.node), PREDICT)
    if units is None or not predicts(use, model, values) or is_changed_in_place(lineage, values):
        return None
    rows = labels is not None and labels.ndim == 2 and labels.shape[1] > 1
    if calls_in(values, "argmax"):
        if labels is None or not rows or not _is_one_hot(labels):
            return None
        text = f"np.argmax({ast.unparse(true)}, axis=1)"
        return "class numbers on both sides", f"one-hot rows {labels.shape} and class numbers", true, text
    is_judged = _are_classes(labels) if labels is not None else case.contract.output_activation in PROBABILITIES
    if rows or not is_judged or not is_raw(values, *(() if labels is None or units == 1 else ROUNDING)):
        return None
    if units == 1 and isinstance(use.node, ast.Call) and is_tensorflows_matrix(use, use.node):
        return None  # which cuts them to 0: another rule's
    received = f"{'class numbers and ' if labels is not None else ''}{'rows of ' if units > 1 else ''}probabilities"
    return "class numbers on both sides", received, *_as_classes(predicted, units)


def is_raw(values: Sequence[ast.AST], *more: str) -> bool:
    """Whether values are what predict() returned: neither compared nor computed with, but by calls of more names."""
    nodes = [node for each in values for node in nodes_behind(each, PREDICT)]
    calls = {called(each) for each in nodes if isinstance(each, ast.Call)}
    return calls <= {*KEEPING, *more} and not any(isinstance(each, ast.Compare | ast.BinOp) for each in nodes)


def _as_classes(predicted: ast.expr, units: int) -> tuple[ast.expr, str]:
    """Return the expression of predictions that is replaced, and the classes in its place."""
    is_rounded = isinstance(predicted, ast.Call) and called(predicted) in ROUNDING
    text = ast.unparse(predicted.args[0] if is_rounded and isinstance(predicted, ast.Call) else predicted)
    return predicted, f"np.argmax({text}, axis=1)" if units > 1 else f"({text} > 0.5).astype(int)"


def _labels(use: Use, node: ast.expr) -> np.ndarray | None:
    chosen = node.value if isinstance(node, ast.Subscript) and _chooses_rows(use, node.slice) else node
    value = use.value(chosen)
    if value is None or not hasattr(value, "shape") or callable(value) or len(value.shape) not in (1, 2):
        return None
    labels = np.asarray(value)
    return labels if labels.size and labels.dtype.kind in "iufb" else None


def _chooses_rows(use: Use, index: ast.expr) -> bool:
    """Whether an index keeps all axes: a slice, a mask, an array of places."""
    return isinstance(index, ast.Slice | ast.Compare) or getattr(use.value(index), "ndim", 0) == 1


def units_of(model: Any) -> int | None:
    """Return the width of a built model's rows, None of outputs of another form."""
    shape = getattr(model, "output_shape", None) if getattr(model, "built", False) else None
    return shape[-1] if isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[-1], int) else None


def predicts(use: Use, model: Any, values: Sequence[ast.AST]) -> bool:
    """Whether values are made by predict() of a model, and of no other."""
    calls = [each.func for each in calls_in(values, "predict") if isinstance(each.func, ast.Attribute)]
    return bool(calls) and all(use.value(each.value) is model for each in calls)


def _is_one_hot(labels: np.ndarray) -> bool:
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all())


def _are_classes(labels: np.ndarray) -> bool:
    """Whether labels are class numbers on one axis, few of them."""
    flat = labels.reshape(-1)
    return bool((flat == np.round(flat)).all()) and len(np.unique(flat)) <= max(2, len(flat) // 5)
