"""Muon: orthogonal steps for the kernels of convolutions, AdamW's for everything else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from components.train.muon import STEP, KernelMuon, muon_in_place_of, orthogonal
from components.train.trainee import built_in_trainee


@pytest.mark.parametrize("shape", [(25, 16), (16, 25), (144, 32)])
def test_a_step_is_as_large_in_every_direction(shape: tuple[int, int]) -> None:
    """The singular values of a matrix, far apart, come out near 1, and its singular vectors stay."""
    random = np.random.default_rng(0)
    left, _, right = np.linalg.svd(random.normal(size=shape), full_matrices=False)
    matrix = (left * np.geomspace(0.05, 1, len(right))) @ right
    result = orthogonal(tf.constant(matrix.astype(np.float32))).numpy()
    values = np.diag(left.T @ result @ right.T)
    assert values.min() > 0.6 and values.max() < 1.3
    np.testing.assert_allclose(result, (left * values) @ right, atol=1e-3)


def steps_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable, gradient: np.ndarray) -> np.ndarray:
    before = np.asarray(variable)
    optimizer.build([variable])
    optimizer.apply([tf.constant(gradient)], [variable])
    return np.asarray(variable) - before


def test_only_kernels_of_convolutions_take_its_steps() -> None:
    """A matrix and a vector are stepped exactly as by AdamW; a kernel by a step of the size that AdamW's have."""
    random = np.random.default_rng(1)
    for shape in ((30, 10), (16,)):
        value, gradient = random.normal(size=shape).astype(np.float32), random.normal(size=shape).astype(np.float32)
        adamw = keras.optimizers.AdamW(0.01, weight_decay=0.1)
        muon = muon_in_place_of(adamw)
        steps = [steps_of(each, keras.Variable(value), gradient) for each in (adamw, muon)]
        np.testing.assert_array_equal(*steps)
    kernel = random.normal(size=(3, 3, 16, 32)).astype(np.float32)
    step = steps_of(KernelMuon(0.01, weight_decay=0.0), keras.Variable(kernel), kernel * 1e-6)
    assert np.sqrt(np.square(step).mean()) == pytest.approx(0.01 * STEP, rel=0.3)
    assert (step * kernel).sum() < 0  # downhill, however small the gradient


def test_the_settings_are_those_of_the_compiled_optimizer() -> None:
    """The twin of a network is stepped by Muon with the network's own rates; the network keeps its AdamW."""
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    model.compile(keras.optimizers.AdamW(2e-3, weight_decay=3e-2, beta_2=0.9), "sparse_categorical_crossentropy")
    trainee = built_in_trainee(model, bfloat16=False, muon=True)
    optimizer = trainee.model.optimizer
    assert type(optimizer) is KernelMuon and type(trainee.finish().optimizer) is keras.optimizers.AdamW
    assert (float(optimizer.learning_rate), optimizer.weight_decay) == (pytest.approx(2e-3), 3e-2)
    assert optimizer.beta_2 == 0.9


def test_another_optimizer_is_refused() -> None:
    """Settings of SGD cannot be taken over."""
    with pytest.raises(TypeError, match=r"Expected AdamW.*Received: SGD.*Fix:"):
        muon_in_place_of(keras.optimizers.SGD())
