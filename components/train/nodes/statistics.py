"""BatchNormalization's moving averages, the same on every node.

What the parts of a batch had is exchanged and taken in one after the other, in the order of the parts: so do the parts
of a batch on one node, and the averages are the same numbers. Layers of other kinds keep averages of their node's own
share; `drifting` returns those, for their mean to be taken now and then, which is the average of the mean.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.train.nodes.place import Place
from components.train.trainee import FusedBatchNormalization


class Statistics:
    """The moving averages of one model, exchanged where several nodes train it."""

    def __init__(self, model: keras.Model, place: Place) -> None:
        fused = [layer for layer in model.layers if isinstance(layer, FusedBatchNormalization)]
        self._layers = fused if place.count > 1 else []

    def begin(self) -> None:
        """Collect what the parts of this step have."""
        for layer in self._layers:
            layer.observed = []

    def follow(self) -> None:
        """Exchange it and take it in; in the replica's context."""
        if not self._layers:
            return
        parts = list(zip(*(layer.observed or () for layer in self._layers), strict=True))
        own = tf.stack([tf.concat([value for pair in part for value in pair], axis=0) for part in parts])
        context = tf.distribute.get_replica_context()
        every = context.all_gather(own, axis=0)
        sizes = [layer.moving_mean.shape[0] for layer in self._layers for _ in range(2)]
        for row in tf.unstack(every, num=len(parts) * context.num_replicas_in_sync):
            values = tf.split(tf.reshape(row, (sum(sizes),)), sizes)
            for place, layer in enumerate(self._layers):
                layer.follow(*values[2 * place : 2 * place + 2])
        for layer in self._layers:
            layer.observed = None


def drifting(model: keras.Model) -> list[Any]:
    """Return the variables of a model that each node changes by its own share alone."""
    followed = {
        id(variable)
        for layer in model.layers
        if isinstance(layer, FusedBatchNormalization)
        for variable in (layer.moving_mean, layer.moving_variance)
    }
    others = [variable for variable in model.non_trainable_variables if id(variable) not in followed]
    return [variable for variable in others if np.issubdtype(np.dtype(str(variable.dtype)), np.floating)]
