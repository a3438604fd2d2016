"""Rehearse a session's training: a bounded number of the user's own steps on the run's batch, in a copy of the session.

What the steps show is said with its cause, found by trying: the same steps at another rate, or on scaled inputs. The
number of steps follows from the size of the graph, never from the clock.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1 import rehearsal_findings as say
from deep_mnist.doctor.tensorflow1.graph_walk import ancestors
from deep_mnist.doctor.tensorflow1.session_case import SessionCase

BUDGET = 1e9  # multiplications that the steps of one trial may take together
REHEARSAL_BUDGET = 4e11
MOST_STEPS = 150
FEWEST_STEPS = 4  # below, nothing is said of learning
LEARNED = 0.9  # of the loss at the start: what is left when a batch is being learned
FLAT = 0.999
GROWN = 3.0
ENDLESS = 1e12
FACTORS_DOWN, FACTORS_UP = (0.1, 0.01, 1e-3, 1e-4, 1e-6), (10.0, 100.0, 1e3, 1e4, 1e6)


@dataclass
class Trial:
    """Some steps from the user's own start.

    Attributes:
        losses: Before each step, and after the last; up to the first that is not finite.
        moved: Variable's name -> its greatest change.
        after: Variable's name -> its value after the last step.
    """

    losses: list[float]
    moved: dict[str, float] = field(default_factory=dict)
    after: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def first(self) -> float:
        return self.losses[0]

    @cached_property
    def last(self) -> float:
        """Median of the last losses: dropout lets single ones jump."""
        return float(np.median(self.losses[-max(1, min(10, len(self.losses) // 4)) :]))

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.losses).all())

    @property
    def diverges(self) -> bool:
        """It grows; a loss that falls until it is not finite has merely learned its batch by heart."""
        if not self.is_finite:
            return len(self.losses) <= 4 or max(self.losses[:-1]) > GROWN * abs(self.first)
        return self.last > GROWN * abs(self.first) + 1e-3 and self.losses[-1] > self.losses[0]

    def learns(self, share: float = LEARNED) -> bool:
        return self.is_finite and self.last < self.first - (1 - share) * abs(self.first)


class StepFailedError(Exception):
    """The user's own run raises: TensorFlow says why, in its own words."""


@dataclass
class Rehearsal:
    """The trials of one run's training.

    Args:
        case: With a clone, a training and its loss.
        budget: Multiplications that one trial may take.
    """

    case: SessionCase
    budget: float = BUDGET

    @cached_property
    def steps(self) -> int:
        """How many steps the budget allows; fewer than FEWEST_STEPS say nothing of learning."""
        return int(np.clip(self.budget / max(3.0 * _multiplications(self.case), 1.0), 2, MOST_STEPS))

    def trial(self, changed: Mapping[str, Any] | None = None) -> Trial:
        """Return what the steps do from the user's start, with other values fed.

        Raises:
            StepFailedError: The first step of the user's own feed fails.
        """
        step, clone, feed = self.case.step, self.case.clone, {**self.case.feed, **(changed or {})}
        assert step is not None and clone is not None  # noqa: S101 - of the type checker: `findings` asked
        fetched = [each.name for each in self.case.run.fetches if each.type == "NoOp" or not each.outputs]
        trained = [each.name for each in step.applies] if not fetched else fetched
        try:
            losses = self._losses(feed, step.loss.name, trained)
            return Trial(losses, *self._movement())
        finally:
            clone.rewind()

    def _losses(self, feed: Mapping[str, Any], loss: str, trained: list[str]) -> list[float]:
        losses: list[float] = []
        for _ in range(self.steps):
            losses.append(self._loss(feed, [loss, *trained]))
            if not np.isfinite(losses[-1]):
                return losses
            if losses[-1] > ENDLESS * max(1.0, abs(losses[0])):
                return [*losses[:-1], np.inf]
        return [*losses, self._loss(feed, [loss])]

    def _loss(self, feed: Mapping[str, Any], names: list[str]) -> float:
        clone = self.case.clone
        assert clone is not None  # noqa: S101 - as above
        try:
            return float(np.mean(clone.run(names, feed)[0]))
        except sys.modules["tensorflow"].errors.InvalidArgumentError as error:
            if "NaN" in str(error) or "Inf" in str(error):
                return float("nan")
            raise StepFailedError(str(error)) from error
        except (sys.modules["tensorflow"].errors.OpError, ValueError, TypeError) as error:
            raise StepFailedError(str(error)) from error

    def _movement(self) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        step, clone = self.case.step, self.case.clone
        if step is None or clone is None:
            return {}, {}
        names = [each.name for each in step.variables if each.name in clone.start]
        after = {name: value for name, value in clone.values(names).items() if value.dtype.kind == "f"}
        with np.errstate(all="ignore"):
            moved = {
                name: float(np.abs(value - clone.start[name]).max()) for name, value in after.items() if value.size
            }
        return moved, after


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
    rehearsal = Rehearsal(case, budget)
    trial = rehearsal.trial()
    if not np.isfinite(trial.first):
        yield say.start_not_finite(case)
        return
    yield from _of_weights(case, trial)
    if rehearsal.steps < FEWEST_STEPS:
        return
    if trial.diverges:
        yield _cause_of_divergence(case, rehearsal, trial)
    elif trial.is_finite and not trial.learns(FLAT) and rehearsal.steps >= MOST_STEPS // 3 and abs(trial.first) > 1e-6:
        yield from _cause_of_standstill(case, rehearsal, trial)


