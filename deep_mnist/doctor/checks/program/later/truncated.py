"""Checks of how probabilities become classes behind the fit: not by truncation, nor by argmax over the batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.given.predicted import is_changed_in_place
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.later.scored import (
    PREDICT,
    PROBABILITIES,
    SCORES,
    is_as_predicted,
    is_raw,
    is_tensorflows_matrix,
    predicts,
    units_of,
)
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, place_of
from deep_mnist.doctor.evidence.live.source_text import argument_of, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

CUT_TO_ZERO = Rule(
    code="P093",
    name="probabilities-cut-to-zero",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit the network's probabilities are made whole numbers as they are.",
    why="What is below 1 is cut to 0: every prediction is class 0, whatever the network says.",
)

OVER_THE_BATCH = Rule(
    code="P111",
    name="argmax-over-the-batch",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The class is chosen by argmax of a whole batch, without an axis or over axis 0, and not for each row.",
    why="Without an axis it is one place among all numbers, over axis 0 the best row of each class: no row's class.",
)
EQUAL = ("equal", "not_equal", "array_equal", *SCORES)


@check(OVER_THE_BATCH)
def check_over_the_batch(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    if call is None or call.verb != "fit" or (units_of(call.model) or 1) < 2:
        return
    uses = list(after_fit(case.frame, call.model))
    for use in uses:
        scores = _chosen_among_rows(use)
        if scores is None or not _are_of_rows(use, call.model, scores):
            continue
        calls = [node for node in ast.walk(use.statement) if isinstance(node, ast.Call)]
        over_rows = [node for node in calls if axis_of_argmax(node) in ("", "0")]
        if axis_of_argmax(use.node) == "0" and not any(_compares(each, use.node) for each in uses):
            continue
        yield OVER_THE_BATCH.found(
            expected="argmax over the classes of each row: axis=1",
            received=f"{ast.unparse(use.node)}, at {use.scope.text.at(use.node)}",
            fix=rewritten([(use, node, over_classes(node)) for node in over_rows]),
        )
        return


def axis_of_argmax(node: ast.AST) -> str | None:
    """Return the axis that a call of argmax states, "" of one that states none; None of what is no such call."""
    if not isinstance(node, ast.Call) or called(node) != "argmax" or not isinstance(node.func, ast.Attribute):
        return None
    stated = keyword_of(node, "axis") or next((each for each in node.args if isinstance(each, ast.Constant)), None)
    others = node.args[1:] if stated is None else ()
    return None if others else ast.unparse(stated) if stated is not None else ""


def over_classes(node: ast.Call) -> ast.Call:
    """Return a call of argmax with axis=1 in the place of its own."""
    kept = [each for each in node.keywords if each.arg != "axis"]
    given = [each for each in node.args if not isinstance(each, ast.Constant)]
    return ast.Call(node.func, given, [ast.keyword("axis", ast.Constant(1)), *kept])


def sides_of(node: ast.AST) -> list[ast.expr]:
    """Return what an expression compares, or scores against one another; [] of any other."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return [node.left, *node.comparators]
    return list(node.args) if isinstance(node, ast.Call) and called(node) in EQUAL else []


def _chosen_among_rows(use: Use) -> ast.expr | None:
    """Return the scores that argmax chooses from without an axis, or over axis 0; None of any other expression."""
    node = use.node
    if axis_of_argmax(node) not in ("", "0") or not isinstance(node, ast.Call):
        return None
    if any(isinstance(each, ast.Call) and called(each) == "unravel_index" for each in ast.walk(use.statement)):
        return None
    given = [each for each in node.args if not isinstance(each, ast.Constant)]
    return given[0] if given else node.func.value if isinstance(node.func, ast.Attribute) else None


def _are_of_rows(use: Use, model: Any, scores: ast.expr) -> bool:
    """Whether scores are what the model predicts for several rows, as they came."""
    values = Lineage(use.scope.text, use.scope.text.around(use.node)).of(scores, place_of(use.node), PREDICT)
    if not predicts(use, model, values) or not is_as_predicted(values):
        return False
    if any(isinstance(each, ast.Subscript) for each in ast.walk(scores)):
        return False
    given = [argument_of(each, 0, "x") for each in calls_in(values, PREDICT)]
    shapes = [getattr(use.value(each), "shape", None) or (0,) for each in given if each is not None]
    return len(shapes) == len(given) and all(len(each) > 1 and (each[0] or 0) > 1 for each in shapes)


def _compares(use: Use, chosen: ast.expr) -> bool:
    """Whether an expression compares with what argmax chose, or scores it."""
    node, sides = use.node, sides_of(use.node)
    lineage = Lineage(use.scope.text, use.scope.text.around(node)) if sides else None
    values = [each for side in sides for each in lineage.of(side, place_of(node), "argmax")] if lineage else []
    return any(each is chosen for value in values for each in ast.walk(value))


@check(CUT_TO_ZERO)
def check_truncated(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call, activation = case.call, case.contract.output_activation
    if call is None or call.verb != "fit" or activation not in PROBABILITIES or case.contract.outputs:
        return
    units = case.contract.output_units or 1
    for use in after_fit(case.frame, call.model):
        cut = _cut(use, units)
        if cut is not None and _are_probabilities(use, call.model, cut):
            text = ast.unparse(cut)
            chosen = f"({text} > 0.5)" if activation == "sigmoid" else f"np.argmax({text}, axis=-1)"
            yield CUT_TO_ZERO.found(
                expected="classes, by a threshold" if activation == "sigmoid" else "classes, by argmax",
                received=f"{ast.unparse(use.node)} of probabilities, at {use.scope.text.at(use.node)}",
                fix=rewritten([(use, cut, ast.parse(chosen, mode="eval").body)]),
            )
            return


def _cut(use: Use, units: int) -> ast.expr | None:
    """Return what an expression cuts to whole numbers, None of any other expression."""
    node = use.node
    if not isinstance(node, ast.Call):
        return None
    if called(node) == "astype" and isinstance(node.func, ast.Attribute):
        return node.func.value if _is_whole(use, argument_of(node, 0, "dtype")) else None
    if called(node) == "cast" and isinstance(node.func, ast.Attribute):
        return argument_of(node, 0, "x") if _is_whole(use, argument_of(node, 1, "dtype")) else None
    if isinstance(node.func, ast.Name) and node.func.id == "int":
        return node.args[0] if len(node.args) == 1 else None
    is_matrix = units == 1 and is_tensorflows_matrix(use, node)
    return argument_of(node, 1, "predictions") if is_matrix else None


def _is_whole(use: Use, dtype: ast.expr | None) -> bool:
    """Whether a type is one of whole numbers."""
    value: Any = use.value(dtype) if dtype is not None else None
    if isinstance(dtype, ast.Name) and dtype.id == "int":
        value = int
    value = getattr(value, "as_numpy_dtype", value)
    try:
        return value is not None and np.dtype(value).kind in "iu"
    except TypeError:
        return False


def _are_probabilities(use: Use, model: Any, cut: ast.expr) -> bool:
    """Whether an expression is what the model predicts, as it came."""
    lineage = Lineage(use.scope.text, use.scope.text.around(use.node))
    values = lineage.of(cut, place_of(use.node), PREDICT)
    return predicts(use, model, values) and is_raw(values) and not is_changed_in_place(lineage, values)
