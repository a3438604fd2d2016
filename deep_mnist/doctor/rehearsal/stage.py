"""One rehearsal: the run, what its losses say, and, where it did not learn, the search for the reason."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.contract.losses import loss_name
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal import findings as say
from deep_mnist.doctor.rehearsal.losses import RUN_STEPS, SHORT, by_heart, diverged, is_certain, learns
from deep_mnist.doctor.rehearsal.vitals import (
    CONSTANT_SPREAD,
    PROBED,
    Vitals,
    as_tensors,
    broken_weights,
    compiled_loss,
    constant_loss,
    first_broken_layer,
    look_into,
)

RUN_SHARE = 0.4  # of the time, for the run; the rest is for finding out why it did not learn
HEART_STEPS = 40  # to learn one batch by heart
HEART_EXAMPLES = 16
PROBED_VALUES = 1 << 21  # of all inputs together: 256 of MNIST's size or smaller than 91x91, 13 of 224x224x3
RANGE_STEPS = 15  # at each other rate
LOWER = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
HIGHER = (1e-1, 1e0, 1e1)  # times the rate at which a step would move the weights by USUAL_UPDATE
HIGHEST = 1e8  # times the user's rate
LEARNED = 0.25  # of the loss at the start: of the rates that come so far, the lowest is offered
BETTER = 0.85  # of the loss at the start, within RANGE_STEPS at another rate
HIGH_START = 10.0  # times the constant predictor's loss; He and Glorot starts on scaled data lie below 3
SUMMED = 1.6  # loss of a batch over that of its half: 1 for a mean, 2 for a sum
LARGE_UPDATE = 0.1  # of a weight's norm, a step; Adam at 1e-3 on a fresh network makes 0.005 to 0.03
USUAL_UPDATE = 5e-3  # of a weight's norm, a step
SMALL_UPDATE = 5e-5  # of a weight's norm, a step; fine-tuning with Adam at 1e-5 makes 2e-4


class Stage:
    """One rehearsal: the network, its sample, and what is left of steps and time."""

    def __init__(self, model: keras.Model, x: Any, y: Any, count: int, batch: int, seconds: float, steps: int) -> None:
        self.model, self.x, self.y, self.count, self.batch = model, x, y, count, batch
        self.seconds, self.steps, self.spent = seconds, steps, 0
        self.began = time.perf_counter()
        self.losses: list[float] = []
        self._out_of_time = False
        self._probed = slice(0, min(_affordable(x, PROBED), count))
        self._short = slice(0, min(_affordable(x, HEART_EXAMPLES), count))
        self.facts: dict[str, float] = {}
        self._step = tf.function(self._one_step, reduce_retracing=True, autograph=False)  # as Keras does

    # --- the run ---------------------------------------------------------------------------------------------------

    def perform(self, rewind: Callable[[], None]) -> list[Finding]:
        """Run and judge; what follows from an earlier finding is not said again.

        Args:
            rewind: Gives every variable the value it has now.
        """
        self._rewind = rewind
        if not self.model.trainable_variables:
            return [say.nothing_to_train()]
        if broken := broken_weights(self.model):
            return [say.broken_weight(broken)]
        before = self._look()
        if not before.finite:
            return [self._not_finite()]
        found = [*self._initial(before)]
        self.losses = self._run(self._batches(self.batch), RUN_STEPS, share=RUN_SHARE)
        if not all(map(math.isfinite, self.losses)):
            return [*found, self._lost(len(self.losses))]
        after = self._look()
        found += say.unconnected(before) + say.still(before, after) + say.exploding(before)
        found += [] if found else self._high_start()
        if learns(self.losses, self._constant):
            return [*found, *say.dead(before, after)]
        return self._failing(found, before, after)

    def _failing(self, found: list[Finding], before: Vitals, after: Vitals) -> list[Finding]:
        """Find out why the run did not learn: what is found then is an error."""
        named = [*found, *say.dead(before, after), *say.vanishing(before, after)]
        if named:
            return [replace(each, severity="error") for each in named]
        wild = diverged(self.losses) or self.facts.get("update", 0.0) > LARGE_UPDATE
        heart = [] if wild else self._run(self._one_batch(), HEART_STEPS, fresh=True)
        if heart and (by_heart(heart) or learns(heart, self._constant)):  # slowly is no fault
            return []
        better = self._other_rate(heart)
        if better:
            return [say.rate(*better, self.losses, self.facts.get("update", math.nan))]
        if after.spread < CONSTANT_SPREAD:
            return [say.same_answer(after)]
        if self._out_of_time:
            return [say.undecided(self.losses, self.clock())]
        if "constant_loss" in self.facts and heart:
            return [say.not_by_heart(self._short.stop, heart, self.facts["constant_loss"])]
        return []

    def _not_finite(self) -> Finding:
        rows = self._probed
        return say.not_finite(first_broken_layer(self.model, as_tensors(rows_of(self.x, rows))), self._look())

    def _look(self) -> Vitals:
        rows = self._probed
        return look_into(self.model, self._loss, rows_of(self.x, rows), rows_of(self.y, rows))

    def _loss(self, x: Any, y: Any, outputs: Any) -> Any:
        return compiled_loss(self.model, x, y, outputs, training=True)

    def _one_step(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self._loss(x, y, self.model(x, training=True))
            scaled = self.model.optimizer.scale_loss(loss)
        weights = self.model.trainable_variables
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        pairs = [(each, weight) for each, weight in zip(gradients, weights, strict=True) if each is not None]
        self.model.optimizer.apply_gradients(pairs)
        return loss

    def _run(
        self, batches: Iterator[tuple[Any, Any]], steps: int, *, fresh: bool = False, share: float = 1.0
    ) -> list[float]:
        """Return the losses of some steps, fewer when time or steps run out; the first update is measured."""
        if fresh:
            self._rewind()
        losses: list[float] = []
        for _ in range(steps):
            if self.spent >= self.steps or self.clock() > share * self.seconds or is_certain(losses, self._constant):
                break
            began = time.perf_counter()
            kernels = self._kernels() if "update" not in self.facts and len(losses) == 3 else []
            losses.append(float(self._step(*map(as_tensors, next(batches)))))
            self.spent += 1
            if len(losses) > 1:
                self.facts.setdefault("seconds_per_step", time.perf_counter() - began)
            if kernels:
                self.facts["update"] = _update(kernels, self._kernels())
            if not math.isfinite(losses[-1]):
                break
        return losses

    def _kernels(self) -> list[np.ndarray]:
        return [np.array(w.value, np.float32) for w in self.model.trainable_variables if len(w.shape) > 1]

    def _batches(self, size: int) -> Iterator[tuple[Any, Any]]:
        starts = range(0, self.count - size + 1, size)
        while True:
            for start in starts:
                rows = slice(start, start + size)
                yield rows_of(self.x, rows), rows_of(self.y, rows)

    def _one_batch(self) -> Iterator[tuple[Any, Any]]:
        while True:
            yield rows_of(self.x, self._short), rows_of(self.y, self._short)

    @property
    def _constant(self) -> float:
        """The loss of the best constant prediction, infinite where none can be computed."""
        return self.facts.get("constant_loss", math.inf)

    def clock(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.began

    # --- other rates ----------------------------------------------------------------------------------------------

    def _other_rate(self, heart: Sequence[float]) -> tuple[float, float, list[float]] | None:
        """Return (rate, rate that would do, its losses) where another rate learns the batch and this one does not.

        A higher rate is tried only where a step hardly moves the weights: elsewhere it may be faster, but this one is
        no fault.
        """
        rate = _constant_rate(self.model.optimizer)
        if rate is None:
            return None
        own = float(np.median(heart[-3:])) if heart and math.isfinite(heart[-1]) else math.inf
        update = self.facts.get("update", math.inf)
        low = update < SMALL_UPDATE and not diverged(self.losses)
        factors = _higher(update) if low else LOWER[: len(HIGHER)] if heart else LOWER  # the steps do for so many
        runs = {factor: losses for factor in factors if (losses := self._at_rate(rate * factor))}
        ends = {factor: float(np.mean(losses[-3:])) / max(losses[0], 1e-12) for factor, losses in runs.items()}
        if not ends or min(ends.values()) > BETTER:
            return None
        learned = [factor for factor, end in ends.items() if end <= LEARNED]
        factor = min(learned) if learned else min(ends, key=ends.__getitem__)
        losses = runs[factor]
        return (rate, rate * factor, losses) if float(np.mean(losses[-3:])) < BETTER * own else None

    def _at_rate(self, rate: float) -> list[float]:
        """Return the losses of one batch trained at another rate from the start, [] where time or finiteness ended."""
        self._rewind()
        self.model.optimizer.learning_rate.assign(rate)
        losses = self._run(self._one_batch(), RANGE_STEPS)
        self._out_of_time |= len(losses) < RANGE_STEPS and all(map(math.isfinite, losses))
        return losses if len(losses) == RANGE_STEPS and all(map(math.isfinite, losses)) else []

    # --- findings that need the run --------------------------------------------------------------------------------

    def _initial(self, before: Vitals) -> list[Finding]:
        self.facts["initial_loss"] = before.loss
        reference = constant_loss(self.y, _loss_of(self.model))
        if reference is None or reference <= 0:
            return []
        self.facts["constant_loss"] = reference
        ratio = self._summed()
        return [say.summed_loss(ratio)] if ratio > SUMMED else []

    def _summed(self) -> float:
        """Return the loss of a batch over the mean loss of its halves: 2 when the loss is a sum over the batch."""
        whole = min(32, self.count) // 2 * 2
        if whole < 2:
            return 1.0
        whole_loss, *halves = (
            self._plain_loss(slice(*rows)) for rows in ((0, whole), (0, whole // 2), (whole // 2, whole))
        )
        return whole_loss / float(np.mean(halves)) if np.mean(halves) > 0 else 1.0

    def _plain_loss(self, rows: slice) -> float:
        """Return the loss of some examples, without what regularizers add."""
        x, y = as_tensors(rows_of(self.x, rows)), as_tensors(rows_of(self.y, rows))
        loss = compiled_loss(self.model, x, y, self.model(x, training=False), training=False)
        return float(loss) - sum(float(each) for each in self.model.losses)

    def _high_start(self) -> list[Finding]:
        """A start far above the constant predictor's loss is a fault only if the run does not come down from it."""
        start, reference = self.facts["initial_loss"], self.facts.get("constant_loss")
        if (
            len(self.losses) < SHORT
            or reference is None
            or start < HIGH_START * reference
            or float(np.median(self.losses[-5:])) < 2 * reference
        ):
            return []
        return [say.high_start(start, reference, float(np.median(self.losses[-5:])), len(self.losses))]

    def _lost(self, step: int) -> Finding:
        """The loss stopped being finite: because of the rate, when a smaller one stays finite."""
        rows = self._probed
        layer = first_broken_layer(self.model, as_tensors(rows_of(self.x, rows)))
        rate = _constant_rate(self.model.optimizer)
        smaller = self._finite_rate(rate) if rate is not None else None
        return say.lost(step, layer, rate, smaller, self.losses)

    def _finite_rate(self, rate: float) -> float | None:
        for factor in (1e-1, 1e-2, 1e-3, 1e-4):
            losses = self._at_rate(rate * factor)
            if losses and losses[-1] < losses[0]:
                return rate * factor
        return None


