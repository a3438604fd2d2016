"""Checks of a loss of one's own for classes against the last activation: logits and probabilities, told by trial."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import last_layer
from deep_mnist.doctor.checks.training_code.loss_lines import LossLines, lines_of
from deep_mnist.doctor.checks.training_code.loss_rows import Rows, trial_of, trial_rows
from deep_mnist.doctor.checks.training_code.own_loss_rules import TAKES_LOGITS, TAKES_PROBABILITIES
from deep_mnist.doctor.checks.training_code.steps.logits_of_steps import logits_given_wrongly
from deep_mnist.doctor.evidence.live.loss_trial import Evaluated, LossTrial
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.evidence.task import is_one_hot
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check

SCORES = ("sigmoid", "softmax")
BEYOND = (2, 4, 8, 16)  # sizes of logits that no probability reaches
FAR_LOWER = 0.5  # of the least loss of probabilities, below which that of logits lies
NOT_YET_RIGHT = 0.02  # of the loss of wrong probabilities, that of right ones where they are taken for logits
OUTSIDE = 3.0  # a score on the wrong side of 0..1
SAME = 1e-4
LOOKED_AT = 5000  # labels
NOTHING = re.compile(r"(\w+) = \1\b")  # a name that stands for itself


@dataclass(frozen=True)
class Scored:
    """What targets say of each unit.

    Attributes:
        y: As the loss takes them.
        yes: Of the outputs' shape, float32: 1 where the answer is yes, 0 where it is no.
        exclusive: One unit of each row is right.
    """

    y: np.ndarray
    yes: np.ndarray
    exclusive: bool

    @property
    def no(self) -> np.ndarray:
        return np.roll(self.yes, 1, axis=-1) if self.exclusive else 1 - self.yes


@check(TAKES_LOGITS, TAKES_PROBABILITIES)
def check_scores(case: Case) -> Iterator[Finding]:
    """Yield a loss of the user's own that takes the outputs for logits where they are probabilities, or the reverse."""
    last = case.contract.output_activation
    trial = trial_of(case) if last in (*SCORES, "linear") else None
    rows = trial_rows(case) if trial is not None else None
    scored = _scored(case, rows) if rows is not None else None
    if trial is None or scored is None:
        yield from logits_given_wrongly(case)
        return
    lines, units = lines_of(case, trial), scored.yes.shape[-1]
    if last in SCORES and (received := _as_logits(trial, scored)):
        yield TAKES_LOGITS.found(
            expected=f"a loss of probabilities behind {last}, or a last layer without activation",
            received=f"{trial.name} {received}",
            fix=_without_second(lines) or _layer(case, units, None),
        )
    elif last == "linear" and (received := _as_probabilities(trial, scored)):
        activation = "softmax" if scored.exclusive else "sigmoid"
        yield TAKES_PROBABILITIES.found(
            expected=f"{activation} on the last layer, or a loss of logits",
            received=f"{trial.name} {received}",
            fix=_layer(case, units, activation),
        )


def _scored(case: Case, rows: Rows) -> Scored | None:
    """Return the right answers, None where targets are no classes."""
    y, made, labels = rows.y, rows.made, case.train.labels
    known = y if labels is None else np.asarray(labels[:LOOKED_AT])
    if made.ndim < 2 or known.dtype.kind not in "fiub" or not np.isfinite(known).all():
        return None
    units, values = made.shape[-1], set(np.unique(known).tolist())
    if y.size == made.size and values == {0, 1} and y.shape in (made.shape, made.shape[:-1]):
        yes = y.reshape(made.shape)
        return Scored(y, yes, units > 1 and is_one_hot(yes.reshape(-1, units)))
    whole = bool((known == np.floor(known)).all()) and 0 <= known.min() and known.max() < units
    if units > 1 and y.size * units == made.size and whole and len(values) > 1:
        return Scored(y, np.eye(units, dtype=np.float32)[y.reshape(made.shape[:-1]).astype(int)], exclusive=True)
    return None


def _as_logits(trial: LossTrial, scored: Scored) -> str:
    """Return what shows that a loss applies an activation to probabilities; "" where it does not.

    It still falls, and stays above zero, where outputs leave 0..1; and it is no loss of differences between rows, which
    may be of anything.
    """
    y, yes = scored.y, scored.yes
    right, wrong = trial.evaluate(y, yes).mean, trial.evaluate(y, scored.no).mean
    far = [trial.evaluate(y, ((2 * yes - 1) * size).astype(np.float32)).mean for size in BEYOND]
    moved = trial.evaluate(y, yes + np.float32(OUTSIDE)).mean
    least = min((each for each in far if np.isfinite(each)), default=float("nan"))
    if not np.isfinite([right, wrong, least, moved]).all():
        return ""
    of_differences = abs(moved - right) <= SAME * abs(right)
    if of_differences and not scored.exclusive:
        return ""
    if right <= NOT_YET_RIGHT * wrong or wrong <= right or not -SAME * right <= least < FAR_LOWER * right:
        return ""
    return f"is {right:.3g} for sure and right probabilities, and {least:.3g} for outputs beyond 0..1"


def _as_probabilities(trial: LossTrial, scored: Scored) -> str:
    """Return what shows that a loss cannot take outputs outside of 0..1; "" where it can."""
    outside = ((scored.no - scored.yes) * OUTSIDE).astype(np.float32)
    if scored.exclusive:
        outside = np.where(scored.no > 0, OUTSIDE, -OUTSIDE).astype(np.float32)
    met, within = trial.evaluate(scored.y, outside), trial.evaluate(scored.y, _probabilities(outside, scored))
    if not _teaches(within) or within.gradient is None or met.value is None:
        return ""
    if not np.isfinite(met.value).all():
        return f"is {met.mean:g} for wrong outputs outside of 0..1"
    if met.gradient is not None and not np.any(met.gradient):
        return "has no gradient for wrong outputs outside of 0..1"
    return ""


def _probabilities(scores: np.ndarray, scored: Scored) -> np.ndarray:
    powers = np.exp(scores)
    made = powers / powers.sum(axis=-1, keepdims=True) if scored.exclusive else powers / (1 + powers)
    return np.asarray(made, np.float32)


def _teaches(found: Evaluated) -> bool:
    made = (found.value, found.gradient)
    return all(each is not None and bool(np.isfinite(each).all()) for each in made) and bool(np.any(found.gradient))


def _without_second(lines: LossLines) -> str:
    """Return the lines of a loss without its own activation of the predictions; "" where an operation holds it."""
    calls = [node for each in lines.statements for node in ast.walk(each) if isinstance(node, ast.Call)]
    if any(called(each).endswith("_with_logits") for each in calls):
        return ""

    def change(node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.Call) and called(node) in SCORES and node.args and isinstance(node.args[0], ast.Name):
            return node.args[0] if node.args[0].id in lines.parameters or lines.of_step else None
        if isinstance(node, ast.keyword) and node.arg == "from_logits":
            return ast.keyword("from_logits", ast.Constant(False))
        return None

    line = lines.changed(change)
    return "" if NOTHING.match(line) else line


def _layer(case: Case, units: int, activation: str | None) -> str:
    if (case.contract.output_rank or 2) > 2:
        stated = f'activation="{activation}"' if activation else "no activation"
        return f"Give the last layer {stated}."
    return last_layer(units, activation)
