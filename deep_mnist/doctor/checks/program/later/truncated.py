"""Check of probabilities that become whole numbers behind the fit by truncation: each of them is 0."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.predicted import is_changed_in_place
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.later.scored import (
    PREDICT,
    PROBABILITIES,
    is_raw,
    is_tensorflows_matrix,
    predicts,
)
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.source_text import argument_of, called
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
