"""The rehearsal: broken variants of the built-in networks, each with its field; sound ones silent and unchanged."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from components.train.networks import NETWORKS
from deep_mnist.doctor import check
from deep_mnist.doctor.rehearsal.rehearse import Rehearsal, rehearse
from tests.support.digits import draw_digits

SPARSE = "sparse_categorical_crossentropy"


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = draw_digits(400, seed=3)
    return images[..., None], labels


def alarms(rehearsal: Rehearsal) -> list[str]:
    """Return the fields of errors and warnings; every finding says all that a finding must."""
    for each in rehearsal.findings:
        assert each.expected and each.received and each.fix and each.why and "\n" not in each.fix
    return [each.field for each in rehearsal.findings if each.severity != "note"]


def run(model: keras.Model, digits: tuple[np.ndarray, np.ndarray], **options: object) -> Rehearsal:
    """Rehearse with time to spare: a loaded machine must not decide what is found."""
    return rehearse(model, *digits, seconds=3000, **options)  # type: ignore[arg-type]


def dense(activation: str | None = "relu", *, depth: int = 2, **settings: object) -> list[layers.Layer]:
    hidden = [layers.Dense(64, activation=activation, **settings) for _ in range(depth)]
    return [keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Flatten(), *hidden]


def compiled(hidden: list[layers.Layer], optimizer: object = "adam", loss: object = SPARSE) -> keras.Model:
    model = keras.Sequential([*hidden, layers.Dense(10, activation="softmax")])
    model.compile(optimizer, loss)
    return model


def at_rate(model: keras.Model, factor: float) -> keras.Model:
    model.optimizer.learning_rate = float(model.optimizer.learning_rate) * factor
    return model


def convolution() -> keras.Model:
    """A small one: `fast` takes six times as long where the reason is searched for at other rates."""
    hidden = [layers.Conv2D(8, 5, strides=2, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return compiled([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), *hidden])


def all_zero() -> keras.Model:
    model = NETWORKS["fast"].build()
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    return model


def nan_in_one_weight() -> keras.Model:
    model = NETWORKS["fast"].build()
    weights = model.get_weights()
    weights[0].flat[0] = np.nan
    model.set_weights(weights)
    return model


def frozen() -> keras.Model:
    model = NETWORKS["fast"].build()
    model.trainable = False
    model.compile("adam", SPARSE)
    return model


def detached_branch() -> keras.Model:
    images = keras.Input((28, 28, 1))
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    lost = keras.ops.stop_gradient(layers.Dense(32, activation="relu", name="lost")(flat))
    joined = layers.Concatenate()([layers.Dense(32, activation="relu")(flat), lost])
    model = keras.Model(images, layers.Dense(10, activation="softmax")(joined))
    model.compile("adam", SPARSE)
    return model


def summed() -> keras.Model:
    return compiled(dense(), loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum"))


def scaled_away() -> keras.Model:
    hidden = [layers.Rescaling(2e-6 / 255), layers.Flatten(), layers.Dense(16, activation="relu")]
    return compiled([keras.Input((28, 28, 1)), *hidden])


def exploding_tanh() -> keras.Model:
    wide = keras.initializers.RandomNormal(stddev=1.0, seed=1)
    return compiled(dense("tanh", depth=20, kernel_initializer=wide), "sgd")


def infinite_loss() -> keras.Model:
    def root(_labels: object, predicted: object) -> object:  # the derivative of a root at 0 is infinite
        return keras.ops.mean(keras.ops.sqrt(keras.ops.relu(predicted - 2.0)), axis=-1)

    return compiled(dense(), loss=root)


BROKEN: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "rate x1000": (lambda: at_rate(NETWORKS["fast"].build(), 1e3), "rehearsal.updates"),
    "rate /1000": (lambda: at_rate(convolution(), 1e-3), "rehearsal.updates"),
    "rate / million": (lambda: compiled(dense(), keras.optimizers.SGD(5e-8, momentum=0.9)), "rehearsal.updates"),
    "rate of plain SGD far too high": (lambda: compiled(dense(), keras.optimizers.SGD(100.0)), "rehearsal.updates"),
    "all-zero weights": (all_zero, "rehearsal.outputs"),
    "dead ReLU": (
        lambda: compiled(dense(bias_initializer=keras.initializers.Constant(-100.0))),
        "rehearsal.outputs",
    ),
    "detached branch": (detached_branch, "rehearsal.gradients"),
    "loss summed": (summed, "rehearsal.initial_loss"),
    "exploding deep tanh": (exploding_tanh, "rehearsal.gradients"),
    "six layers of sigmoids": (lambda: compiled(dense("sigmoid", depth=6), "sgd"), "rehearsal.gradients"),
    "inputs scaled away": (scaled_away, "rehearsal.gradients"),
    "everything frozen": (frozen, "rehearsal.gradients"),
    "NaN in one weight": (nan_in_one_weight, "rehearsal.loss"),
    "a loss with an infinite derivative": (infinite_loss, "rehearsal.loss"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_network_is_named(name: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    """Each variant is found, under its field, with its evidence."""
    keras.utils.set_random_seed(0)
    build, field = BROKEN[name]
    model = build()

    assert field in alarms(run(model, digits, batch_size=32))


@pytest.mark.parametrize("name", ["fast", "example2", "example3"])
def test_a_sound_network_is_silent_and_left_as_it_was(name: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    """Only the note on cost; weights, moving statistics, slots, counters and random states are the same bits."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[name].build()
    images, labels = digits
    if name != "fast":
        images, labels = (images / 255).astype(np.float32), np.eye(10, dtype=np.float32)[labels]
    model.optimizer.build(model.trainable_variables)
    before = [np.array(each.value) for each in [*model.variables, *model.optimizer.variables]]

    rehearsal = run(model, (images, labels), batch_size=32, epochs=3)

    assert alarms(rehearsal) == []
    assert [each.field for each in rehearsal.findings] == ["rehearsal.cost"]
    after = [np.array(each.value) for each in [*model.variables, *model.optimizer.variables]]
    assert all(old.tobytes() == new.tobytes() for old, new in zip(before, after, strict=True))