def rows_of(arrays: Any, rows: slice) -> Any:
    return None if arrays is None else tf.nest.map_structure(lambda array: array[rows], arrays)


def _affordable(x: Any, most: int) -> int:
    """Return how many examples may be looked at in one go: fewer of large ones, at least 4."""
    values = sum(int(np.prod(array.shape[1:])) for array in tf.nest.flatten(x))
    return max(4, min(most, PROBED_VALUES // max(1, values)))


def _update(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> float:
    """Return the median over the weight matrices of their change's norm over their own norm."""
    shares = [
        float(np.linalg.norm(new - old)) / (float(np.linalg.norm(old)) + 1e-12)
        for old, new in zip(before, after, strict=True)
    ]
    return float(np.median(shares))


def _higher(update: float) -> list[float]:
    """Return by which powers of ten to multiply a rate whose steps change weights by this share of their norm."""
    usual = 10.0 ** round(math.log10(USUAL_UPDATE / max(update, USUAL_UPDATE / HIGHEST)))
    return [factor for each in HIGHER if 1.0 < (factor := usual * each) <= HIGHEST]


def _constant_rate(optimizer: Any) -> float | None:
    """Return the optimizer's rate, None when a schedule sets it."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        return None
    return float(optimizer.learning_rate)


def _loss_of(model: keras.Model) -> str | None:
    """Return the compiled loss's snake-case name, None for several losses or a function of the user's own."""
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", None)
    return loss_name(name) if isinstance(name, str) else None
