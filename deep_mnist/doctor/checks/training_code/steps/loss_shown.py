"""Check of a train_step that updates `compiled_metrics`, as Keras 2 had it: Keras 3 counts predictions as the loss."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import outputs_of, step_of
from deep_mnist.doctor.evidence.live.own_code import names_in
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

OLD = "self.compiled_metrics.update_state"
SAME, OTHER = 1e-4, 1e-2  # shares by which one number may differ from another that it is, and must from one it is not

PREDICTIONS_SHOWN = Rule(
    code="P172",
    name="predictions-shown-as-loss",
    field="fit.history",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The loss that a train_step of one's own returns is the mean of the predictions: compiled_metrics of "
    "Keras 3 updates every mean among the metrics with them, that of the loss too.",
    why="Training is right, but what is shown is no loss, and callbacks that watch it follow a number without meaning.",
    follows=(Follows(rules=("P074", "P150"), on=On.ANY_SPLIT),),
)


@check(PREDICTIONS_SHOWN)
def check_loss_shown(case: Case) -> Iterator[Finding]:
    """Yield the line of compiled_metrics, where the loss of one run of the step is the mean of what it predicted."""
    step = step_of(case) if case.call is not None and case.call.step is None else None
    if step is None or step.code is None or case.frame is None or "compiled_metrics" not in names_in(step.code):
        return
    text = ProgramText(case.frame, step.code.co_filename)
    definition = text.function_at(step.code)
    calls = [each for each in text.calls("update_state") if ast.unparse(each.func) == OLD]
    statement = text.statement_of(calls[0]) if len(calls) == 1 else None
    shown = _shown(case, step) if isinstance(statement, ast.Expr) and definition is not None else None
    if shown is None or statement is None or definition is None:
        return
    loss, told, is_added = shown
    yield PREDICTIONS_SHOWN.found(
        expected=f'{step.name} to return the loss that its tape is given as "loss": {loss:.3g} on the first examples',
        received=f"{told:.3g}, {'half of it ' if is_added else ''}the mean of the predictions, by {OLD} at "
        f"{text.at(calls[0])}",
        fix=_fix(text, definition, statement, calls[0], is_added=is_added),
    )


def _shown(case: Case, step: OwnStep) -> tuple[float, float, bool] | None:
    """Return the loss, what the step returns as such, and whether it counts that too; None where it is the loss."""
    tf, outputs, logs = sys.modules["tensorflow"], outputs_of(case, step.x), dict[str, Any]()
    if outputs is None:
        return None

    def run(x: Any, y: Any) -> None:
        step.model.reset_metrics()
        logs.update(step.model.train_step((x, y)))

    record = replace(step, run=run).record(predictions=tf.constant(outputs))
    try:
        loss, told = float(np.mean(record.loss)), float(logs["loss"])
    except (KeyError, TypeError, ValueError):
        return None
    mean = float(np.mean(outputs))
    if record.error is not None or math.isclose(told, loss, rel_tol=OTHER, abs_tol=OTHER):
        return None
    is_added = math.isclose(told, (mean + loss) / 2, rel_tol=SAME, abs_tol=SAME)
    return (loss, told, is_added) if is_added or math.isclose(told, mean, rel_tol=SAME, abs_tol=SAME) else None


def _fix(text: ProgramText, definition: ast.FunctionDef, statement: ast.stmt, call: ast.Call, *, is_added: bool) -> str:
    """Return the line that updates the metrics of compile() alone, and the mean of the loss with the loss."""
    given = ", ".join(map(ast.unparse, [*call.args, *call.keywords]))
    metrics = f"self.compute_metrics(None, {given})"
    asked = [each.args[0] for each in ast.walk(definition) if isinstance(each, ast.Call) and called(each) == "gradient"
             and each.args]  # fmt: skip
    if is_added:
        return text.in_place(metrics, statement)
    if len(asked) != 1 or not isinstance(asked[0], ast.Name):
        return 'for metric in self.metrics: give the one named "loss" the loss, and the others (y, y_pred).'
    first = f"next(each for each in self.metrics if each.name == 'loss').update_state({asked[0].id})"
    return text.in_place(f"{first}; {metrics}", statement)
