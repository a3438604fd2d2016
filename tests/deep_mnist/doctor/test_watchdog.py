"""The watchdog as a callback of `fit`: it ends a training that cannot succeed and leaves a sound one alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from deep_mnist.doctor import UnhealthyTrainingError, Watchdog
from tests.support.digits import draw_digits


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """600 digits, float32 (n, 28, 28) in 0..1, and their classes."""
    images, labels = draw_digits(600, 0)
    return (images / 255).astype(np.float32), labels


def network(*hidden: layers.Layer, optimizer: object = "adam", metrics: tuple[str, ...] = ("accuracy",)) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics))
    return model


def test_a_sound_training_is_left_alone(digits):
    """It runs to its end, and the loss has fallen."""
    history = network(layers.Dense(32, activation="relu")).fit(
        *digits, epochs=5, batch_size=16, verbose=0, callbacks=[Watchdog(*digits)]
    )

    assert len(history.history["loss"]) == 5
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_a_loss_that_is_not_finite_ends_it_by_its_step(digits):
    """The step and what to do are said, though without data the network is not probed."""
    images = np.full_like(digits[0], np.nan)

    with pytest.raises(UnhealthyTrainingError, match=r"(?s)at step 1:.*rehearsal\.loss.*NaN or infinity") as caught:
        network().fit(images, digits[1], batch_size=16, verbose=0, callbacks=[Watchdog()])
    assert (caught.value.step, [each.field for each in caught.value.findings]) == (1, ["rehearsal.loss"])


def test_with_the_data_the_cause_is_named(digits):
    """The probed inputs hold the NaN, so the fix is the data and not the rate."""
    images = np.full_like(digits[0], np.nan)

    with pytest.raises(UnhealthyTrainingError, match="Fix the data"):
        network().fit(images, digits[1], batch_size=16, verbose=0, callbacks=[Watchdog(images, digits[1])])


def test_a_dead_layer_ends_it_and_the_look_changes_nothing(digits):
    """Units that respond to no example are named; BatchNormalization's averages are those of the training alone."""
    hidden = layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(-1000.0), name="silent")
    model = network(layers.BatchNormalization(), hidden, optimizer=keras.optimizers.SGD(1e-6))

    with pytest.raises(UnhealthyTrainingError) as caught:
        model.fit(*digits, epochs=40, batch_size=16, shuffle=False, verbose=0, callbacks=[Watchdog(*digits)])
    (finding,) = caught.value.findings
    assert (finding.field, finding.severity) == ("rehearsal.outputs", "error")
    assert "silent" in finding.received and finding.where == (caught.value.step,)
    unwatched = network(
        layers.BatchNormalization(),
        layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(-1000.0)),
        optimizer=keras.optimizers.SGD(1e-6),
    )
    unwatched.fit(*digits, epochs=40, batch_size=16, shuffle=False, verbose=0, callbacks=[Stop(caught.value.step)])
    for seen, expected in zip(model.non_trainable_weights, unwatched.non_trainable_weights, strict=True):
        np.testing.assert_allclose(np.asarray(seen), np.asarray(expected), rtol=1e-3, atol=1e-5)


class Stop(keras.callbacks.Callback):
    """Ends a training after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:  # noqa: ARG002 - Keras's signature
        self.steps -= 1
        self.model.stop_training = self.steps == 0
