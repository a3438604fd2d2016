"""Sending a sample through a user's layers, maps and batches leaves the run that follows as it would have been."""

from __future__ import annotations

import random

import numpy as np
import pytest

from deep_mnist.doctor import check
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")


def network():
    layers = [
        keras.Input((8, 8, 1)), keras.layers.RandomFlip(seed=1), keras.layers.RandomBrightness(0.1, value_range=(0, 1)),
        keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3, activation="softmax"),
    ]  # fmt: skip
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def examples(count=60):
    draw = np.random.default_rng(0)
    return draw.random((count, 8, 8, 1)).astype("float32"), np.arange(count) % 3


def test_a_check_leaves_the_networks_variables_and_seeds_alone():
    """Weights, and the state of every random layer, are what they were."""
    keras.utils.set_random_seed(0)
    model, (x, y) = network(), examples()
    before = [np.array(each) for each in model.variables]

    check(model, x, y, epochs=20)

    assert all(np.array_equal(one, np.array(other)) for one, other in zip(before, model.variables, strict=True))


def test_a_check_leaves_the_generators_of_random_numbers_alone():
    """numpy, Python and TensorFlow draw next what they would have drawn without the check."""
    model, (x, y) = network(), examples()

    def drawn(judge):
        keras.utils.set_random_seed(7)
        if judge:
            check(model, x, y, epochs=20)
        return np.random.random(), random.random(), float(tf.random.uniform(()))

    assert drawn(judge=True) == drawn(judge=False)


def test_random_states_come_back_after_an_error():
    """A user's layer that raises does not leave another state behind."""
    np.random.seed(3)
    expected = np.random.RandomState(3).random_sample()

    with pytest.raises(RuntimeError), unchanged_random_states():
        np.random.random(5)
        raise RuntimeError

    assert np.random.random_sample() == expected
