"""A rehearsal leaves nothing behind: weights, statistics, optimizer, metrics and random states are as they were."""

from __future__ import annotations

import random

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from deep_mnist.doctor.rehearsal.rehearse import rehearse
from tests.support.digits import draw_digits


def trained() -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """Return a network with moving statistics, slots, metrics and random layers, as one epoch has left it."""
    keras.utils.set_random_seed(0)
    images, labels = draw_digits(200, seed=3)
    x = (images / 255).astype(np.float32)[..., None]
    hidden = [layers.GaussianNoise(0.1), layers.Flatten(), layers.Dense(16), layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dropout(0.3), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, labels, verbose=0)
    return model, x, labels


def state(model: keras.Model) -> dict[str, bytes]:
    held = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return {f"{place} {each.path}": np.asarray(each.value).tobytes() for place, each in enumerate(held)}


def drawn() -> list[bytes]:
    """Return the next numbers of every source that a layer, a loader or an initializer may draw from."""
    numbers = [np.float64(random.random()), np.random.random(3), tf.random.uniform([3]), keras.random.normal([3])]
    return [np.asarray(each).tobytes() for each in numbers]


def test_weights_statistics_optimizer_and_metrics_are_the_same_bits():
    """Of a network in the middle of its training, whose last metrics can still be read."""
    model, x, labels = trained()
    before = state(model)

    rehearse(model, x, labels)

    assert state(model) == before


def test_random_numbers_go_on_as_without_a_rehearsal():
    """Python's, numpy's, TensorFlow's and Keras's."""
    model, x, labels = trained()
    expected = drawn()
    trained()

    rehearse(model, x, labels)

    assert drawn() == expected


def test_a_training_after_a_rehearsal_ends_in_the_same_weights():
    """Dropout, noise and shuffling included."""
    model, x, labels = trained()
    model.fit(x, labels, verbose=0)
    expected = model.get_weights()
    again, x, labels = trained()

    rehearse(again, x, labels)
    again.fit(x, labels, verbose=0)

    for one, other in zip(expected, again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)  # threads add floats in another order


def test_a_network_that_was_never_built_starts_as_it_would_have():
    """Building it draws its weights from Keras's seeds, as the first step of fit would."""
    _, x, labels = trained()

    def first_weights(*, rehearsed: bool) -> list[np.ndarray]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([layers.Flatten(), layers.Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        if rehearsed:
            rehearse(model, x, labels)
        model(x[:1])
        return model.get_weights()

    for one, other in zip(first_weights(rehearsed=False), first_weights(rehearsed=True), strict=True):
        np.testing.assert_array_equal(one, other)
