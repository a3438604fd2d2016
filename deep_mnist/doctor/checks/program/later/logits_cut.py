"""Check of logits that are cut behind the fit at a threshold of probabilities, such as 0.5, or rounded."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

from deep_mnist.contract.losses import BINARY_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.given.predicted import is_changed_in_place
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.later.scored import PREDICT, ROUNDING, is_raw, predicts
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ORDERING = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)
FINEST = 0.01  # steps of a threshold that people state for probabilities; one that was computed has more digits

LOGITS_CUT = Rule(
    code="P155",
    name="logits-cut-as-probabilities",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit logits are cut at a threshold of probabilities, such as 0.5, or rounded.",
    why="A logit of 0.5 is a probability of 0.62: what lies between counts for the other class. The middle is 0.",
)


@check(LOGITS_CUT)
def check_logits_cut(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, whose fix is for all places."""
    call, contract = case.call, case.contract
    if call is None or call.verb != "fit" or contract.outputs or contract.output_activation != "linear":
        return
    if contract.loss not in BINARY_LOSSES or not contract.from_logits:
        return
    found = [(use, *each) for use in after_fit(case.frame, call.model) if (each := _cut(use, call.model)) is not None]
    if found:
        use = found[0][0]
        yield LOGITS_CUT.found(
            expected="logits cut at 0, or the sigmoid of them at 0.5: the loss has from_logits=True",
            received=f"{ast.unparse(use.node)} of logits, at {use.scope.text.at(use.node)}",
            fix=rewritten(found),
        )


def _cut(use: Use, model: Any) -> tuple[ast.expr, ast.expr] | None:
    """Return the part of an expression that cuts logits, and what stands for it; None of any other expression."""
    node = use.node
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ORDERING):
        for scores, threshold in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            level = _level(use, threshold)
            if level is not None and _are_logits(use, model, scores):
                return threshold, ast.Constant(round(math.log(level / (1 - level)), 3) or 0)
    if isinstance(node, ast.Call) and called(node) in ROUNDING and not node.keywords:
        given = [node.func.value] if isinstance(node.func, ast.Attribute) and not node.args else node.args
        if len(given) == 1 and _are_logits(use, model, given[0]):
            return node, ast.Compare(given[0], [ast.Gt()], [ast.Constant(0)])
    return None


def _level(use: Use, node: ast.expr) -> float | None:
    """Return a stated threshold between 0 and 1, None of any other expression."""
    value = use.value(node)
    if not isinstance(value, float) or not 0 < value < 1:
        return None
    return value if math.isclose(value / FINEST, round(value / FINEST), abs_tol=1e-6) else None


def _are_logits(use: Use, model: Any, scores: ast.expr) -> bool:
    """Whether an expression is what the model predicts, as it came."""
    lineage = Lineage(use.scope.text, use.scope.text.around(use.node))
    values = lineage.of(scores, place_of(use.node), PREDICT)
    return predicts(use, model, values) and is_raw(values) and not is_changed_in_place(lineage, values)
