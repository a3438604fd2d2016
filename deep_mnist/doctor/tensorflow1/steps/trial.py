"""Some of a session's own training steps on one batch, in a copy of the session, and what they did."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from deep_mnist.doctor.tensorflow1.graph_walk import ancestors, trains
from deep_mnist.doctor.tensorflow1.session_case import SessionCase

BUDGET = 1e9  # multiplications that the steps of one trial may take together
MOST_STEPS = 150
LEARNED = 0.9  # of the loss at the start: what is left when a batch is being learned
GROWN = 3.0
ENDLESS = 1e12


@dataclass
class SessionTrial:
    """Some steps from the user's own start.

    Attributes:
        losses: Before each step, and after the last; up to the first that is not finite.
        rates: Before the first step and after the last; NaN where they are not known.
        moved: Variable's name -> its greatest change.
        after: Variable's name -> its value after the last step.
    """

    losses: list[float]
    rates: tuple[float, float] = (float("nan"), float("nan"))
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
class SessionRehearsal:
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

    def trial(self, changed: Mapping[str, Any] | None = None) -> SessionTrial:
        """Return what the steps do from the user's start, with other values fed.

        Raises:
            StepFailedError: The first step of the user's own feed fails.
        """
        step, clone, feed = self.case.step, self.case.clone, {**self.case.feed, **(changed or {})}
        assert step is not None and clone is not None  # noqa: S101 - of the type checker: `findings` asked
        fetched = [each.name for each in self.case.run.fetches if trains(each)]
        trained = [each.name for each in step.applies] if not fetched else fetched
        try:
            before = self._rate(feed)
            losses = self._losses(feed, step.loss.name, trained)
            return SessionTrial(losses, (before, self._rate(feed)), *self._movement())
        finally:
            clone.rewind()

    def _rate(self, feed: Mapping[str, Any]) -> float:
        rate, clone = self.case.step.rate if self.case.step is not None else None, self.case.clone
        if rate is None or clone is None or rate.op.type in ("Const", "Placeholder") or rate.name in feed:
            return float("nan")
        return float(np.mean(clone.run(rate.name, feed)))

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
