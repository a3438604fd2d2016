"""One rehearsal: the run, what its losses say, and, where it did not learn, the search for the reason."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal import findings as say
from deep_mnist.doctor.rehearsal.causes import Causes, turned_sign
from deep_mnist.doctor.rehearsal.losses import (
    LONG_RUN_STEPS,
    RUN_STEPS,
    SHORT,
    WHOLE_STEPS,
    by_heart,
    diverged,
    is_certain,
    learns,
)
from deep_mnist.doctor.rehearsal.network_faults import alike_units, softmax_axis, units_alike
from deep_mnist.doctor.rehearsal.rates import Rates
from deep_mnist.doctor.rehearsal.trial import SpentError, StepTrial
from deep_mnist.doctor.rehearsal.vitals import (
    CONSTANT_SPREAD,
    Vitals,
    as_tensors,
    broken_weights,
    first_broken_layer,
    first_steep_layer,
)
from deep_mnist.doctor.rehearsal.yardstick import yardstick_of

RUN_SHARE = 0.4  # of the work, for the run; the rest is for finding out why it did not learn
HEART_STEPS = 40  # to learn one batch by heart
HIGH_START = 10.0  # times the constant predictor's loss; He and Glorot starts on scaled data lie below 3
STAYS_HIGH = 0.5  # of the loss at the start: a run that comes below it is on its way
SUMMED = 1.6  # loss of a batch over that of its half: 1 for a mean, 2 for a sum
LARGE_UPDATE = 0.1  # of a weight's norm, a step; Adam at 1e-3 on a fresh network makes 0.005 to 0.03
AT_CONSTANT = 0.97  # of a constant prediction's loss: not below it


class Stage:
    """One rehearsal of a trial.

    Args:
        trial: The network on its sample, at its start.
        planned: Steps of the real training, None where they are not known.

    Attributes:
        losses: Of the run.
        facts: What was measured.
    """

    def __init__(self, trial: StepTrial, planned: int | None) -> None:
        self.trial, self.planned = trial, planned
        self.model, self.facts = trial.model, trial.facts
        self.yardstick = yardstick_of(trial.model)
        self.losses: list[float] = []
        self._batches = trial.batches()

    def perform(self) -> list[Finding]:
        """Run and judge; what follows from an earlier finding is not said again."""
        found: list[Finding] = []
        try:
            self._perform(found)
        except SpentError:
            found.append(say.undecided(self.trial.budget))
        return found

    def _perform(self, found: list[Finding]) -> None:
        if not self.model.trainable_variables:
            found.append(say.nothing_to_train())
        elif broken := broken_weights(self.model):
            found.append(say.broken_weight(broken))
        elif not (before := self.trial.look()).finite:
            found.append(self._not_finite())
        else:
            found += self._initial(before)
            self._run_and_judge(found, before)

    def _run_and_judge(self, found: list[Finding], before: Vitals) -> None:
        alike = alike_units(self.model)
        possible = int(RUN_SHARE * self.trial.budget.work / self.trial.work())
        self._run(min(RUN_STEPS, possible))
        if not all(map(math.isfinite, self.losses)):
            found.append(self._lost(len(self.losses)))
            return
        after = self.trial.look()
        found += say.unconnected(before) + say.still(before, after) + say.exploding(before)
        found += [] if found else self._high_start()
        if possible < SHORT:
            raise SpentError
        found += [] if found else units_alike(alike, alike_units(self.model)) or self._of_the_loss()
        named = [*found, *say.dead(before, after), *say.vanishing(before, after)]
        if not self._has_learned() and not named and not self._is_wild():
            self._run(min(self._longer(), possible) - len(self.losses))
            if not all(map(math.isfinite, self.losses)):
                found.append(self._lost(len(self.losses)))
                return
        self._judge_run(found, named, before, self.trial.look())

    def _judge_run(self, found: list[Finding], named: list[Finding], before: Vitals, after: Vitals) -> None:
        causes = Causes(self.trial, self.yardstick, self.losses, self.planned)
        if not self._has_learned():
            found[:] = [replace(each, severity="error") for each in named] or self._reason(causes, after)
            return
        found += say.dead(before, after)
        found += [] if found else causes.of_a_run_that_moves()

    def _of_the_loss(self) -> list[Finding]:
        return softmax_axis(self.trial, self.yardstick.loss) or turned_sign(self.trial, self.losses)

    def _is_wild(self) -> bool:
        """Whether steps throw the weights about: more of them say nothing new."""
        return diverged(self.losses) or self.facts.get("update", 0.0) > LARGE_UPDATE

    def _longer(self) -> int:
        """Return how far a run goes that has not learned: to the training's end, where that is near."""
        near = self.planned is not None and RUN_STEPS <= self.planned <= WHOLE_STEPS
        return self.planned if near and self.planned else LONG_RUN_STEPS

    # --- whether it learns -----------------------------------------------------------------------------------------

    def _run(self, steps: int) -> None:
        """Run on, and stop where enough was seen."""
        penalised = bool(self.model.losses)
        until = (lambda _: False) if penalised else (lambda losses: is_certain(losses, self._constant))
        self.losses += self.trial.run(self._batches, steps, until=until)

    def _has_learned(self) -> bool:
        return learns(self.losses, self._constant) and not self._only_penalty_fell()

    def _only_penalty_fell(self) -> bool:
        """Whether the loss on the targets alone, without what regularizers add, is still that of a constant."""
        reference = self.facts.get("constant_loss", self.facts.get("plain_start"))
        if not self.model.losses or not reference:
            return False
        return self.trial.plain_loss(self.trial.probed) > AT_CONSTANT * min(reference, self.facts["plain_start"])

    def _reason(self, causes: Causes, after: Vitals) -> list[Finding]:
        """Find out why the run did not learn: what is found then is an error."""
        if found := causes.dropped() or causes.penalised():
            return found
        heart = [] if self._is_wild() else self.trial.repeated(*self.trial.pair(self.trial.short), HEART_STEPS)
        rates = Rates(self.trial, self.losses, self.planned)
        if heart and (by_heart(heart) or learns(heart, self._constant)) and not self.model.losses:
            return rates.of_the_whole_run(self._constant)  # slowly is no fault
        if reach := causes.out_of_reach():
            return reach
        if better := rates.other_rate(heart):
            return [say.rate(*better, self.losses, self.facts.get("update", math.nan))]
        if after.spread < CONSTANT_SPREAD:
            return [say.same_answer(after)]
        return causes.of_forgetting() or rates.of_the_whole_run(self._constant)

    @property
    def _constant(self) -> float:
        """The loss of the best constant prediction, infinite where none can be computed or it is no class's."""
        return math.inf if self.yardstick.is_distance else self.facts.get("constant_loss", math.inf)

    # --- findings that need the run --------------------------------------------------------------------------------

    def _initial(self, before: Vitals) -> list[Finding]:
        self.facts["initial_loss"] = before.loss
        self.facts["plain_start"] = self.trial.plain_loss(self.trial.probed)
        reference = self.yardstick.of(self.trial.y)
        if reference is None or reference <= 0:
            return []
        self.facts["constant_loss"] = reference
        ratio = self._summed()
        return [say.summed_loss(ratio)] if ratio > SUMMED else []

    def _summed(self) -> float:
        """Return the loss of a batch over the mean loss of its halves: 2 when the loss is a sum over the batch."""
        whole = min(32, self.trial.count) // 2 * 2
        if whole < 2:
            return 1.0
        whole_loss, *halves = (
            self.trial.plain_loss(slice(*rows)) for rows in ((0, whole), (0, whole // 2), (whole // 2, whole))
        )
        return whole_loss / float(np.mean(halves)) if np.mean(halves) > 0 else 1.0

    def _high_start(self) -> list[Finding]:
        """A start far above the constant predictor's loss is a fault only if the run does not come down from it."""
        start, reference = self.facts["plain_start"], self._constant
        if len(self.losses) < SHORT or start < HIGH_START * reference:
            return []
        penalised = bool(self.model.losses)
        end = self.trial.plain_loss(self.trial.probed) if penalised else float(np.median(self.losses[-5:]))
        stays = end > max(2 * reference, STAYS_HIGH * start)
        return [say.high_start(start, reference, end, len(self.losses))] if stays else []

    def _not_finite(self) -> Finding:
        x = self.trial.pair(self.trial.probed)[0]
        layer = first_broken_layer(self.model, as_tensors(x))
        return say.not_finite(layer, self.trial.look(), "" if layer else first_steep_layer(self.model, as_tensors(x)))

    def _lost(self, step: int) -> Finding:
        """The loss stopped being finite: because of the rate, when a smaller one stays finite."""
        layer = first_broken_layer(self.model, as_tensors(self.trial.pair(self.trial.probed)[0]))
        rate = self.trial.rate
        smaller = Rates(self.trial, self.losses, self.planned).finite_rate(rate) if rate is not None else None
        return say.lost(step, layer, rate, smaller, self.losses)