def _cause_of_divergence(case: SessionCase, rehearsal: Rehearsal, trial: Trial) -> Finding:
    scaled = _scaled_feed(case)
    if scaled and (again := _tried(rehearsal, scaled)) is not None and again.learns():
        return say.unscaled(case, trial, again)
    for factor in FACTORS_DOWN:
        again = _at_rate(case, rehearsal, factor)
        if again is not None and again.learns():
            return say.rate_too_high(case, trial, factor)
    return say.diverges(trial)


def _cause_of_standstill(case: SessionCase, rehearsal: Rehearsal, trial: Trial) -> Iterator[Finding]:
    dead = next(_dead_layers(case), None)
    if dead is not None:
        yield say.dead(case, dead)
        return
    for factor in FACTORS_UP:
        again = _at_rate(case, rehearsal, factor)
        if again is not None and again.learns():
            if not trial.learns(1 - 1e-4):
                yield say.rate_too_low(case, trial, factor)
            return
    for factor in FACTORS_DOWN[:3]:
        again = _at_rate(case, rehearsal, factor)
        if again is not None and again.learns():
            yield say.rate_too_high(case, trial, factor)
            return
    yield say.not_falling(trial)


def _at_rate(case: SessionCase, rehearsal: Rehearsal, factor: float) -> Trial | None:
    rate = case.step.rate if case.step is not None else None
    now = case.value(rate) if rate is not None else None
    if rate is None or now is None or now.ndim or not now > 0:
        return None
    return _tried(rehearsal, {rate.name: now * factor})


def _tried(rehearsal: Rehearsal, changed: Mapping[str, Any]) -> Trial | None:
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


def _of_weights(case: SessionCase, trial: Trial) -> Iterator[Finding]:
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
            yield say.no_gradient(case, constant or still[:1], len(still))


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


def _multiplications(case: SessionCase) -> float:
    """Return about how many multiplications the loss of the run's batch takes."""
    if case.clone is None or case.step is None:
        return 1.0
    sizes = {name: float(value.size) for name, value in case.clone.start.items()}
    rows = max((float(len(value)) for value in case.feed.values() if np.ndim(value)), default=1.0)
    total = 0.0
    for each in case.step.of_loss:
        if each.type in ("MatMul", "Conv2D", "BatchMatMulV2", "Einsum"):
            weights = max(
                (sizes.get(one.name, 0.0) for one in ancestors([each.inputs[1].op], control=False)[:6]), default=0.0
            )
            places = _places(each) if each.type == "Conv2D" else 1.0
            total += rows * max(weights, 100.0) * places
    loops = 50.0 if any(each.type in ("While", "Enter", "StatelessWhile") for each in case.step.of_loss) else 1.0
    return max(total * loops, 1e4)


def _places(convolution: Any) -> float:
    shape = convolution.outputs[0].shape
    known = [each or 32 for each in (shape.as_list()[1:] if shape.rank else [32, 32, 1])]
    return float(np.prod(sorted(known)[:2]))
