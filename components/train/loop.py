"""The compiled loop: many steps a call, the data resident on the device.

Everything random is a function of (seed, step), so a run cut at any step goes on as if it had not been cut.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from components.train.data import Split
from components.train.networks import Recipe


def one_cycle(peak: float, steps: int, warmup: float = 0.2) -> np.ndarray:
    """Return a rate for each step: linear up to `peak`, then linear down to nearly nothing."""
    rising = max(1, round(steps * warmup))
    at = np.arange(steps)
    return (peak * np.minimum((at + 1) / rising, (steps - at) / max(1, steps - rising))).astype(np.float32)


def correct(labels: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Return how many predictions hit their label, sparse or one-hot."""
    wanted = (
        tf.argmax(labels, axis=-1) if labels.shape.rank == 2 and labels.shape[-1] != 1 else tf.reshape(labels, [-1])
    )
    hits = tf.equal(tf.cast(tf.argmax(predicted, axis=-1), tf.int32), tf.cast(wanted, tf.int32))
    return tf.reduce_sum(tf.cast(hits, tf.float32))


class Loop:
    """Trains a compiled model on one resident split.

    `sums` holds the epoch's [sum of the losses of its steps, correct predictions, examples].
    """

    def __init__(self, model: keras.Model, recipe: Recipe, train: Split, *, epochs: int, seed: int, jit: bool) -> None:
        self.model, self.recipe, self.seed = model, recipe, seed
        self.batch = min(recipe.batch, len(train))
        self.steps_per_epoch = len(train) // self.batch
        self.steps = self.steps_per_epoch * epochs
        self.examples = len(train)
        self.images, self.labels = tf.constant(train.images), tf.constant(train.labels)
        self.rates = one_cycle(recipe.peak_rate, self.steps) if recipe.peak_rate else None
        self.sums = tf.Variable(tf.zeros(3), trainable=False)
        self._run = tf.function(self._steps, jit_compile=jit, autograph=True)

    def order(self, epoch: int) -> np.ndarray:
        """Return the epoch's rows, int32 (steps, batch): a permutation that depends on seed and epoch only."""
        rows = np.random.default_rng((self.seed, epoch)).permutation(self.examples)
        return rows[: self.steps_per_epoch * self.batch].astype(np.int32).reshape(-1, self.batch)

    def run(self, epoch: int, first: int, last: int) -> None:
        """Train steps first..last-1 of an epoch, counted from 0."""
        start = epoch * self.steps_per_epoch
        rates = np.zeros(self.steps_per_epoch, np.float32)
        if self.rates is not None:
            rates = self.rates[start : start + self.steps_per_epoch]
        if first == 0:
            self.sums.assign(tf.zeros(3))
        order = tf.constant(self.order(epoch))
        self._run(self.images, self.labels, order, tf.constant(rates), *map(tf.constant, (start, first, last)))

    def _steps(self, images, labels, order, rates, start, first, last) -> None:  # type: ignore[no-untyped-def]
        for step in tf.range(first, last):
            rows = tf.gather(order, step)
            if self.rates is not None:
                self.model.optimizer.learning_rate.assign(rates[step])
            self._step(tf.gather(images, rows), tf.gather(labels, rows), start + step)

    def _step(self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            predicted = self.model(images, training=True)
            loss = self.model.compute_loss(images, labels, predicted, training=True)
        weights = self.model.trainable_variables
        self.model.optimizer.apply(tape.gradient(loss, weights), weights)
        self.sums.assign_add([loss, correct(labels, predicted), float(self.batch)])
