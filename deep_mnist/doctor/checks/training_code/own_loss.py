"""Checks of a loss of one's own, compiled or in a loop: on a few rows it must be lower for right predictions."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.training_code.loss_errors import (
    fix_of_error,
    has_exchanged,
    size_or_type,
    symbol_in,
    with_return,
)
from deep_mnist.doctor.checks.training_code.loss_lines import lines_of
from deep_mnist.doctor.checks.training_code.loss_rows import Rows, trial_of, trial_rows
from deep_mnist.doctor.checks.training_code.losses_of_outputs import swapped_in_outputs
from deep_mnist.doctor.checks.training_code.own_loss_rules import (
    BROADCASTS,
    NO_GRADIENT,
    NOT_FINITE,
    NOT_FINITE_WHEN_SURE,
    RAISES,
    REVERSED,
    RULES,
    SWAPPED,
)
from deep_mnist.doctor.checks.training_code.raised import renamed, told
from deep_mnist.doctor.checks.training_code.steps.fixed_batch import asks_for_whole_batches
from deep_mnist.doctor.checks.training_code.steps.untraceable_step import run_eagerly
from deep_mnist.doctor.evidence.live.lineage import names_in
from deep_mnist.doctor.evidence.live.loss_trial import Evaluated, LossTrial, error_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE, is_code
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check

PREDICTED, TRUE = re.compile(r"pred|_hat|yhat|output|logit"), re.compile(r"true|target|label|actual|truth|_gt")
CLEARLY = 0.02  # of the losses' mean size, by which a right prediction must be worse to be called so
SAME = 1e-5  # relative, of two sums of the same numbers in another order


@check(*RULES)
def check_own_loss(case: Case) -> Iterator[Finding]:
    """Yield the first thing that is wrong with a loss of the user's own."""
    trial = trial_of(case)
    rows = trial_rows(case) if trial is not None else None
    if trial is not None and (named := _named_the_other_way(case, trial, rows)) is not None:
        yield named
        return
    if trial is None or rows is None:
        yield from swapped_in_outputs(case)
        return
    first = trial.evaluate(rows.y, rows.made)
    if np.isnan(rows.y).any() and first.value is not None and not np.isfinite(first.value).all():
        yield from _of_missing(case, trial, rows)
        return
    looks = (_raised, _swapped, _finite, _broadcast, _gradient, _order, _sure)
    for look in looks if first.error is None or first.value is not None else (_raised,):
        found = look(case, trial, rows, first)
        if found is not None:
            yield found
            return


def _named_the_other_way(case: Case, trial: LossTrial, rows: Rows | None) -> Finding | None:
    """A function of (y_pred, y_true), by its parameters' names, that is not the same either way."""
    loss = trial.function if case.call is not None and case.call.step is None else None
    if not isinstance(loss, FunctionType) or loss.__code__.co_argcount < 2:
        return None
    first, second, *others = loss.__code__.co_varnames[: loss.__code__.co_argcount]
    if not PREDICTED.search(first) or not TRUE.search(second) or TRUE.search(first) or PREDICTED.search(second):
        return None
    if rows is not None and rows.y.size == rows.made.size:
        turned = trial.evaluate(rows.made, rows.y.reshape(rows.made.shape).astype(rows.made.dtype)).mean
        if _alike(trial.evaluate(rows.y, rows.made).mean, turned):
            return None
    place = f"{Path(loss.__code__.co_filename).name}:{loss.__code__.co_firstlineno}"
    rest = "".join(f", {each}" for each in others)
    return SWAPPED.found(
        expected=f"a loss of (y_true, y_pred): Keras gives {trial.name} the targets first",
        received=f"{trial.name}({first}, {second}{rest}), at {place}",
        fix=f"def {loss.__name__}({second}, {first}{rest}):  # {IN_PLACE} {place}",
    )


