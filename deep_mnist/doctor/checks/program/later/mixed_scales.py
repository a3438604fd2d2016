"""Check of errors that are measured behind the fit between numbers on two scales: scaled, and turned back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.inverted import INVERSE
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.later.scored import PREDICT, predicts
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, place_of
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ERROR = re.compile(r"(^|_)(r?mse|mae|mape|smape|r2|error|rmsle|nse)(_|$)|explained_variance", re.IGNORECASE)
SHAPING = ("reshape", "ravel", "flatten", "squeeze", "to_numpy", "numpy", "copy", "astype")
MAKING = ("array", "asarray", "squeeze", "ravel", "reshape")
FLAT = ("ravel", "flatten", "squeeze")
LOOKED_AT = 2000  # numbers of each side
MOST_TIMES = 3  # that numbers of one scale, of two splits, spread wider than each other

TWO_SCALES = Rule(
    code="P157",
    name="error-between-two-scales",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit an error is measured between predictions that were turned back and numbers still scaled.",
    why="The error is the distance between the two scales, whatever the network says.",
)


@check(TWO_SCALES)
def check_two_scales(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call, targets = case.call, _numbers(case.train.labels)
    if call is None or call.verb != "fit" or targets is None:
        return
    for use in after_fit(case.frame, call.model):
        for predicted, given in _pairs(use):
            back = _turned_back(use, call.model, predicted)
            values = _numbers(_value(use, given)) if back is not None else None
            if back is None or values is None or _is_turned_back(use, given):
                continue
            others = _columns_behind(back[1], targets)
            if others and _are_alike(values, targets) and not any(_are_alike(values, each) for each in others):
                yield _found(use, given, back, values, targets, others[0])
                return


def _pairs(use: Use) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield both sides of a difference, and what a measure of errors is given, in either order."""
    node = use.node
    sides: Sequence[ast.expr] = ()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        sides = (node.left, node.right)
    elif isinstance(node, ast.Call) and ERROR.search(called(node)):
        named = {each.arg: each.value for each in node.keywords if each.arg}
        both = (named.get("y_true"), named.get("y_pred"))
        sides = node.args[:2] if len(node.args) > 1 else tuple(each for each in both if each is not None)
    if len(sides) == 2:
        yield sides[0], sides[1]
        yield sides[1], sides[0]


def _turned_back(use: Use, model: Any, node: ast.expr) -> tuple[ast.Call, Any] | None:
    """Return the call of inverse_transform() on predictions of the model, and its scaler; None of anything else."""
    lineage = Lineage(use.scope.text, use.scope.text.around(node))
    values = lineage.of(node, place_of(node), PREDICT)
    calls = calls_in(values, INVERSE)
    if len(calls) != 1 or not isinstance(calls[0].func, ast.Attribute) or not predicts(use, model, values):
        return None
    inner = lineage.of(calls[0], place_of(calls[0]), PREDICT)
    scaler = use.value(calls[0].func.value)
    return (calls[0], scaler) if scaler is not None and calls_in(inner, PREDICT) else None


def _is_turned_back(use: Use, node: ast.expr) -> bool:
    """Whether what an expression is made of behind the fit may be on the other scale already."""
    lineage = Lineage(use.scope.text, use.scope.text.around(node))
    return bool(calls_in(lineage.of(node, place_of(node)), INVERSE, PREDICT))


def _value(use: Use, node: ast.expr) -> Any:
    """Return the array that an expression is a part or another shape of, None where it is not known."""
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and called(node) in MAKING and node.args and use.value(node.func):
            node = node.args[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SHAPING:
            node = node.func.value
        elif isinstance(node, ast.Attribute) and node.attr in ("values", "T"):
            node = node.value
        else:
            return use.value(node)


def _numbers(value: Any) -> np.ndarray | None:
    """Return some numbers of an array or table of real numbers, as float64 (n,); None of anything else."""
    if not hasattr(value, "shape") or isinstance(value, type) or len(getattr(value, "shape", ())) not in (1, 2, 3):
        return None
    step = max(1, len(value) // LOOKED_AT)
    try:
        found = np.asarray(value[::step], np.float64).reshape(-1)
    except (TypeError, ValueError, KeyError):
        return None
    found = found[np.isfinite(found)]
    return found if len(found) > 1 else None


def _are_alike(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether numbers may be on one scale: they lie within each other's range, and spread as widely."""
    one, other = float(values.std()), float(others.std())
    is_within = others.min() <= np.median(values) <= others.max() and values.min() <= np.median(others) <= values.max()
    return bool(is_within and one < MOST_TIMES * other and other < MOST_TIMES * one)


def _columns_behind(scaler: Any, targets: np.ndarray) -> list[np.ndarray]:
    """Return what a scaler turns targets (n,) back to, as each of its columns; [] where it cannot be tried."""
    columns = getattr(scaler, "n_features_in_", None) or np.size(getattr(scaler, "scale_", ()))
    if not isinstance(columns, int) or not 0 < columns < LOOKED_AT:
        return []
    try:
        with unchanged_random_states():
            made = np.asarray(scaler.inverse_transform(np.repeat(targets[:, None], columns, axis=1)), np.float64)
    except Exception:  # a scaler of the user's may raise anything
        return []
    return [made[:, each] for each in range(columns)] if made.shape == (len(targets), columns) else []


def _found(
    use: Use, given: ast.expr, back: tuple[ast.Call, Any], values: np.ndarray, own: np.ndarray, other: np.ndarray
) -> Finding:
    owner = ast.unparse(back[0].func.value) if isinstance(back[0].func, ast.Attribute) else ""
    return TWO_SCALES.found(
        expected=f"both on one scale: {owner} turns train's targets back to about {_told(other)}",
        received=f"{ast.unparse(use.node)[:80]}, at {use.scope.text.at(use.node)}: {ast.unparse(given)} is of "
        f"{_told(values)}, as train's targets ({_told(own)}), and the predictions were turned back",
        fix=_fix(use, given, back, owner),
    )


def _told(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def _fix(use: Use, given: ast.expr, back: tuple[ast.Call, Any], owner: str) -> str:
    """Return the statement in which the other side is turned back by the same scaler, in the predictions' form."""
    columns = getattr(back[1], "n_features_in_", 1)
    if columns != 1:
        return f"Turn {ast.unparse(given)} back as the predictions are, with {owner}.{INVERSE}()."
    node = use.node
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else node.args if isinstance(node, ast.Call) else []
    other = next((each for each in sides if each is not given), given)
    lineage = Lineage(use.scope.text, use.scope.text.around(node))
    nodes = [each for value in lineage.of(other, place_of(other), INVERSE) for each in ast.walk(value)]
    is_flat = any(
        isinstance(each, ast.Subscript) or (isinstance(each, ast.Call) and called(each) in FLAT) for each in nodes
    )
    text = f"{owner}.{INVERSE}(np.reshape({ast.unparse(given)}, (-1, 1))){'[:, 0]' if is_flat else ''}"
    return rewritten([(use, given, ast.parse(text, mode="eval").body)])
