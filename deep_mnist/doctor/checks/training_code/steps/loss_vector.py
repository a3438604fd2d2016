"""Check of what a step of one's own gives its tape: one number, and not a loss for each example, which is summed."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.loss_lines import LossLines, lines_of
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

FOLLOWS_THE_SIZE = ("SGD",)  # optimizers whose step is as long as the gradient; others divide by its size

SUMMED = Rule(
    code="P107",
    name="loss-of-each-example-summed",
    field="rehearsal.gradients",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A step of one's own gives its tape a loss of Keras for each example, and the tape adds them up.",
    why="The gradient is that of the mean times the size of the batch: the learning rate is as many times too large.",
    follows=(Follows(fields=("contract.loss",), on=On.ANY_SPLIT, least="error"),),
)


@check(SUMMED)
def check_loss_is_one_number(case: Case) -> Iterator[Finding]:
    """Yield a loss of Keras without a mean that goes to the tape; a note where the optimizer makes up for it."""
    step = step_of(case)
    if step is None:
        return
    loss = step.first.loss
    shape = tuple(getattr(loss, "shape", None) or ())
    if not shape or None in shape or math.prod(shape) < 2:
        return
    lines = lines_of(case)
    call = _only_loss(lines, step)
    if call is None or lines.text is None:
        return
    mean = ast.Call(ast.parse("tf.reduce_mean", mode="eval").body, [call], [])
    yield SUMMED.found(
        severity="" if _follows_the_size(step) else "note",
        expected="one number for the tape: the mean over the batch",
        received=f"{' x '.join(map(str, shape))} losses of {called(call)} in {step.name} ({lines.text.at(call)}), "
        "which the tape adds up",
        fix=lines.text.with_expression(call, mean) or "Take tf.reduce_mean of the loss before it is given to the tape.",
    )


def _only_loss(lines: LossLines, step: OwnStep) -> ast.Call | None:
    """Return the call of a loss of Keras whose result, as it is, goes to the tape; None of anything else."""
    asked = [each for of in lines.statements for each in ast.walk(of) if isinstance(each, ast.Call)
             and called(each) == "gradient" and each.args]  # fmt: skip
    given = asked[0].args[0] if asked else None
    if not isinstance(given, ast.Name):
        return None
    set_to = [each.value for each in lines.statements if isinstance(each, ast.Assign | ast.AugAssign)
              and given.id in {getattr(name, "id", "") for of in _targets(each) for name in ast.walk(of)}]  # fmt: skip
    call = set_to[0] if len(set_to) == 1 else None
    return call if isinstance(call, ast.Call) and _is_loss(call, lines, step) else None


def _targets(statement: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _is_loss(call: ast.Call, lines: LossLines, step: OwnStep) -> bool:
    """Whether a call is of a function of keras.losses or tf.nn, or of an object of a loss."""
    name, keras = called(call), sys.modules["keras"]
    value: Any = lines.text.value_of(call.func) if lines.text is not None else None
    if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self":
        value = getattr(step.model, name, None)
    if value is None and isinstance(call.func, ast.Attribute):
        return name.islower() and (hasattr(keras.losses, name) or name.endswith("cross_entropy_with_logits"))
    return isinstance(value, keras.losses.Loss) or (name.islower() and value is getattr(keras.losses, name, ""))


def _follows_the_size(step: OwnStep) -> bool:
    optimizers = [getattr(step.model, "optimizer", None), *step.owners]
    return any(type(each).__name__ in FOLLOWS_THE_SIZE for each in optimizers)