def test_the_rate_that_would_do_is_offered(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """The fix line sets a rate at which the rehearsal is then silent."""
    keras.utils.set_random_seed(0)
    model = at_rate(convolution(), 1e3)
    (finding,) = [each for each in run(model, digits).findings if each.field == "rehearsal.updates"]

    exec(finding.fix, {"model": model})

    assert float(model.optimizer.learning_rate) < 0.1
    assert "rehearsal.updates" not in alarms(run(model, digits))


def test_the_limits_hold(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """No more steps than allowed; a network too large for the memory is not run, and says so."""
    model = compiled(dense("softmax"))

    assert run(model, digits, steps=20).steps <= 20
    refused = run(model, digits, memory_bytes=1000)
    assert refused.steps == 0 and "MiB" in refused.findings[0].received and alarms(refused) == []


def test_what_is_no_classifier_is_judged_as_far_as_it_goes() -> None:
    """A regression on two inputs and two outputs with targets far from 0 raises nothing."""
    keras.utils.set_random_seed(0)
    first, second = keras.Input((8,)), keras.Input((3,))
    both = layers.Dense(16, activation="relu")(layers.Concatenate()([first, second]))
    model = keras.Model([first, second], [layers.Dense(1)(both), layers.Dense(2)(both)])
    model.compile("adam", ["mse", "mae"])
    random = np.random.default_rng(0)
    inputs = [random.normal(size=(200, 8)), random.normal(size=(200, 3))]
    targets = [50 + random.normal(size=(200, 1)), random.normal(size=(200, 2))]

    assert alarms(run(model, (inputs, targets))) == []


def test_what_cannot_be_run_is_a_note(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """An uncompiled network, and one with a training step of its own, are left to the user."""

    class Own(keras.Model):
        def train_step(self, _data: object) -> dict:
            return {}

    own = Own()
    own.compile("adam", "mse")
    for model in (keras.Sequential([layers.Dense(1)]), own):
        rehearsal = run(model, digits)
        assert [each.severity for each in rehearsal.findings] == ["note"] and rehearsal.steps == 0


def test_what_reading_alone_shows_is_named_before_the_run(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """No activation between the layers, and labels at random, are found with the rehearsal asked for."""
    images, labels = digits
    linear = check(compiled(dense(None)), images, labels, rehearse=True)
    shuffled = np.random.default_rng(0).permutation(labels)
    random = check(compiled(dense()), images, shuffled, rehearse=True)

    assert "model.hidden_activation" in [each.field for each in linear.findings if each.severity == "warning"]
    assert "rehearsal.cost" in [each.field for each in linear.findings]
    assert "labels.alignment" in [each.field for each in random.findings if each.severity == "error"]