def _raised(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:
    error = trial.traced(rows.y, rows.made) if trial.traced is not None else None
    if error is None and first.error is None:
        return None
    lines = lines_of(case, trial)
    if error is None and (fix := with_return(lines)):
        return RAISES.found(
            expected=f"a number, or one for each example, from {trial.name}",
            received=f"{trial.name} returns nothing",
            fix=fix,
        )
    if error is None or asks_for_whole_batches(case):
        return None
    symbol = symbol_in(trial)
    if has_exchanged(error, lines):
        return SWAPPED.found(
            expected="a loss of Keras of (y_true, y_pred): targets first",
            received=f"{trial.name} gives it the predictions first, and {told(error)}",
            fix=lines.with_arguments_swapped(),
        )
    if symbol:
        return RAISES.found(
            expected="a loss of the targets and the predictions that it is given",
            received=f"{trial.name} computes with {symbol}, a symbol of the network's graph that has no numbers",
            fix=f"Make {symbol} an output of the model too, with a loss of its own; or give its part of the loss to "
            "self.add_loss(…) in the call() of a layer.",
        )
    return RAISES.found(
        expected="a loss of operations of Keras or TensorFlow",
        received=f"{trial.name} {told(error)}",
        fix=renamed(error)
        or size_or_type(error)
        or _as_it_stands(case, trial, rows, first, fix_of_error(error, lines, (rows.y.shape, rows.made.shape))),
    )


def _as_it_stands(case: Case, trial: LossTrial, rows: Rows, first: Evaluated, fix: str) -> str:
    """Return a fix, of one in words a line that lets a loss stand as it is, where it runs eagerly with a gradient.

    That is by autograph, which makes if, for and float() parts of a graph, else by no graph at all.
    """
    if is_code(fix) or first.gradient is None or not np.any(first.gradient) or trial.function is None:
        return fix
    text = ProgramText(case.frame) if case.frame is not None else None
    name = text.name_of(trial.function) if text is not None else None
    calls = [each for each in text.calls("compile") if name in names_in(each)] if text is not None else []
    tf = sys.modules["tensorflow"]
    if name and len(calls) == 1 and text is not None and trial.traced is not None:
        if error_of(tf.function(trial.function), rows.y, rows.made) is None:
            module = alias_of(case.frame, "tensorflow", "tf")[0]
            return f"{name} = {module}.function({name})  # before {text.at(calls[0])}"
    return run_eagerly(case)


def _swapped(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:
    keras = sys.modules["keras"]
    p = rows.right if rows.right is not None else rows.made
    value = first if rows.right is None else trial.evaluate(rows.y, p)
    known = first.swapped or (_swapped_of(keras, rows.y, p, value) if value.value is not None else "")
    if not known or known in ("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "CosineSimilarity"):
        return None
    return SWAPPED.found(
        expected=f"{known}(y_true, y_pred): targets first",
        received=f"{trial.name} gives it the predictions first",
        fix=lines_of(case, trial).with_arguments_swapped(),
    )


def _swapped_of(keras: Any, y: np.ndarray, p: np.ndarray, value: Evaluated) -> str:
    """Return the loss of Keras that a value is of, its arguments exchanged; "" for none."""
    losses = keras.losses
    if y.size != p.size:
        return ""
    names = (
        "binary_crossentropy",
        "categorical_crossentropy",
        "kl_divergence",
        "mean_squared_logarithmic_error",
        "mean_absolute_percentage_error",
        "poisson",
    )
    for name in names:
        function = getattr(losses, name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                as_due, turned = _both(function, y.reshape(p.shape), p)
        except Exception:  # of numbers that the loss does not take
            continue
        if _alike(turned, value.mean) and not _alike(as_due, value.mean, 1e-2):
            return name
    return ""


def _both(function: Any, y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Return a loss of Keras as it is due, and with its arguments exchanged."""
    return float(np.mean(np.asarray(function(y, p)))), float(np.mean(np.asarray(function(p, y))))


def _alike(one: float, other: float, tolerance: float = 1e-4) -> bool:
    """Whether two numbers are nearly one; infinite ones are like none."""
    return bool(np.isfinite([one, other]).all()) and abs(one - other) <= tolerance * max(abs(one), abs(other), 1e-6)


def _finite(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:
    if first.value is None or np.isfinite(first.value).all():
        return None
    numbers = f"predictions of {rows.made.min():.3g}..{rows.made.max():.3g}"
    where = "targets of 0: without them it is finite" if _is_finite_without_zeros(trial, rows) else numbers
    return NOT_FINITE.found(
        expected="a finite loss of the first predictions",
        received=f"{trial.name} is {first.mean:g} for {where}",
        fix=lines_of(case, trial).with_positive_logarithms(),
    )


def _is_finite_without_zeros(trial: LossTrial, rows: Rows) -> bool:
    """Whether targets of 0 alone make the loss what it is, by their logarithm or by a division."""
    without = trial.evaluate(np.where(rows.y == 0, 1, rows.y), rows.made).value
    return bool((rows.y == 0).any()) and without is not None and bool(np.isfinite(without).all())


def _of_missing(case: Case, trial: LossTrial, rows: Rows) -> Iterator[Finding]:
    """Yield a loss that is NaN for the missing targets alone, which it may mean to leave out by a product with 0."""
    line = lines_of(case, trial).without_missing()
    filled = trial.evaluate(np.where(np.isnan(rows.y), 0, rows.y), rows.made)
    if not line or filled.value is None or not np.isfinite(filled.value).all():
        return
    missing = f"{np.isnan(rows.y).mean():.0%} of the targets looked at are NaN"
    yield NOT_FINITE.found(
        expected="a finite loss where targets are missing",
        received=f"{trial.name} is NaN: {missing}, without them it is finite, and NaN times 0 is NaN",
        fix=line,
    )


def _broadcast(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:
    """Targets compared each with every prediction: a loss that does not know which belongs to which."""
    y, p = rows.y, rows.made
    if y.size != p.size or len(np.unique(y)) < 2 or first.value is None:
        return None
    p = np.linspace(0.1, 0.9, p.size, dtype=np.float32).reshape(p.shape)  # a constant would tell no rows apart
    due = trial.evaluate(y, p).mean
    turned = [trial.evaluate(np.roll(y, shift, axis=0), p).mean for shift in (1, 2, 3)]
    other = trial.evaluate(y + np.linspace(0.5, 2, len(y)).reshape(-1, *[1] * (y.ndim - 1)).astype(y.dtype), p).mean
    invariant = all(_alike(each, due, SAME) for each in turned)
    aligned = y.shape == p.shape or trial.aligns_ranks
    if not invariant or _alike(other, due, SAME) or (aligned and not _prefers_the_mean(trial, y, p.shape)):
        return None
    lines = lines_of(case, trial)
    model = case.call.model if case.call is not None else None
    found = BROADCASTS.found(
        expected=f"targets and predictions of one shape, {p.shape}",
        received=f"targets {y.shape} against predictions {p.shape} in {trial.name}: {len(y)} x {len(y)} differences, "
        "and the same loss when the targets change places",
        fix=lines.without_other_axes() if aligned else lines.with_same_shape(y.shape, p.shape, model),
    )
    return replace(found, line=lines.line_of_loss if lines.of_step else None)


def _prefers_the_mean(trial: LossTrial, y: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether the targets' mean for every row is better than the targets: so it is where each is compared with all.

    A loss of the batch's moments knows no order of the targets either, and has its best where they are met.
    """
    targets = y.reshape(shape).astype(np.float32)
    met, mean = trial.evaluate(y, targets).mean, trial.evaluate(y, np.full_like(targets, targets.mean())).mean
    return bool(np.isfinite([met, mean]).all()) and mean < met - CLEARLY * abs(met)


def _gradient(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:
    others = [each for each in (rows.right, rows.wrong) if each is not None]
    tried = [first, *(trial.evaluate(rows.y, each) for each in others)]
    if any(each.value is None for each in tried) or all(np.all(each.value == 0) for each in tried):
        return None
    none = [each.gradient is None or not np.any(each.gradient) for each in tried]
    if not all(none) or (case.call is not None and getattr(case.call.model, "losses", None)):
        return None
    if len(tried) == 1 and tried[0].gradient is not None:
        return None  # one place alone, where a gradient may well be zero
    return NO_GRADIENT.found(
        expected="a loss that changes with every prediction",
        received=f"{trial.name} has no gradient with respect to the predictions",
        fix=lines_of(case, trial).with_gradient(),
    )


def _order(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:  # noqa: ARG001
    if rows.right is None or rows.wrong is None:
        return None
    right, wrong = trial.evaluate(rows.y, rows.right).mean, trial.evaluate(rows.y, rows.wrong).mean
    if not np.isfinite([right, wrong]).all() or right - wrong <= CLEARLY * (abs(right) + abs(wrong)):
        return None
    return REVERSED.found(
        expected="a loss that is lower for right predictions than for wrong ones",
        received=f"{trial.name} is {right:.4g} for right predictions and {wrong:.4g} for wrong ones",
        fix=lines_of(case, trial).with_sign_turned(),
    )


def _sure(case: Case, trial: LossTrial, rows: Rows, first: Evaluated) -> Finding | None:  # noqa: ARG001
    """Probabilities of exactly 0 and 1, which a sigmoid or softmax in float32 reaches soon."""
    if case.contract.output_activation not in ("sigmoid", "softmax") or rows.right is None or rows.wrong is None:
        return None
    certain = [trial.evaluate(rows.y, _hard(each)) for each in (rows.right, rows.wrong)]
    if all(each.value is None or _is_sound(each) for each in certain):
        return None
    return NOT_FINITE_WHEN_SURE.found(
        expected="a finite loss where a probability is exactly 0 or 1, as float32 rounds it",
        received=f"{trial.name} is {certain[0].mean:g} for sure and right predictions, {certain[1].mean:g} for "
        "wrong ones",
        fix=lines_of(case, trial).with_positive_logarithms(),
    )


def _hard(predictions: np.ndarray) -> np.ndarray:
    """Return probabilities as a sure network rounds them: 0 and 1."""
    if predictions.ndim > 1 and predictions.shape[-1] > 1 and np.allclose(predictions.sum(axis=-1), 1, atol=1e-3):
        width = predictions.shape[-1]
        return np.asarray(np.eye(width, dtype=np.float32)[predictions.argmax(axis=-1)])
    return (predictions > 0.5).astype(np.float32)


def _is_sound(each: Evaluated) -> bool:
    finite = each.value is not None and bool(np.isfinite(each.value).all())
    return finite and (each.gradient is None or bool(np.isfinite(each.gradient).all()))
