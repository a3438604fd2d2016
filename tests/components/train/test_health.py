"""The watchdog ends a training that cannot succeed, says why, and leaves a healthy one alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from components.train.checkpoint import Checkpoints
from components.train.device import Device
from components.train.examples.split import TrainingSplit
from components.train.fit import TrainingRun
from components.train.loop import Loop
from components.train.networks import Recipe
from components.train.shown.progress import Report
from components.train.train import watch_over
from components.train.trainee import own_trainee
from deep_mnist.doctor.rehearsal.watchdog import CHANCE_STEPS, UnhealthyTrainingError
from tests.support.training_data import patterns

CPU = Device("CPU", ("CPU",), jit=False, bfloat16=False)


def split(count: int, seed: int, *, scaled: bool = True, shuffled: bool = False) -> TrainingSplit:
    images, labels = patterns(count, seed)
    if shuffled:
        labels = np.random.default_rng(seed).integers(0, 10, count).astype(np.int32)
    return TrainingSplit((images / 255).astype(np.float32) if scaled else images.astype(np.float32), labels)


def dense(*widths: int, activation: str = "relu", **settings: object) -> list[layers.Layer]:
    hidden = [layers.Dense(width, activation=activation, **settings) for width in widths]
    return [layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")]


def train(hidden: list[layers.Layer], data: TrainingSplit, optimizer: keras.optimizers.Optimizer, epochs: int) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28, 1)), *hidden])
    logits = model.layers[-1].activation is not keras.activations.softmax
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
    trainee = own_trainee(model)
    recipe = Recipe(epochs=epochs, batch=16)
    loop = Loop(trainee, recipe, data, seed=0, device=CPU)
    watch = watch_over(trainee, data, float(optimizer.learning_rate))
    TrainingRun(loop, split(20, 99), Checkpoints("", {}, every=0), watch, Report(loop.steps, epochs)).run()


def findings_of(*arguments: object) -> list[tuple[str, str]]:
    with pytest.raises(UnhealthyTrainingError) as caught:
        train(*arguments)  # type: ignore[arg-type]
    assert all(each.expected and each.received and each.why and each.fix for each in caught.value.findings)
    assert caught.value.step <= CHANCE_STEPS + 400  # a look every 400 steps at most, an epoch here
    return [(each.field, str(caught.value)) for each in caught.value.findings]


def test_a_healthy_training_is_left_alone() -> None:
    """A network that learns is never stopped."""
    train(dense(32), split(1600, 0), keras.optimizers.Adam(), 3)


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    """A rate that is far too high ends in NaN, and the diagnosis names the rate."""
    data = split(1600, 0, scaled=False)
    ((field, text),) = findings_of(
        [layers.Flatten(), layers.Dense(64), layers.Dense(64), layers.Dense(10)],
        data,
        keras.optimizers.SGD(1e30),
        50,
    )
    assert field == "rehearsal.loss"
    assert "weights have become NaN" in text and "1e+30" in text


def test_data_that_are_not_finite_are_named() -> None:
    """NaN in the images is distinguished from a bad rate."""
    data = split(1600, 0)
    data.images[0] = np.nan
    ((field, text),) = findings_of(dense(16), data, keras.optimizers.Adam(), 5)
    assert field == "rehearsal.loss"
    assert "run the doctor" in text


def test_dead_units_are_named() -> None:
    """A layer whose units respond to no example is named, long before the budget is spent."""
    hidden = dense(32, bias_initializer=keras.initializers.Constant(-1000.0))
    ((field, text),) = findings_of(hidden, split(1600, 0), keras.optimizers.SGD(0.01), 50)
    assert field == "rehearsal.outputs"
    assert "100% of the units of" in text


def test_vanishing_gradients_are_named() -> None:
    """Twelve sigmoid layers let no gradient reach the first weights, and the diagnosis says that."""
    ((field, text),) = findings_of(
        dense(*[24] * 12, activation="sigmoid"), split(1600, 0), keras.optimizers.SGD(0.01), 50
    )
    assert field == "rehearsal.gradients"
    assert "vanishes" in text


def test_exploding_gradients_are_named() -> None:
    """A loss thousands of times that of a network that knows nothing ends the training."""
    data = split(1600, 0, scaled=False, shuffled=True)
    hidden = [layers.Flatten(), layers.Dense(64), layers.Dense(10)]
    ((field, text),) = findings_of(hidden, data, keras.optimizers.SGD(1.0), 50)
    assert field in ("rehearsal.gradients", "rehearsal.loss")
    assert "Lower the learning rate" in text


def test_a_loss_stuck_at_ln_classes_is_named() -> None:
    """Labels that do not belong to their images leave the loss at ln(10), and the diagnosis points at their order."""
    data = split(6400, 0, shuffled=True)
    ((field, text),) = findings_of(dense(16), data, keras.optimizers.SGD(0.001), 50)
    assert field == "rehearsal.loss"
    assert "ln(classes), 2.30" in text and "same order" in text


def test_accuracy_at_chance_is_named() -> None:
    """A loss that moves without getting anywhere ends the training after the stated number of steps."""
    data = split(6400, 0, shuffled=True)
    ((field, text),) = findings_of(dense(16), data, keras.optimizers.SGD(2.0), 50)
    assert field in ("rehearsal.outputs", "rehearsal.loss")
    assert "Expected" in text
