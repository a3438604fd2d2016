"""Check of what compile() is given in the place of the weights of losses, which once was the metrics' place."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3
from deep_mnist.doctor.checks.program.first_step import TRIED, steps_as_keras_does
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, keyword_of
from deep_mnist.doctor.evidence.live.statements.compile_line import ORDER
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

METRICS_AS_WEIGHTS = Rule(
    code="C040",
    name="metrics-as-loss-weights",
    field="contract.loss",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="compile() is given metrics as loss_weights: the third argument by place, which was metrics in Keras 2.",
    why="Keras multiplies the loss by its weight: fit stops at the first step, as a metric is no number.",
)
PLACE = ORDER.index("loss_weights")


@check(METRICS_AS_WEIGHTS)
def check_loss_weights(case: Case) -> Iterator[Finding]:
    """Yield weights of losses that are names of metrics, metrics or functions."""
    call = case.call
    if call is None or call.verb not in TRIED or not is_of_keras_3(call.model) or not steps_as_keras_does(call.model):
        return
    stated = getattr(getattr(call.model, "_compile_loss", None), "_user_loss_weights", None)
    found = [each for each in _flat(stated) if _is_metric(each)]
    if not found:
        return
    titles = ", ".join(repr(each) if isinstance(each, str) else getattr(each, "__name__", str(each)) for each in found)
    yield METRICS_AS_WEIGHTS.found(
        expected="a number for each loss as loss_weights, and metrics by keyword",
        received=f"{titles} as loss_weights",
        fix=_by_keyword(case) or "Give compile() these by keyword: metrics=[…], and no loss_weights.",
    )


def _flat(stated: Any) -> list[Any]:
    held = list(stated.values()) if isinstance(stated, Mapping) else stated
    return list(held) if isinstance(held, list | tuple) else []


def _is_metric(stated: Any) -> bool:
    """Whether a weight of a loss is a metric, a function, or a word."""
    return stated.isidentifier() if isinstance(stated, str) else hasattr(stated, "update_state") or callable(stated)


def _by_keyword(case: Case) -> str:
    """Return the program's only line of compile() whose third argument is no number, with it as metrics=."""
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = [(each, given) for each in text.calls("compile") if (given := _gives(each)) is not None] if text else []
    if text is None or len(calls) != 1 or keyword_of(calls[0][0], "metrics") is not None:
        return ""
    (call, given), *_ = calls
    kept = [each for each in call.keywords if each.arg != "loss_weights"]
    again = ast.Call(call.func, call.args[:PLACE], [ast.keyword("metrics", given), *kept])
    is_alone = isinstance(text.statement_of(call), ast.Expr) and len(call.args) <= PLACE + 1
    return text.with_expression(call, again) if is_alone else ""


def _gives(call: ast.Call) -> ast.expr | None:
    """Return what a call of compile() gives as loss_weights; None of numbers alone."""
    given = argument_of(call, PLACE, "loss_weights")
    held = given.elts if isinstance(given, ast.List | ast.Tuple) else [given]
    numbers = all(isinstance(each, ast.Constant) and not isinstance(each.value, str) for each in held)
    return None if given is None or numbers else given
