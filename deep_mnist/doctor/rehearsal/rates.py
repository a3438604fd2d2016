"""Other learning rates: whether one of them does what the user's does not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal import findings as say
from deep_mnist.doctor.rehearsal.losses import diverged
from deep_mnist.doctor.rehearsal.trial import StepTrial

RANGE_STEPS = 15  # at each other rate
LOWER = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
HIGHER = (1e-1, 1e0, 1e1)  # times the rate at which a step would move the weights by USUAL_UPDATE
HIGHEST = 1e8  # times the user's rate
LEARNED = 0.25  # of the loss at the start: of the rates that come so far, the lowest is offered
BETTER = 0.85  # of the loss at the start, within RANGE_STEPS at another rate
USUAL_UPDATE = 5e-3  # of a weight's norm, a step
SMALL_UPDATE = 5e-5  # of a weight's norm, a step; fine-tuning with Adam at 1e-5 makes 2e-4
USUAL_STEPS = 10_000  # of a training whose length is not known
MOVED = 0.2  # of a weight's norm, by all steps of a training in one direction: below it no layer can change
STAYED = 0.95  # of the loss at the start: a run that ends above it has not moved
CLEARLY = 0.6  # of it: a run that ends below it has learned


class Rates:
    """The search for another rate.

    Args:
        trial: Left in any state.
        losses: Of the run at the user's own rate.
        planned: Steps of the real training, None where they are not known.
    """

    def __init__(self, trial: StepTrial, losses: Sequence[float], planned: int | None) -> None:
        self.trial, self.losses, self.planned = trial, losses, planned
        self.rate = trial.rate

    def other_rate(self, heart: Sequence[float]) -> tuple[float, float, list[float]] | None:
        """Return (rate, rate that would do, its losses) where another rate learns the batch and this one does not.

        A higher rate is tried only where all steps of the training together hardly move the weights: elsewhere it may
        be faster, but this one is no fault.
        """
        if self.rate is None:
            return None
        own = float(np.median(heart[-3:])) if heart and math.isfinite(heart[-1]) else math.inf
        update = self.trial.facts.get("update", math.inf)
        moved = update * (self.planned or USUAL_STEPS)
        low = update < SMALL_UPDATE and moved < MOVED and not diverged(self.losses)
        factors = _higher(update) if low else LOWER[: len(HIGHER)] if heart else LOWER
        runs = {factor: losses for factor in factors if (losses := self._range(self.rate * factor))}
        ends = {factor: float(np.mean(losses[-3:])) / max(losses[0], 1e-12) for factor, losses in runs.items()}
        if not ends or min(ends.values()) > BETTER:
            return None
        learned = [factor for factor, end in ends.items() if end <= LEARNED]
        factor = min(learned) if learned else min(ends, key=ends.__getitem__)
        losses = runs[factor]
        return (self.rate, self.rate * factor, losses) if float(np.mean(losses[-3:])) < BETTER * own else None

    def of_the_whole_run(self, constant: float) -> list[Finding]:
        """Return the finding that the whole training, run here, does not learn, and at ten times the rate it does.

        Only where the loss is of classes, and the run was the whole training: elsewhere slowly is no fault.
        """
        steps = self.planned or 0
        if self.rate is None or not 0 < steps <= len(self.losses) or not math.isfinite(constant):
            return []
        start, own = min(self.losses[0], constant), self.losses[:steps]
        if _end(own) < STAYED * start:
            return []
        other = self.trial.run(self.trial.batches(), steps, rate=10 * self.rate)
        if len(other) < steps or not math.isfinite(other[-1]) or _end(other) > CLEARLY * start:
            return []
        return [say.rate_too_slow(self.rate, 10 * self.rate, own, other)]

    def finite_rate(self, rate: float) -> float | None:
        """Return a lower rate at which the loss stays finite and falls, None where none was seen."""
        for factor in (1e-1, 1e-2, 1e-3, 1e-4):
            losses = self._range(rate * factor)
            if losses and losses[-1] < losses[0]:
                return rate * factor
        return None

    def _range(self, rate: float) -> list[float]:
        """Return the losses of one batch trained at another rate from the start, [] where they left the numbers."""
        losses = self.trial.repeated(*self.trial.pair(self.trial.short), RANGE_STEPS, rate=rate)
        return losses if len(losses) == RANGE_STEPS and all(map(math.isfinite, losses)) else []


def _end(losses: Sequence[float]) -> float:
    return float(np.median(losses[-max(3, len(losses) // 6) :]))


def _higher(update: float) -> list[float]:
    """Return by which powers of ten to multiply a rate whose steps change weights by this share of their norm."""
    usual = 10.0 ** round(math.log10(USUAL_UPDATE / max(update, USUAL_UPDATE / HIGHEST)))
    return [factor for each in HIGHER if 1.0 < (factor := usual * each) <= HIGHEST]
