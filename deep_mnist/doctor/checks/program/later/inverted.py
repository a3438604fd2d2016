"""Check of inverse_transform() behind the fit: predictions of fewer columns than the scaler was fitted on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.later.scored import is_raw, predicts, units_of
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, nodes_behind, place_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

INVERSES = {  # of one column's numbers, by the scaler's class
    "MinMaxScaler": "({0} - {1}.min_[{2}]) / {1}.scale_[{2}]",
    "StandardScaler": "{0} * {1}.scale_[{2}] + {1}.mean_[{2}]",
    "RobustScaler": "{0} * {1}.scale_[{2}] + {1}.center_[{2}]",
    "MaxAbsScaler": "{0} * {1}.scale_[{2}]",
}
INVERSE, PREDICT = "inverse_transform", "predict"
FITTING = ("fit", "fit_transform", "partial_fit")
LOOKED_AT = 50  # targets, which column they are of

OTHER_COLUMNS = Rule(
    code="P096",
    name="inverse-of-other-columns",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit predictions go to inverse_transform() of a scaler that was fitted on more columns.",
    why="scikit-learn stops with a ValueError after the training: the columns do not fit each other.",
)


@check(OTHER_COLUMNS)
def check_inverted(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    units = units_of(call.model) if call is not None and call.verb == "fit" else None
    if call is None or units is None:
        return
    fitted_again: set[int] = set()
    for use in after_fit(case.frame, call.model):
        node = use.node
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        scaler = use.value(node.func.value)
        columns = _columns(scaler)
        if node.func.attr in FITTING:
            fitted_again.add(id(scaler))
        if node.func.attr != INVERSE or not columns or not node.args or id(scaler) in fitted_again:
            continue
        if columns != units and _is_as_predicted(use, call.model, node.args[0]):
            yield OTHER_COLUMNS.found(
                expected=f"{columns} columns, as {ast.unparse(node.func.value)} was fitted on",
                received=f"{ast.unparse(node.args[0])} of {units}, at {use.scope.text.at(node)}",
                fix=_fix(case, use, node, node.func.value, scaler),
            )
            return


def _columns(scaler: Any) -> int:
    """Return how many columns a scaler of scikit-learn's refuses all others but, 0 where it takes others too."""
    known = getattr(scaler, "n_features_in_", 0) if type(scaler).__name__ in INVERSES else 0
    return known if isinstance(known, int) and known > 1 and np.shape(getattr(scaler, "scale_", ())) == (known,) else 0


def _is_as_predicted(use: Use, model: Any, given: ast.expr) -> bool:
    """Whether an expression is what predict() returned, column by column."""
    values = Lineage(use.scope.text, use.scope.text.around(use.node)).of(given, place_of(use.node), PREDICT)
    parts = [type(each) for value in values for each in nodes_behind(value, PREDICT)]
    return predicts(use, model, values) and is_raw(values) and ast.Subscript not in parts


def _fix(case: Case, use: Use, node: ast.Call, of: ast.expr, scaler: Any) -> str:
    owner, given = ast.unparse(of), ast.unparse(node.args[0])
    column = _column_of_targets(case, scaler)
    if column is None:
        return f"Fit a scaler of its own on the targets, and invert {given} with it in place of {owner}."
    text = INVERSES[type(scaler).__name__].format(given, owner, column)
    return rewritten([(use, node, ast.parse(text, mode="eval").body)])


def _column_of_targets(case: Case, scaler: Any) -> int | None:
    """Return which column of what the scaler made the targets are numbers of, None where that is not clear."""
    targets = case.train.labels
    if targets is None or not targets.size or targets.dtype.kind != "f" or case.frame is None:
        return None
    some = np.unique(np.asarray(targets, np.float64).reshape(-1)[:: max(1, targets.size // LOOKED_AT)])
    tables = [each for each in case.frame.f_locals.values() if _is_table(each, scaler.n_features_in_)]
    for table in tables:
        held = np.asarray(table, np.float64)
        of = [
            at for at in range(held.shape[1]) if np.isin(some.astype(np.float32), held[:, at].astype(np.float32)).all()
        ]
        if len(of) == 1:
            return of[0]
    return None


def _is_table(value: Any, columns: int) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == columns and value.dtype.kind == "f"
