"""Rehearse a session's training: a bounded number of the user's own steps on the run's batch, in a copy of the session.

What the steps show is said with its cause, found by trying: the same steps at another rate, or on scaled inputs. The
number of steps follows from the size of the graph, never from the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.steps import rehearsal_findings as say
from deep_mnist.doctor.tensorflow1.steps.trial import (
    BUDGET,
    MOST_STEPS,
    SessionRehearsal,
    SessionTrial,
    StepFailedError,
)
from deep_mnist.doctor.tensorflow1.training_words import rate_of

REHEARSAL_BUDGET = 4e11
FEWEST_STEPS = 4  # below, nothing is said of learning
GONE = 1e-3  # of a rate, within a trial
HIGHEST = 10.0  # rate that is ever proposed
FLAT = 0.999
FACTORS_DOWN, FACTORS_UP = (0.1, 0.01, 1e-3, 1e-4, 1e-6), (10.0, 100.0, 1e3, 1e4, 1e6)


def rehearsal_findings(case: SessionCase, *, budget: float = BUDGET) -> Iterator[Finding]:
    """Yield what some steps of the run's training show.

    Args:
        case: Nothing is said of a case without a clone, a training, or a loss.
        budget: Multiplications that one trial may take.

    Raises:
        StepFailedError: The user's own run raises.
    """
    if case.clone is None or case.step is None or case.step.loss is None or not case.run.is_training:
        return
    rehearsal = SessionRehearsal(case, budget)
    trial = rehearsal.trial()
    if not np.isfinite(trial.first):
        yield say.start_not_finite(case)
        return
    of_weights = list(_of_weights(case, trial))
    yield from of_weights
    if of_weights or rehearsal.steps < FEWEST_STEPS or case.step.of_several:
        return
    if trial.rates[1] < GONE * trial.rates[0]:
        yield say.decays_at_once(case, *trial.rates, rehearsal.steps)
        return
    if trial.diverges:
        yield _cause_of_divergence(case, rehearsal, trial)
    elif trial.is_finite and not trial.learns(FLAT) and rehearsal.steps >= MOST_STEPS // 3 and abs(trial.first) > 1e-6:
        yield from _cause_of_standstill(case, rehearsal, trial)


def _cause_of_divergence(case: SessionCase, rehearsal: SessionRehearsal, trial: SessionTrial) -> Finding:
    scaled = _scaled_feed(case)
    if scaled and (again := _tried(rehearsal, scaled)) is not None and again.learns():
        return say.unscaled(case, trial, again)
    for factor in FACTORS_DOWN:
        again = _at_rate(case, rehearsal, factor)
        if again is not None and again.learns():
            return say.rate_too_high(case, trial, factor)
    return say.diverges(trial)


def _cause_of_standstill(case: SessionCase, rehearsal: SessionRehearsal, trial: SessionTrial) -> Iterator[Finding]:
    dead = next(_dead_layers(case), None)
    if dead is not None:
        yield say.dead(case, dead)
        return
    for factor in FACTORS_UP:
        again = _at_rate(case, rehearsal, factor)
        if again is not None and again.learns() and rate_of(case) * factor <= HIGHEST:
            if not trial.learns(1 - 1e-4):
                yield say.rate_too_low(case, trial, factor)
            return
    for factor in FACTORS_DOWN[:3]:
        again = _at_rate(case, rehearsal, factor)
        if again is not None and again.learns():
            yield say.rate_too_high(case, trial, factor)
            return
    yield say.not_falling(trial)


def _at_rate(case: SessionCase, rehearsal: SessionRehearsal, factor: float) -> SessionTrial | None:
    rate = case.step.rate if case.step is not None else None
    now = case.value(rate) if rate is not None else None
    if rate is None or now is None or now.ndim or not now > 0:
        return None
    return _tried(rehearsal, {rate.name: now * factor})


def _tried(rehearsal: SessionRehearsal, changed: Mapping[str, Any]) -> SessionTrial | None:
    try:
        return rehearsal.trial(changed)
    except StepFailedError:  # what was fed in its place does not fit: not judged
        return None


def _scaled_feed(case: SessionCase) -> dict[str, Any]:
    """Return the run's inputs with each column of mean 0 and deviation 1; {} where they are of that size already."""
    images = case.run.images
    values = np.asarray(case.run.fed.get(images)) if images is not None and images in case.run.fed else None
    if values is None or values.dtype.kind not in "fiu" or not images.dtype.is_floating or not values.size:
        return {}
    values = values.astype(np.float64)
    if np.abs(values).max() <= 3.0 or not np.isfinite(values).all():
        return {}
    spread = values.std(axis=0) if values.ndim <= 2 else values.std()
    return {
        images.name: (values - values.mean(axis=0 if values.ndim <= 2 else None)) / np.where(spread > 0, spread, 1.0)
    }


# --- the weights -----------------------------------------------------------------------------------


def _of_weights(case: SessionCase, trial: SessionTrial) -> Iterator[Finding]:
    if case.step is None or case.clone is None or not trial.is_finite:
        return
    still, alike = [], []
    for variable in case.step.variables:
        value = trial.after.get(variable.name)
        if value is None or value.ndim < 2 or value.size < 2:
            continue
        if trial.moved.get(variable.name) == 0.0:
            still.append(variable)
        elif value.shape[-1] > 1 and _columns_alike(value):
            alike.append(variable)
    if alike:
        yield say.alike(case, alike[0], case.clone.start[alike[0].name])
    if still and _can_move(case):
        dead = next(_dead_layers(case), None)
        constant = [each for each in still if np.ptp(case.clone.start[each.name]) == 0]
        if dead is not None and not constant:
            yield say.dead(case, dead)
        else:
            yield say.no_gradient(case, constant or still, len(still))


def _can_move(case: SessionCase) -> bool:
    """Whether the rate is not 0: else that is the cause."""
    rate = case.step.rate if case.step is not None else None
    now = case.value(rate) if rate is not None else None
    return now is None or bool(np.all(now > 0))


def _columns_alike(value: np.ndarray) -> bool:
    """Whether all units of a layer have the same weights."""
    columns = value.reshape(-1, value.shape[-1])
    return bool(np.isfinite(columns).all() and (np.ptp(columns, axis=1) <= 1e-7 * np.abs(columns).max()).all())


def _dead_layers(case: SessionCase) -> Iterator[Any]:
    """Yield rectifying layers that give 0 for every unit and example, of the run as it begins."""
    relus = [each for each in (case.step.of_loss if case.step is not None else ()) if each.type in ("Relu", "Relu6")]
    for each in sorted(relus, key=lambda one: one._id):
        value = case.value(each.outputs[0])
        if value is not None and value.size and not value.any():
            yield each.outputs[0]
