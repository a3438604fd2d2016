"""What the nodes of one training say to each other besides gradients: where they are, and how they fare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.train.nodes.place import ALONE, Place

STRAGGLER = 1.5  # times what the others need for their share of a step
JUDGED_SECONDS = 60.0  # of work after which a straggler is told: a busy moment is none


def make_strategy(place: Place) -> tf.distribute.Strategy | None:
    """Return the strategy of nodes that TF_CONFIG names, None for one alone; before TensorFlow computes anything."""
    if place.count == 1:
        return None
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    return tf.distribute.MultiWorkerMirroredStrategy()


class Nodes:
    """The nodes that train together, as seen from one of them.

    Attributes:
        place: Which of them this is.
    """

    def __init__(self, place: Place = ALONE, strategy: tf.distribute.Strategy | None = None) -> None:
        self.place, self.strategy = place, strategy

    def table(self, numbers: Sequence[float]) -> np.ndarray:
        """Return every node's numbers, float64 (nodes, len(numbers)); each node must call it, in the same order."""
        own = np.zeros((self.place.count, len(numbers)))
        own[self.place.index] = numbers
        return self._summed(own)

    def average(self, variables: Sequence[Any]) -> None:
        """Give variables the mean of what the nodes hold; each node must call it, in the same order."""
        if self.place.count == 1 or not variables:
            return
        values = [np.asarray(variable) for variable in variables]
        flat = np.concatenate([value.reshape(-1).astype(np.float64) for value in values])
        mean = self._summed(flat) / self.place.count
        for variable, part in zip(variables, np.split(mean, np.cumsum([value.size for value in values])), strict=False):
            variable.assign(part.reshape(variable.shape).astype(np.asarray(variable).dtype))

    def _summed(self, values: np.ndarray) -> np.ndarray:
        if self.strategy is None or self.place.count == 1:
            return values
        local = self.strategy.num_replicas_in_sync // self.place.count
        each = self.strategy.experimental_distribute_values_from_function(lambda _: tf.constant(values / local))
        return np.asarray(self.strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None))


def stragglers(seconds: np.ndarray) -> list[int]:
    """Return the nodes that need much longer for their share of a step than the median of the others.

    >>> stragglers(np.array([1.0, 1.1, 4.0]))
    [2]
    >>> stragglers(np.array([1.0, 1.2]))
    []
    """
    found = []
    for node, own in enumerate(seconds.tolist()):
        others = np.delete(seconds, node)
        if len(others) and own > STRAGGLER * float(np.median(others)) > 0:
            found.append(node)
    return found


class OwnWork:
    """What each node needs for its share of a step, without waiting for others.

    Attributes:
        seconds: float64 (nodes,), so far.
        steps: So far.
    """

    def __init__(self, nodes: int) -> None:
        self.seconds, self.steps, self._told = np.zeros(nodes), 0, nodes == 1

    def add(self, seconds: np.ndarray, steps: int) -> None:
        """Take in some steps; tell of a straggler, once."""
        self.seconds = self.seconds + seconds
        self.steps += steps
        if self._told or self.seconds.min() < JUDGED_SECONDS:
            return
        self._told = True
        per_step = 1000 * self.seconds / self.steps
        for node in stragglers(per_step):
            print(
                f"train: node {node} is slow: {per_step[node]:.1f} ms of its own work per step, where the nodes' "
                f"median is {np.median(per_step):.1f} ms; all wait for it",
                flush=True,
            )
