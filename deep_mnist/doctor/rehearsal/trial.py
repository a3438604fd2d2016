"""A network on its sample: optimizer steps under a budget, at the user's rate or another, from the start or onwards."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.doctor.rehearsal.budget import Budget, work_of
from deep_mnist.doctor.rehearsal.vitals import PROBED, Vitals, as_tensors, compiled_loss, look_into

HEART_EXAMPLES = 16
FEW_EXAMPLES = 4  # that even a network of one unit can tell apart
AT_ONCE = 2e9  # multiply-adds that one call of `repeated` runs: a fifth of a second, between two looks at the clock
PROBED_VALUES = 1 << 21  # of all inputs together: 256 of MNIST's size or smaller than 91x91, 13 of 224x224x3


class SpentError(Exception):
    """The budget of a rehearsal is spent."""


class StepTrial:
    """A compiled network, its sample and what may be spent on them.

    Args:
        model: Built, with a built optimizer.
        x, y: Arrays of `count` examples; y None where the network needs none.
        batch: Examples a step.
        budget: Of all runs together.
        rewind: Gives every variable the value it had at the start.

    Attributes:
        rate: The user's learning rate, None when a schedule sets it.
        facts: "update", the share by which the fourth step changed the weights.
        step_seconds: Of each step, but for those that were traced.
    """

    def __init__(
        self, model: keras.Model, x: Any, y: Any, count: int, batch: int, budget: Budget, rewind: Callable[[], None]
    ) -> None:
        self.model, self.x, self.y, self.count, self.batch = model, x, y, count, batch
        self.budget, self.rewind = budget, rewind
        self.rate = constant_rate(model.optimizer)
        self.facts: dict[str, float] = {}
        self.step_seconds: list[float] = []
        self.probed = slice(0, min(_affordable(x, PROBED), count))
        self.short = slice(0, min(_affordable(x, HEART_EXAMPLES), count))
        self._work: dict[tuple[bool, bool], float] = {}

    # --- looks -----------------------------------------------------------------------------------------------------

    def look(self) -> Vitals:
        """Return what the network shows on the probed examples."""
        return look_into(self.model, self._loss, *self.pair(self.probed))

    def pair(self, rows: Any) -> tuple[Any, Any]:
        """Return x and y of some rows."""
        return rows_of(self.x, rows), rows_of(self.y, rows)

    def outputs(self, rows: Any) -> Any:
        """Return what the network predicts for some rows."""
        return self.model(as_tensors(rows_of(self.x, rows)), training=False)

    def plain_loss(self, rows: Any) -> float:
        """Return the loss of some rows in prediction mode, without what regularizers add."""
        return self.plain_loss_of(*self.pair(rows))

    def plain_loss_of(self, x: Any, y: Any) -> float:
        """Return the same for given examples."""
        x, y = as_tensors(x), as_tensors(y)
        loss = compiled_loss(self.model, x, y, self.model(x, training=False), training=False)
        return float(loss) - sum(float(each) for each in self.model.losses)

    # --- steps -----------------------------------------------------------------------------------------------------

    def run(
        self,
        batches: Iterator[tuple[Any, Any]],
        steps: int,
        *,
        fresh: bool = False,
        rate: float | None = None,
        until: Callable[[Sequence[float]], bool] = lambda _: False,
        dropout: bool = True,
        penalty: bool = True,
    ) -> list[float]:
        """Return the losses of some steps, fewer where one is not finite or `until` holds of them.

        Args:
            batches: Of (x, y).
            steps: Most of them.
            fresh: From the variables' values at the start.
            rate: From there at another constant learning rate.
            until: Ends the run.
            dropout: In training mode; else as in prediction.
            penalty: With what regularizers add.

        Raises:
            SpentError: The budget does not allow the next step.
        """
        if fresh or rate is not None:
            self._begin(rate)
        losses: list[float] = []
        while len(losses) < steps and not until(losses):
            x, y = map(as_tensors, next(batches))
            kernels = self._kernels() if "update" not in self.facts and len(losses) == 3 else []
            losses.append(self._one(x, y, dropout, penalty))
            if kernels:
                self.facts["update"] = _update(kernels, self._kernels())
            if not math.isfinite(losses[-1]):
                break
        return losses

    def repeated(
        self,
        x: Any,
        y: Any,
        steps: int,
        *,
        rate: float | None = None,
        every: int | None = None,
        until: Callable[[Sequence[float]], bool] = lambda _: False,
        dropout: bool = True,
        penalty: bool = True,
    ) -> list[float]:
        """Return the losses of some steps on one batch again and again, from the variables' values at the start.

        One call runs several of them, for of a small network's step the start of it is most.

        Args:
            x, y: The batch.
            steps: Most of them; fewer where a loss is not finite.
            rate: A constant one; the user's where it is None.
            every: After so many steps `until` is asked; before the first alone where it is None.
            until, dropout, penalty: As in `run`.

        Raises:
            SpentError: As in `run`.
        """
        self._begin(rate)
        x, y = as_tensors(x), as_tensors(y)
        cost = self._work_of(x, y, dropout, penalty) * len(tf.nest.flatten(x)[0])
        most, every = max(1, int(AT_ONCE / cost)), every or steps
        losses: list[float] = []
        while len(losses) < steps and not (len(losses) % every == 0 and until(losses)):
            count = min(most, steps - len(losses), every - len(losses) % every)
            if not all(self.budget.take(cost) for _ in range(count)):
                raise SpentError
            for loss in self._steps(dropout, penalty)(x, y, tf.constant(count)).numpy().tolist():
                losses.append(loss)
                if not math.isfinite(loss):
                    return losses
        return losses

    def _begin(self, rate: float | None) -> None:
        self.rewind()
        if rate is not None:
            self.model.optimizer.learning_rate.assign(rate)

    def work(self) -> float:
        """Return the multiply-adds of one step of the training's batch."""
        x, y = map(as_tensors, self.pair(slice(0, self.batch)))
        return self._work_of(x, y, dropout=True, penalty=True) * self.batch

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """Yield the sample's batches again and again, in one order."""
        while True:
            for start in range(0, self.count - self.batch + 1, self.batch):
                yield self.pair(slice(start, start + self.batch))

    def _one(self, x: Any, y: Any, dropout: bool, penalty: bool) -> float:
        size = len(tf.nest.flatten(x)[0])
        is_first = (dropout, penalty) not in self._work
        if not self.budget.take(self._work_of(x, y, dropout, penalty) * size):
            raise SpentError
        began = time.perf_counter()
        loss = float(self._step(dropout, penalty)(x, y))
        if not is_first:
            self.step_seconds.append(time.perf_counter() - began)
        return loss

    def _work_of(self, x: Any, y: Any, dropout: bool, penalty: bool) -> float:
        """Return a step's multiply-adds for each example."""
        if (dropout, penalty) not in self._work:
            inputs = tf.nest.flatten(x)
            traced = self._step(dropout, penalty).get_concrete_function(x, y)
            longest = max([1, *(each.shape[1] for each in inputs if len(each.shape) > 1)])
            work = work_of(traced, len(inputs[0]), self.model.count_params(), longest)
            self._work[dropout, penalty] = work / len(inputs[0])
        return self._work[dropout, penalty]

    @functools.cache  # noqa: B019 - as many as there are kinds of step
    def _step(self, dropout: bool, penalty: bool) -> Any:
        step = functools.partial(self._one_step, dropout=dropout, penalty=penalty)
        return tf.function(step, reduce_retracing=True, autograph=False)  # as Keras does

    @functools.cache  # noqa: B019 - likewise
    def _steps(self, dropout: bool, penalty: bool) -> Any:
        def steps(x: Any, y: Any, count: Any) -> Any:
            def one(step: Any, losses: Any) -> tuple[Any, Any]:
                loss = self._one_step(x, y, dropout=dropout, penalty=penalty)
                return step + 1, losses.write(step, tf.reshape(tf.cast(loss, tf.float64), ()))

            begin = 0, tf.TensorArray(tf.float64, count)
            return tf.while_loop(lambda step, _: step < count, one, begin, parallel_iterations=1)[1].stack()

        return tf.function(steps, reduce_retracing=True, autograph=False)

    def _one_step(self, x: Any, y: Any, *, dropout: bool, penalty: bool) -> Any:
        with tf.GradientTape() as tape:
            loss = self._loss(x, y, self.model(x, training=dropout))
            if not penalty and self.model.losses:
                loss -= tf.add_n([tf.cast(each, loss.dtype) for each in self.model.losses])
            scaled = self.model.optimizer.scale_loss(loss)
        weights = self.model.trainable_variables
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        pairs = [(each, weight) for each, weight in zip(gradients, weights, strict=True) if each is not None]
        if pairs:
            self.model.optimizer.apply_gradients(pairs)
        return loss

    def _loss(self, x: Any, y: Any, outputs: Any) -> Any:
        return compiled_loss(self.model, x, y, outputs, training=True)

    def _kernels(self) -> list[np.ndarray]:
        return [np.array(w.value, np.float32) for w in self.model.trainable_variables if len(w.shape) > 1]


def rows_of(arrays: Any, rows: Any) -> Any:
    """Return some rows of arrays of any nesting."""
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
    return float(np.median(shares)) if shares else math.nan


def constant_rate(optimizer: Any) -> float | None:
    """Return the optimizer's rate, None when a schedule sets it."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        return None
    return float(optimizer.learning_rate)
