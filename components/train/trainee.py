"""What the loop trains: a user's model as it is, or a built-in network's faster twin.

The twin has the same weights in the same order. It emits logits, so that the loss is one plain operation;
it multiplies in bfloat16 where the hardware does; its BatchNormalization is one fused kernel a layer; its kernels may
take Muon's steps in place of AdamW's.
What is saved is the network itself, in float32, with the twin's weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from components.train.muon import muon_in_place_of

Loss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Trainee:
    """A model to train.

    Attributes:
        model: What the steps run; compiled.
        loss: Mean loss of (images, labels, predicted), a scalar: what the steps lower.
        measure: The same without what only training adds, such as smoothed labels.
        final: What is saved.
        own: The user's own model, whose compile settings hold.
    """

    model: keras.Model
    loss: Loss
    measure: Loss
    final: keras.Model
    own: bool

    def finish(self) -> keras.Model:
        """Return the model to save, with the trained weights."""
        if self.final is not self.model:
            self.final.set_weights(self.model.get_weights())
        return self.final


class FusedBatchNormalization(layers.BatchNormalization):
    """BatchNormalization over the last axis of images, in training one fused kernel.

    Attributes:
        observed: Where it is a list, receives the mean and variance of each call, float32 (channels,) each, in place of
            the moving averages.
    """

    observed: list[tuple[tf.Tensor, tf.Tensor]] | None = None

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        if not training or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma.value),
            tf.convert_to_tensor(self.beta.value),
            epsilon=self.epsilon,
            is_training=True,
        )
        if self.observed is None:
            self.follow(mean, variance)
        else:
            self.observed.append((mean, variance))
        return outputs

    def follow(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Let the moving averages take in what a batch had."""
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + tf.stop_gradient(value) * (1.0 - self.momentum))


def own_trainee(model: keras.Model) -> Trainee:
    """Train a user's model with the loss it was compiled with."""

    def loss(images: tf.Tensor, labels: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return model.compute_loss(images, labels, predicted, training=True)

    return Trainee(model, loss, loss, model, own=True)


def built_in_trainee(
    network: keras.Model, *, bfloat16: bool, fused: bool = True, smoothing: float = 0.0, muon: bool = False
) -> Trainee:
    """Train a built-in network, compiled with a cross-entropy over a softmax, through its twin.

    XLA fuses Keras' own BatchNormalization itself, so `fused` is for plain graphs.
    """
    last = network.layers[-1]
    policy = "mixed_bfloat16" if bfloat16 else "float32"

    def twin_of(layer: layers.Layer) -> layers.Layer:
        settings = {**layer.get_config(), "dtype": "float32" if layer is last else policy}
        if layer is last:
            settings["activation"] = "linear"
        replaced = fused and isinstance(layer, layers.BatchNormalization)
        kind = FusedBatchNormalization if replaced else type(layer)
        return kind.from_config(settings)

    twin = keras.models.clone_model(network, clone_function=twin_of)
    twin.set_weights(network.get_weights())
    twin.compile_from_config(network.get_compile_config())
    if muon:
        twin.optimizer = muon_in_place_of(twin.optimizer)
    return Trainee(twin, smoothed_cross_entropy(smoothing), cross_entropy, network, own=False)


def cross_entropy(_images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of float32 logits (n, classes) and labels, sparse (n,) or one-hot (n, classes)."""
    if labels.shape.rank == 2:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits))


def smoothed_cross_entropy(smoothing: float) -> Loss:
    """Return the cross-entropy with a share of each label spread evenly over the classes."""

    def loss(images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        even = -tf.reduce_mean(tf.nn.log_softmax(logits))
        return (1.0 - smoothing) * cross_entropy(images, labels, logits) + smoothing * even

    return loss if smoothing else cross_entropy


def correct(labels: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Return how many predictions are correct, sparse or one-hot, as float32."""
    predicted = tf.reshape(predicted, (tf.shape(predicted)[0], -1))
    if predicted.shape[-1] == 1:
        matches = tf.equal(predicted[:, 0] > 0.5, tf.reshape(tf.cast(labels, tf.float32), [-1]) > 0.5)
        return tf.reduce_sum(tf.cast(matches, tf.float32))
    one_hot = labels.shape.rank == 2 and labels.shape[-1] != 1
    expected = tf.argmax(labels, axis=-1) if one_hot else tf.reshape(labels, [-1])
    matches = tf.equal(tf.cast(tf.argmax(predicted, axis=-1), tf.int32), tf.cast(expected, tf.int32))
    return tf.reduce_sum(tf.cast(matches, tf.float32))


def plain_metrics(model: keras.Model) -> dict[str, float]:
    """Return the compiled metrics that are one number each, the loss left out."""
    found = {name: np.asarray(value) for name, value in model.get_metrics_result().items() if name != "loss"}
    return {name: float(value) for name, value in found.items() if value.ndim == 0}
