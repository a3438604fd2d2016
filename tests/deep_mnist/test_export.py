"""Serving prepares images exactly as training did, whatever the network takes."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_mnist.calibration import Calibration
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.export import (
    ServingError,
    TrainedNetwork,
    export,
    model_digest,
    network_input,
    raw_images,
    raw_shape,
)
from deep_mnist.outputs import output_kind, probabilities
from tests.support.digits import draw_digits
from tests.support.trained import make_record, write_trained

LAYOUTS = {
    "channels_last": (28, 28, 1),
    "channels_first": (1, 28, 28),
    "rows_columns": (28, 28),
    "flat": (784,),
}
SCALES = {"uint8": ("uint8", 1.0, 0.0), "unit": ("float32", 1 / 255, 0.0), "centred": ("float32", 2 / 255, -1.0)}


def record_of(layout: str, scale: str) -> Preprocessing:
    dtype, factor, offset = SCALES[scale]
    return make_record(layout=layout, image_shape=LAYOUTS[layout], dtype=dtype, scale=factor, offset=offset)


@given(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(SCALES)), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_raw_pixels_survive_the_way_there_and_back(layout: str, scale: str, seed: int) -> None:
    """Every pixel value, in every layout, comes back from what the network takes."""
    record = record_of(layout, scale)
    raw = np.random.default_rng(seed).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    fed = network_input(raw, record)

    assert (3, *LAYOUTS[layout]) == fed.shape
    assert record.dtype == fed.dtype
    assert (raw == raw_images(fed, record)).all()
    assert (28, 28) == raw_shape(record)
    np.testing.assert_allclose(fed.reshape(raw.shape), raw * record.scale + record.offset, atol=1e-6)


def test_images_need_not_be_square() -> None:
    """Rows and columns are told apart."""
    assert (20, 30) == raw_shape(make_record(image_shape=(20, 30, 1)))
    assert (20, 30) == raw_shape(make_record(image_shape=(1, 20, 30), layout="channels_first"))


def small(last: keras.layers.Layer, *more: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), last, *more])


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("softmax", [keras.layers.Dense(10, "softmax")]),
        ("sigmoid", [keras.layers.Dense(10, "sigmoid")]),
        ("logits", [keras.layers.Dense(10)]),
        ("softmax", [keras.layers.Dense(10), keras.layers.Softmax()]),
        ("softmax", [keras.layers.Dense(10), keras.layers.Activation("softmax"), keras.layers.Reshape((10,))]),
        ("softmax", [keras.layers.Dense(10, "softmax"), keras.layers.Activation("linear", dtype="float32")]),
        ("softmax", [keras.Sequential([keras.layers.Input((784,)), keras.layers.Dense(10, "softmax")])]),
        ("logits", [keras.layers.Dense(10, "relu"), keras.layers.LayerNormalization()]),
    ],
)
def test_what_a_network_says_is_read_from_its_layers(kind: str, layers: list[keras.layers.Layer]) -> None:
    """Probabilities or logits: the output layer tells, not the numbers of one batch."""
    assert kind == output_kind(small(*layers))


def test_an_average_of_networks_says_probabilities() -> None:
    """What no layer says is probed: the average of two softmaxes is one."""
    image = keras.layers.Input((28, 28, 1))
    flat = keras.layers.Flatten()(image)
    each = [keras.layers.Dense(10, "softmax")(flat) for _ in range(2)]

    assert "softmax" == output_kind(keras.Model(image, keras.layers.Average()(each)))


def test_probabilities_sum_to_one() -> None:
    """Logits, sigmoids, probabilities and a single unit all become shares of the classes."""
    numbers = np.array([[2.0, 1.0, -800.0], [900.0, 0.0, 0.0]])

    assert pytest.approx(np.ones(2)) == probabilities(numbers, "logits").sum(axis=1)
    assert pytest.approx(np.ones(1)) == probabilities(np.array([[0.9, 0.6]]), "sigmoid").sum(axis=1)
    assert pytest.approx(np.array([[0.25, 0.75]])) == probabilities(np.array([[0.75]]), "sigmoid")
    assert pytest.approx(np.array([[0.5, 0.5]])) == probabilities(np.array([[0.0]]), "logits")


def test_a_digest_names_the_model(tmp_path: Path) -> None:
    """Saved twice it is the same model; another weight or activation makes another."""
    model = small(keras.layers.Dense(10, "softmax"))
    for name in ("one", "two"):
        write_trained(tmp_path / name, model, make_record())
    one, two = (TrainedNetwork.load(tmp_path / name) for name in ("one", "two"))
    other = small(keras.layers.Dense(10, "sigmoid"))
    other.set_weights(model.get_weights())
    weights = model.get_weights()
    weights[1][3] += 1e-6
    model.set_weights(weights)

    assert one.digest == two.digest
    assert one.digest not in (model_digest(model), model_digest(other))


@pytest.mark.parametrize(
    ("layout", "scale", "units"),
    [
        ("channels_last", "uint8", 10),
        ("channels_first", "unit", 10),
        ("flat", "centred", 1),
        ("rows_columns", "unit", 10),
    ],
)
def test_the_export_answers_raw_pixels_as_the_model_does(tmp_path: Path, layout: str, scale: str, units: int) -> None:
    """Raw images with and without a channel axis, and prepared ones, get the Keras model's own predictions."""
    import tensorflow as tf

    record = record_of(layout, scale)
    layers = [keras.layers.Input(record.image_shape, dtype=record.dtype), keras.layers.Rescaling(0.5)]
    network = TrainedNetwork(keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(units)]), record)
    raw, _ = draw_digits(20)
    export(network, tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures
    expected = network.predict(raw, raw=True)
    for images in (raw, raw[..., np.newaxis], raw[:1], raw[:0]):
        outputs = served["serving_default"](images=tf.constant(images))

        np.testing.assert_allclose(outputs["probabilities"].numpy(), expected[: len(images)], atol=2e-5)
        assert (outputs["class"].numpy() == expected[: len(images)].argmax(axis=1)).all()
    fed = network_input(raw, record)

    np.testing.assert_allclose(served["network"](images=tf.constant(fed))["outputs"], network.model(fed), atol=2e-3)
    assert record.to_dict() == json.loads((tmp_path / "model/assets/preprocessing.json").read_text())


def test_the_export_refuses_images_of_another_shape(tmp_path: Path) -> None:
    """As many values in another arrangement are no images: the graph itself says what it takes and what it got."""
    import tensorflow as tf

    network = TrainedNetwork(small(keras.layers.Dense(10)), make_record(dtype="float32", scale=1 / 255))
    export(network, tmp_path)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    shapes = [(), (3,), (28, 28), (2, 784), (2, 1, 28, 28), (2, 28, 28, 2), (2, 28, 28, 1, 1), (784, 2, 1), (0, 28)]
    for shape in shapes:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected images: uint8 \(n, 28, 28\)"):
            served(images=tf.zeros(shape, tf.uint8))


@pytest.mark.parametrize("last", ["softmax", "linear", "sigmoid"])
@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_the_export_is_as_sure_as_the_temperature_says(tmp_path: Path, last: str, temperature: float) -> None:
    """Probabilities are those at the temperature, the classes and outputs those without it."""
    import tensorflow as tf

    model = small(keras.layers.Rescaling(1 / 25), keras.layers.Dense(1 if last == "sigmoid" else 10, last))
    record = make_record(dtype="float32", scale=1 / 255)
    plain, fitted = TrainedNetwork(model, record), TrainedNetwork(model, record, Calibration(temperature))
    raw, _ = draw_digits(50)
    export(fitted, tmp_path)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](images=tf.constant(raw))
    without, expected = plain.predict(raw, raw=True), fitted.predict(raw, raw=True)

    np.testing.assert_allclose(served["probabilities"].numpy(), expected, atol=2e-5)
    assert (served["class"].numpy() == without.argmax(axis=1)).all()
    assert (expected.argmax(axis=1) == without.argmax(axis=1)).all()
    assert ((expected.max(axis=1) > without.max(axis=1)) == (temperature < 1)).all()


def test_code_in_a_model_is_not_run(tmp_path: Path) -> None:
    """A .keras file with a Lambda layer is refused: safe mode."""
    model = small(keras.layers.Dense(10), keras.layers.Lambda(lambda x: x * 2))
    write_trained(tmp_path / "model", model, make_record())
    with pytest.raises(ValueError, match=r"(?i)lambda|unsafe"):
        TrainedNetwork.load(tmp_path / "model")


def test_a_missing_record_names_the_step(tmp_path: Path) -> None:
    """Without the preprocessing record there is no serving: train must write it."""
    write_trained(tmp_path, small(keras.layers.Dense(10)), make_record())
    (tmp_path / "preprocessing.json").unlink()
    with pytest.raises(ServingError, match="Rerun train"):
        TrainedNetwork.load(tmp_path)
