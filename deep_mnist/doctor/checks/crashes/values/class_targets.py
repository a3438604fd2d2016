"""Targets that scikit-learn does not take for classes: rows of one-hot codes, numbers without end, columns of one."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import AXES_OTHER, KIND_OTHER
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

REFUSED = re.compile(
    r"Supported target types are: .*Got '?([\w-]+)'? instead|Unknown label type: [('\[]*([\w-]+)|"
    r"(?:y should be a 1d array, got an array of|bad input) shape \(?(\d+), ?\d+\)"
)
STRATIFIED = re.compile(r"Stratified(?=(?:Group)?(?:KFold|ShuffleSplit))")
MOST_CLASSES = 20  # numbers that may be classes, though they are fractions
EACH = 5  # rows of each of these


def explain_class_targets(crash: Crash) -> Finding | None:
    """Name the targets that are no class numbers, and the user's line with what is."""
    step = crash.user
    match = REFUSED.search(crash.text) if isinstance(crash.error, ValueError) else None
    node, given = _targets(crash, step) if step is not None and match is not None else (None, None)
    if step is None or match is None or node is None or given is None:
        return None
    text, values = ast.unparse(node), np.asarray(given)
    if values.ndim == 2 and (numbers := _numbers_of(values, text)):
        fix = _everywhere(step, node, numbers)
        return crash.found(
            AXES_OTHER, "one class number for each row, (n,)", f"{text} of shape {values.shape}, one-hot", fix
        )
    if hasattr(given, "iloc") and (columns := _column_by_column(step, node)):
        return crash.found(AXES_OTHER, "one column, (n,)", f"{text} of shape {values.shape}", columns)
    if values.ndim == 1 and values.dtype.kind == "O":
        fix = _everywhere(step, node, _typed(text, values))
        return crash.found(KIND_OTHER, "classes of one type", f"{text}, an array of objects", fix)
    if values.ndim != 1 or values.dtype.kind != "f":
        return None
    return _of_numbers(crash, step, node, values)


def _of_numbers(crash: Crash, step: TraceStep, node: ast.expr, values: Any) -> Finding:
    """The finding on targets that are numbers: a few that stand for classes, or amounts."""
    text, kinds = ast.unparse(node), np.unique(values[np.isfinite(values)])
    if len(kinds) <= MOST_CLASSES and len(values) >= EACH * len(kinds):
        fix = _everywhere(step, node, f"np.unique({text}, return_inverse=True)[1]")
        return crash.found(
            KIND_OTHER, "class numbers", f"{len(kinds)} fractions in {text}, such as {kinds[0]:.4g}", fix
        )
    received = f"{text}, {len(kinds)} numbers of {kinds.min(initial=0):.4g}..{kinds.max(initial=0):.4g}"
    return crash.found(KIND_OTHER, "classes, where amounts have none", received, _without_classes(step))


def _targets(crash: Crash, step: TraceStep) -> tuple[ast.expr | None, Any]:
    """Return the expression of the targets on the user's line, and what it holds."""
    of_library = [each.held for each in crash.steps if not each.is_own]
    given: Any = next((held["y"] for held in of_library if held.get("y") is not None), None)  # outermost: as it came
    for call in step.on_line(ast.Call):
        for each in reversed([*call.args, *(named.value for named in call.keywords)]):
            held = held_by(each, step.frame)
            if held is not None and hasattr(held, "shape") and np.shape(held) == np.shape(given):
                if held is given or np.array_equal(np.asarray(held), np.asarray(given)):
                    return each, held
    last = step.call.args[-1] if step.call is not None and step.call.args else None
    return (last, given) if last is not None and held_by(last, step.frame) is None else (None, None)


def _numbers_of(values: Any, text: str) -> str:
    """Return the code of the class number of each row, "" where rows are no codes of one class."""
    if values.shape[1] == 1:
        return f"np.ravel({text})"
    if values.dtype.kind not in "fiub" or not np.isin(values, (0, 1)).all() or not (values.sum(axis=1) == 1).all():
        return ""
    return f"np.argmax({text}, axis=1)"


def _column_by_column(step: TraceStep, node: ast.expr) -> str:
    """Return the user's line with an encoder fitted to each column of a table, "" of other calls."""
    call = step.call
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr != "fit_transform":
        return ""
    return line_changed(step, [(call, f"{ast.unparse(node)}.apply({ast.unparse(call.func)})")])


def _typed(text: str, values: Any) -> str:
    numbers = all(isinstance(each, int | float | np.number) for each in values.tolist())
    return f"{text}.astype({'int' if numbers else 'str'})"


def _everywhere(step: TraceStep, node: ast.expr, code: str) -> str:
    """Return the user's line with code in the place of an expression, wherever it stands on the line."""
    text = ast.unparse(node)
    same = [each for each in step.on_line(type(node)) if ast.unparse(each) == text]  # type: ignore[type-var]
    loaded = [each for each in same if not isinstance(getattr(each, "ctx", None), ast.Store)]
    return line_changed(step, [(each, code) for each in loaded])


def _without_classes(step: TraceStep) -> str:
    """Return the line that makes the split, or the estimator, without classes."""
    text = ProgramText(step.frame, step.file)
    made = [each for each in text.nodes if isinstance(each, ast.Call) and STRATIFIED.match(_name(each))]
    if len(made) == 1:
        plain = STRATIFIED.sub("", _name(made[0]))
        line = line_changed(step, [(made[0].func, plain)])
        return f"{line}; from sklearn.model_selection import {plain}"
    return "Take a regressor, such as sklearn.linear_model.Ridge; a classifier is for class numbers."


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]
