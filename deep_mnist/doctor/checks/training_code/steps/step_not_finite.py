"""Check of a step of one's own: its first loss and gradients are to be numbers, on the batch that it begins with."""

from __future__ import annotations

import ast
import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.own_gradients import KEPT_OFF, causes_in, kept_off
from deep_mnist.doctor.evidence.live.own_step import OwnStep, StepRecord
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

# Whoever asks such of a loss or of gradients knows that they may be no numbers.
GUARDS = ("is_nan", "is_inf", "is_finite", "isnan", "isinf", "isfinite", "nan_to_num", "check_numerics")

STEP_NOT_FINITE = Rule(
    code="P106",
    name="step-not-finite",
    field="rehearsal.gradients",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The first step of one's own ends in a loss or gradients that are NaN or infinite.",
    why="The first update makes the weights NaN, and the loss is NaN from then on.",
    follows=(
        Follows(
            fields=("contract.loss", "images.finite", "labels.finite", "images.range"), on=On.ANY_SPLIT, least="error"
        ),
        Follows(rules=("P070", "P071", "P074", "P076"), on=On.ANY_SPLIT),
    ),
)
Cause = tuple[ProgramText, int]  # and a line of it


@check(STEP_NOT_FINITE)
def check_step_is_finite(case: Case) -> Iterator[Finding]:
    """Yield a step whose first loss or gradients are no numbers, with the line that makes the first such number."""
    step = step_of(case)
    if step is None or not step.is_exact or _is_guarded(case, step):
        return
    record = step.first
    if record.error is not None or not _is_finite(step.x) or not _is_finite(step.y) or _is_scaled(step):
        return
    lost = _lost(record)
    if not lost:
        return
    cause = _first_line(step)
    at = f", at first in {cause[0].at(ast.Pass(lineno=cause[1]))}" if cause is not None else ""
    yield STEP_NOT_FINITE.found(
        expected="a finite loss, and finite gradients, of the first batch",
        received=f"{step.name} ({step.place}) makes {lost}{at}",
        fix=_fix(cause) if cause is not None else kept_off(causes_in(case)),
    )


def _is_guarded(case: Case, step: OwnStep) -> bool:
    text = ProgramText(case.frame, step.code.co_filename) if case.frame is not None and step.code is not None else None
    held = [text.statement_of(each) for each in text.calls(*GUARDS)] if text is not None else []
    return any(word in ast.unparse(each).lower() for each in held if each is not None for word in ("loss", "grad"))


def _is_scaled(step: OwnStep) -> bool:
    """Whether float16 is in use, where gradients beyond its range are passed over on purpose."""
    policies = [getattr(each, "dtype_policy", None) for each in (step.model, *getattr(step.model, "layers", ()))]
    return any("float16" in str(getattr(each, "compute_dtype", "")) for each in policies)


def _lost(record: StepRecord) -> str:
    if not _is_finite(record.loss):
        return "a loss that is NaN or infinite"
    gradients = [getattr(each, "values", each) for each in record.kept if each is not None]
    return "" if all(map(_is_finite, gradients)) else "gradients that are NaN or infinite, of a finite loss"


def _is_finite(value: Any) -> bool:
    """Whether all numbers of a nest are finite; of what holds no numbers it is taken to be so."""
    for each in filter(lambda held: held is not None, sys.modules["tensorflow"].nest.flatten(value)):
        try:
            if not np.isfinite(np.asarray(each, np.float64)).all():
                return False
        except (TypeError, ValueError, NotImplementedError, RuntimeError):  # a text, a symbol
            continue
    return True


def _first_line(step: OwnStep) -> Cause | None:
    """Return the user's line that makes the first number that is not finite; None where a gradient does."""
    debugging, logger = sys.modules["tensorflow"].debugging, logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it tells of the number, too
    debugging.enable_check_numerics()
    try:
        error = step.record().error
    finally:
        debugging.disable_check_numerics()
        logger.setLevel(level)
    own = [each for each in Crash(error).steps if each.is_own] if error is not None else []
    if not own or "gradient(" in own[-1].text:
        return None
    return ProgramText(own[-1].frame), own[-1].line


def _fix(cause: Cause) -> str:
    text, line = cause
    on_line = [each for each in text.nodes if getattr(each, "lineno", None) == line]
    divided = [each for each in on_line if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Div)]
    open_to_zero = [each for each in divided if not isinstance(each.right, ast.Constant)]
    calls = text.calls_on(line, *KEPT_OFF)
    if len(open_to_zero) == 1 and not calls:
        whole = open_to_zero[0]
        kept = ast.BinOp(whole.right, ast.Add(), ast.Constant(1e-8))
        if fix := text.with_expression(whole, ast.BinOp(whole.left, ast.Div(), kept)):
            return fix
    return kept_off([(text, each) for each in calls] if not open_to_zero else [])
