"""A single example takes a way of its own only where that is the same prediction, sooner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from deep_mnist.export import TrainedNetwork, export, read_record
from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE, InputForm
from deep_mnist.serving.model.served_model import Arrays
from deep_mnist.serving.model.tensorflow_engine import compile_single, tensorflow_engine
from tests.support.digits import draw_digits
from tests.support.trained import make_record, write_trained


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A network of convolutions, as `publish` writes it."""
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), *layers, keras.layers.Dense(10, "softmax")])
    write_trained(tmp_path, model, make_record(dtype="float32", scale=1 / 255))
    export(TrainedNetwork.load(tmp_path), tmp_path)
    return tmp_path


def test_a_single_example_is_predicted_as_in_a_batch(version: Path) -> None:
    """Whichever way it takes, with and without a channel axis."""
    signature = tensorflow_engine(version, read_record(version)).signatures[DEFAULT_SIGNATURE]
    raw, _ = draw_digits(6)
    together = signature.call(raw)
    for number, image in enumerate(raw):
        for alone in (image[np.newaxis], image[np.newaxis, ..., np.newaxis]):
            outputs = signature.call(alone)
            assert outputs.keys() == together.keys()
            assert int(together["class"][number]) == int(outputs["class"][0])
            np.testing.assert_allclose(outputs["probabilities"][0], together["probabilities"][number], atol=1e-5)


def test_xla_is_taken_where_it_is_sooner(version: Path) -> None:
    """Against a call that takes thirty times as long, the compiled one is taken, and says the same."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(version))  # owns the variables
    function = loaded.signatures[DEFAULT_SIGNATURE]

    def plain(images: np.ndarray) -> Arrays:
        return {name: value.numpy() for name, value in function(images=tf.constant(images)).items()}

    form = InputForm("images", np.dtype(np.uint8), ((28, 28), (28, 28, 1)))
    alone = compile_single(function, form, lambda images: [plain(images) for _ in range(30)][-1])
    assert alone is not None
    image = draw_digits(1)[0]
    for name, values in plain(image).items():
        np.testing.assert_allclose(alone(image)[name], values, atol=1e-5)


def _text(images: Any) -> dict[str, Any]:
    import tensorflow as tf

    return {"outputs": tf.strings.to_number(tf.strings.as_string(images))}  # XLA knows no strings


def _noise(images: Any) -> dict[str, Any]:
    import tensorflow as tf

    return {"outputs": tf.random.uniform((1, 10)) + tf.reduce_sum(images)}


@pytest.mark.parametrize(("predict", "sides"), [(_text, (4,)), (_noise, (4,)), (_noise, (None,))])
def test_what_xla_cannot_predict_alike_stays_as_it_is(predict: Any, sides: tuple[int | None, ...]) -> None:
    """An operation that it does not compile, an outcome that differs, images of any length."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, *sides), tf.float32, name="images")
    function = tf.function(lambda images: predict(images), input_signature=[spec], autograph=False)
    module = tf.Module()
    module.signature = function.get_concrete_function()

    def plain(images: np.ndarray) -> Arrays:
        outputs = [function(tf.constant(images)) for _ in range(30)][-1]
        return {name: value.numpy() for name, value in outputs.items()}

    assert compile_single(module.signature, InputForm("images", np.dtype(np.float32), (sides,)), plain) is None
