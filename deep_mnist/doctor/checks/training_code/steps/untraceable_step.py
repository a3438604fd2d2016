"""A model's own train_step that runs eagerly and not as the graph that fit makes of it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.raised import told
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.source_text import ProgramText, with_keywords
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

OF_SYMBOLS = re.compile(r"symbolic|only available when eager", re.IGNORECASE)
OWN_WAYS = {"fit", "make_train_function"}  # that may run the step eagerly

UNTRACEABLE = Rule(
    code="P150",
    name="train-step-needs-numbers",
    field="rehearsal.updates",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A train_step of one's own asks tensors for their numbers, by numpy(), float(), numpy or if, and fit runs "
    "it as a graph, whose tensors have none yet.",
    why="fit stops at its first step.",
    follows=(Follows(rules=("P019", "P074", "P076", "P110"), on=On.ANY_SPLIT),),
)


@check(UNTRACEABLE)
def check_step_is_traceable(case: Case) -> Iterator[Finding]:
    """Yield the line at which a train_step that runs eagerly ends when fit makes a graph of it."""
    call = case.call
    if call is None or call.verb != "fit" or call.step is not None or OWN_WAYS & own_names(call.model):
        return
    step = step_of(case)
    if step is None or step.first.error is not None or runs_eagerly(call.model):
        return
    error = _error_of(step)
    user = Crash(error).user if error is not None and OF_SYMBOLS.search(str(error)) else None
    if error is None or user is None:
        return
    yield UNTRACEABLE.found(
        expected=f"operations of TensorFlow and Keras in {step.name} ({step.place}), or run_eagerly=True in compile()",
        received=f"{user.text}, which as a graph {told(error)}",
        fix=run_eagerly(case),
    )


def runs_eagerly(model: Any) -> bool:
    """Whether fit makes no graph of a model's steps."""
    return bool(model.run_eagerly or sys.modules["tensorflow"].config.functions_run_eagerly())


def _error_of(step: OwnStep) -> Exception | None:
    """Return what a step raises when it is traced as fit does: without autograph, for batches of any size."""
    tf = sys.modules["tensorflow"]
    given = (step.x,) if step.y is None else (step.x, step.y)
    specs = tf.nest.map_structure(lambda each: tf.TensorSpec((None, *each.shape[1:]), each.dtype), given)

    def traced(*_: Any) -> None:
        def run(*data: Any) -> Any:
            return step.run(data[0], data[1] if len(data) > 1 else None)

        tf.function(run, autograph=False).get_concrete_function(*specs)

    return replace(step, run=traced).record().error


def run_eagerly(case: Case) -> str:
    """Return the source's own call of compile() with run_eagerly=True, or what to write there."""
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = [each for each in text.calls("compile") if ast.unparse(each.func) != "re.compile"] if text else []
    statement = text.statement_of(calls[0]) if text is not None and len(calls) == 1 else None
    if text is None or statement is None:
        return "model.run_eagerly = True"
    return text.in_place(
        ast.unparse(with_keywords(statement, calls[0], {"run_eagerly": ast.Constant(True)})), statement
    )
