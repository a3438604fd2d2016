"""The compiled loop: many steps a call, the data resident on the device.

Everything random is a function of (seed, epoch), so a run cut at any step goes on as if it had not been cut,
and how many steps one call runs changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from components.train.augment import random_maps, warp_images
from components.train.device import Device
from components.train.examples.chunks import read_chunks, steps_in_chunk
from components.train.examples.order import draws_of, one_cycle, rows_of
from components.train.examples.sharded import LANES, ShardedSplit, ShardStream
from components.train.examples.split import TrainingSplit
from components.train.networks import Recipe
from components.train.nodes.place import ALONE, Place
from components.train.nodes.statistics import Statistics
from components.train.trainee import Trainee, correct, plain_metrics

LEAST_STEPS = 20  # an epoch
SMALLEST_BATCH = 16


class Loop:
    """Trains one model on one split.

    Attributes:
        steps_per_epoch, steps: Of one epoch and of the whole training.
        sums: The epoch's [sum of its steps' losses, correct predictions, examples].
    """

    def __init__(
        self,
        trainee: Trainee,
        recipe: Recipe,
        train: TrainingSplit,
        *,
        seed: int,
        device: Device,
        resident: bool = True,
        strategy: tf.distribute.Strategy | None = None,
        place: Place = ALONE,
    ) -> None:
        self.trainee, self.recipe, self.train = trainee, recipe, train
        self.resident, self.strategy, self.place = resident and not isinstance(train, ShardedSplit), strategy, place
        self.replicas = strategy.num_replicas_in_sync if strategy else 1
        self.jit = device.jit and strategy is None
        self.parts = 1 if device.kind == "GPU" else recipe.parts
        self.batch = self._batch()
        self.steps_per_epoch = train.steps(self.batch)
        self.steps = self.steps_per_epoch * recipe.epochs
        self.rates = one_cycle(recipe.peak_rate, self.steps, recipe.warmup) if recipe.peak_rate else None
        self.own_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # of a node, without waiting for others
        self._statistics = Statistics(trainee.model, place)
        with self.scope():
            self.sums = tf.Variable(
                tf.zeros(3),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ if strategy else tf.VariableSynchronization.AUTO,
                aggregation=tf.VariableAggregation.SUM if strategy else tf.VariableAggregation.NONE,
            )
            self._make_variables()
        self._arrays = self._on_every_device(train) if self.resident else ()
        self.begin(seed)
        self._compile()

    def begin(self, seed: int) -> None:
        """Take rows and random numbers from this seed on; what is compiled stays."""
        self.seed = seed
        self._order_of: tuple[int, np.ndarray] = (-1, np.zeros((0, 0), np.int32))
        self._tables_of: tuple[int, tuple[np.ndarray, ...]] = (-1, ())
        self._stream = self._make_stream(self.train) if isinstance(self.train, ShardedSplit) else None

    def _batch(self) -> int:
        """Return how many examples a step has, over all replicas: the same for 1, 2, 4 and 8 of them."""
        share, count = self.replicas * self.parts, len(self.train)
        largest = max(SMALLEST_BATCH, count // LEAST_STEPS)  # few examples still make steps enough an epoch
        fitting = min(self.recipe.batch, largest // LANES * LANES if largest < self.recipe.batch else largest, count)
        unit = share if not isinstance(self.train, ShardedSplit) else math.lcm(share, LANES)
        return max(unit, fitting // unit * unit)

    def _make_stream(self, train: ShardedSplit) -> ShardStream:
        if LANES % self.place.count:
            raise ValueError(f"Expected nodes by which {LANES} can be divided. Received: {self.place.count}.")
        each = LANES // self.place.count
        lanes = range(self.place.index * each, (self.place.index + 1) * each)
        return ShardStream(train, seed=self.seed, batch=self.batch, lanes=lanes)

    def _compile(self) -> None:
        # As Keras compiles its own steps: AutoGraph, which rewrites Python's source, would take a second for nothing.
        self._run_steps = tf.function(self._steps, jit_compile=self.jit, autograph=False)

    def _make_variables(self) -> None:
        """Make the variables that Keras makes at first use: inside a compiled loop it would be traced twice."""
        model, train = self.trainee.model, self.train
        model.optimizer.build(model.trainable_variables)
        if self.trainee.own and model._compile_metrics is not None:
            labels = tf.constant(train.labels[:1])
            model._compile_metrics.build(labels, model(tf.constant(train.images[:1]), training=False))

    def scope(self) -> Any:
        """Return the context in which variables are made."""
        return self.strategy.scope() if self.strategy else nullcontext()

    def run(self, epoch: int, first: int, last: int) -> None:
        """Train steps first..last-1 of an epoch; all counted from 0."""
        if first == 0:
            self.sums.assign(tf.zeros(3))
            self.trainee.model.reset_metrics()
        try:
            self._run(epoch, first, last)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not (self.jit and self.trainee.own):
                raise
            reason = str(error).strip().splitlines()[0][:200]
            print(f"train: XLA does not compile this network; plain graphs instead. {reason}", flush=True)
            self.jit = False
            self._compile()
            self._run(epoch, first, last)

    def _run(self, epoch: int, first: int, last: int) -> None:
        if self.resident:
            order = self._order(epoch)
            if self._tables_of[0] != epoch:
                self._tables_of = epoch, self._tables(epoch, 0, self.steps_per_epoch)
            self._call(self._arrays, order, self._tables_of[1], first, last)
            return
        # The same compiled loop, so the same kernels and the same threads: the weights are those of resident data.
        share = self.batch // self.place.count
        size = steps_in_chunk(self.train, share)
        own_rows = np.arange(size * share, dtype=np.int32).reshape(size, share)
        for step, chunk in self._chunks(epoch, first, last, size):
            count = min(size, last - step)
            tables = [np.resize(each, (size, *each.shape[1:])) for each in self._tables(epoch, step, step + count)]
            self._call(self._on_every_device(chunk), own_rows, tables, 0, count)

    def _chunks(self, epoch: int, first: int, last: int, size: int) -> Iterator[tuple[int, TrainingSplit]]:
        """Yield (first step, this node's examples) for every `size` steps."""
        if self._stream is not None:
            yield from self._stream.chunks(epoch, range(first, last), size)
            return
        share = self.batch // self.place.count
        mine = self._order(epoch)[first:last, self.place.index * share : (self.place.index + 1) * share]
        for start, chunk in read_chunks(self.train, mine, size):
            yield first + start, chunk

    def _call(self, arrays: Any, order: np.ndarray, tables: Sequence[np.ndarray], first: int, last: int) -> None:
        limits = tf.constant(first), tf.constant(last)
        self._run_steps(*arrays, tf.constant(order), *map(tf.constant, tables), *limits)

    def _tables(self, epoch: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rates and the random numbers of some steps of an epoch."""
        rates = np.zeros(last - first, np.float32)
        if self.rates is not None:
            rates = self.rates[epoch * self.steps_per_epoch :][first:last]
        return rates, draws_of(self.seed, epoch, first, last, self.batch if self.recipe.warp else 0)

    def _order(self, epoch: int) -> np.ndarray:
        """Return the epoch's rows, int32 (steps, batch), made once an epoch."""
        if self._order_of[0] != epoch:
            rows = rows_of(self.seed, epoch, len(self.train), self.steps_per_epoch, self.batch)
            self._order_of = epoch, rows
        return self._order_of[1]

    def _on_every_device(self, split: TrainingSplit) -> tuple[Any, Any]:
        if self.strategy is None:
            return tf.constant(split.images), tf.constant(split.labels)
        images, labels = (
            self.strategy.experimental_distribute_values_from_function(lambda _, array=array: tf.constant(array))
            for array in (split.images, split.labels)
        )
        return images, labels

    def _steps(self, images, labels, order, rates, draws, first, last) -> None:  # type: ignore[no-untyped-def]
        def one(step: tf.Tensor) -> tuple[tf.Tensor]:
            self._set_rate(rates, step)
            self._everywhere(self._step, images, labels, order[step], draws[step])
            return (step + 1,)

        one_by_one = {"parallel_iterations": 1} if self.place.count > 1 else {}
        tf.while_loop(lambda step: step < last, one, (first,), **one_by_one)

    def _set_rate(self, rates: tf.Tensor, step: tf.Tensor) -> None:
        if self.rates is not None:
            self.trainee.model.optimizer.learning_rate.assign(rates[step])

    def _everywhere(self, step: Any, *arguments: Any) -> None:
        if self.strategy is None:
            step(*arguments)
        else:
            self.strategy.run(step, args=arguments)

    def _step(self, images: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor, draws: tf.Tensor) -> None:
        """One optimizer step of one replica on its share of the rows."""
        share = self.batch // self.replicas
        replica = 0
        if self.strategy is not None:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        # Streamed rows are this node's share, others are numbered through all shares.
        at = (replica - (0 if self.resident else self.place.index * self.replicas // self.place.count)) * share
        rows = tf.reshape(rows[at : at + share], (share,))
        mine = tf.reshape(draws[:, replica * share : (replica + 1) * share], (5, share if self.recipe.warp else 0))
        begun = tf.timestamp() if self.place.count > 1 else None
        self._statistics.begin()
        gradients = [
            self._gradients(*self._examples(images, labels, *part))
            for part in zip(tf.split(rows, self.parts), tf.split(mine, self.parts, axis=1), strict=True)
        ]
        optimizer, weights = self.trainee.model.optimizer, self.trainee.model.trainable_variables
        mean = _mean(gradients)
        if begun is not None:
            with tf.control_dependencies(mean):
                self.own_seconds.assign_add(tf.timestamp() - begun)
        optimizer.apply(mean, weights)
        self._statistics.follow()

    def _examples(
        self, images: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor, draws: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return one part's images, warped, and labels; each part warps its own, side by side with the others."""
        images, labels = tf.gather(images, rows), tf.gather(labels, rows)
        if self.recipe.warp:
            maps = random_maps(self.recipe.warp, draws, images.shape[1])
            images = warp_images(images, maps, jit=self.jit)
        return images, labels

    def _gradients(self, images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        model = self.trainee.model
        with tf.GradientTape() as tape:
            predicted = model(images, training=True)
            loss = self.trainee.loss(images, labels, predicted)
            scaled = model.optimizer.scale_loss(loss if self.trainee.own else loss / self.replicas)
        # Keras divides its own losses by the replicas; what is shown is the loss of the whole batch.
        whole = loss * self.replicas if self.trainee.own else self.trainee.measure(images, labels, predicted)
        count = float(images.shape[0])
        self.sums.assign_add([whole / (self.parts * self.replicas), correct(labels, predicted), count])
        if self.trainee.own:
            model.compute_metrics(images, labels, predicted)
        return tape.gradient(scaled, model.trainable_variables)

    def results(self) -> dict[str, float]:
        """Return the epoch's mean loss, accuracy, and the user's own metrics, so far."""
        loss, correct_count, examples = (float(each) for each in self.sums.numpy())
        own = plain_metrics(self.trainee.model) if self.trainee.own else {}
        return {**own, "loss": loss * self.batch / examples, "accuracy": correct_count / examples}

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that the next step depends on."""
        return {name: np.asarray(variable) for name, variable in self._variables()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Set what `state` returned.

        Raises:
            ValueError: Another model's state.
        """
        variables = dict(self._variables())
        for name, variable in variables.items():
            if name not in state or state[name].shape != tuple(variable.shape):
                raise ValueError(f"Expected {name} of shape {tuple(variable.shape)}. Received: {state.get(name)}.")
        for name, variable in variables.items():
            variable.assign(state[name].view(np.asarray(variable).dtype))

    def _variables(self) -> Iterator[tuple[str, Any]]:
        model = self.trainee.model
        seen: set[int] = set()
        for kind, variables in (
            ("model", model.variables),
            ("metrics", model.metrics_variables),
            ("optimizer", model.optimizer.variables),
        ):
            for number, variable in enumerate(variables):
                if id(variable) not in seen:
                    seen.add(id(variable))
                    yield f"{kind}/{number:04d}", variable
        yield "sums", self.sums


def _mean(gradients: list[list[tf.Tensor]]) -> list[tf.Tensor]:
    if len(gradients) == 1:
        return gradients[0]
    return [tf.add_n(list(each)) / float(len(gradients)) for each in zip(*gradients, strict=True)]
