"""Check of the number of values that the program takes from evaluate() behind the fit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.logs import RATE, logs_of
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OTHER_COUNT = Rule(
    code="P083",
    name="evaluate-gives-other-number-of-values",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit the program takes another number of values from evaluate() than the loss and metrics are.",
    why="The program stops with a ValueError or TypeError after it has trained.",
)


@check(OTHER_COUNT)
def check_evaluated(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    model = case.call.model if case.call is not None and case.call.verb == "fit" else None
    logs = logs_of(case) if model is not None else None
    if logs is None or "evaluate" in own_names(model):
        return
    names = [each for each in logs.of_train if each != RATE]
    for use in after_fit(case.frame, model):
        if use.scope.made_anew:
            return
        target = _unpacked(use, model)
        if target is not None and len(target.elts) != len(names):
            yield OTHER_COUNT.found(
                expected=f"{len(names)} of evaluate(): {', '.join(names)}",
                received=f"{ast.unparse(target)}, at {use.scope.text.at(target)}",
                fix=_fix(use, target, names),
            )
            return


def _unpacked(use: Use, model: Any) -> ast.Tuple | ast.List | None:
    """Return the names that the values of model.evaluate(…) are given to, None of any other expression."""
    statement = use.statement
    if not isinstance(use.node, ast.Tuple | ast.List) or not isinstance(statement, ast.Assign):
        return None
    call = statement.value
    if use.node not in statement.targets or any(isinstance(each, ast.Starred) for each in use.node.elts):
        return None
    if not isinstance(call, ast.Call) or called(call) != "evaluate" or not isinstance(call.func, ast.Attribute):
        return None
    is_list = keyword_of(call, "return_dict") is None and all(each.arg is not None for each in call.keywords)
    return use.node if is_list and use.value(call.func.value) is model else None


def _fix(use: Use, target: ast.Tuple | ast.List, names: list[str]) -> str:
    """Return the line with a name for each value; where there are more names than values, what compile() lacks."""
    given = [ast.unparse(each) for each in target.elts]
    if len(given) > len(names):
        return f"Give compile() metrics for {', '.join(given[len(names) :])}, or leave these names out."
    more = [ast.Name("".join(c if c.isalnum() else "_" for c in each)) for each in names[len(given) :]]
    return rewritten([(use, target, ast.Tuple([*target.elts, *more], ast.Store()))])
