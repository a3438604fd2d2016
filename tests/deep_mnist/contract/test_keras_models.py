"""Contracts of models that Keras itself saved: operations, branches, classes of their own, functions as activations."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from deep_mnist.contract.load import load_contract


def saved(model, tmp_path, loss=None, **compiled):
    if loss is not None:
        model.compile(compiled.pop("optimizer", "adam"), loss, **compiled)
    model.save(tmp_path / "model.keras")
    return load_contract(tmp_path / "model.keras")


def behind(scale, side=12):
    """Return a small network behind scale(input)."""
    source = keras.Input((side, side, 3))
    hidden = layers.Conv2D(2, 3, activation="relu")(scale(source))
    return keras.Model(source, layers.Dense(3, activation="softmax")(layers.Flatten()(hidden)))


@pytest.mark.parametrize(
    ("scale", "factor", "shift"),
    [
        (keras.applications.resnet50.preprocess_input, 1.0, -114.8),
        (keras.applications.densenet.preprocess_input, 1 / 255 / 0.226, -1.987),
        (keras.applications.mobilenet_v2.preprocess_input, 1 / 127.5, -1.0),
        (lambda source: (source - np.float32([100, 110, 120])) / np.float32([50, 50, 50]), 1 / 50, -2.2),
        (lambda source: layers.Rescaling(2.0, -1.0)(source / 255.0), 2 / 255, -1.0),
        (lambda source: keras.ops.flip(keras.ops.transpose(source, (0, 2, 1, 3)), -1) / 255.0, 1 / 255, 0.0),
        (lambda source: layers.Concatenate()([source / 255.0, layers.Rescaling(1 / 255)(source)]), 1 / 255, 0.0),
    ],
)
def test_scaling_by_operations_is_read(tmp_path, scale, factor, shift):
    """preprocess_input and arithmetic inside a functional model give the scale and offset that the pixels get."""
    contract = saved(behind(scale), tmp_path)

    assert contract.scaling_is_known, contract.unknown
    assert contract.scales_inside and contract.input_range == (0.0, 255.0)
    assert contract.pixel_scale == pytest.approx(factor, rel=0.01)
    assert contract.pixel_offset == pytest.approx(shift, abs=0.01)


def test_branches_that_scale_differently_are_unknown(tmp_path):
    """Two branches of different scale have no single scale; the contract says so."""
    contract = saved(behind(lambda x: layers.Concatenate()([x / 255.0, x / 127.5 - 1])), tmp_path)

    assert not contract.scaling_is_known


def test_operations_that_are_not_known_end_the_judgement(tmp_path):
    """What a logarithm makes of the pixels is unknown, not 0..1."""
    assert not saved(behind(lambda x: keras.ops.log(x + 1.0)), tmp_path).scaling_is_known


@keras.saving.register_keras_serializable("tests")
class OwnModel(keras.Model):
    """A subclassed classifier of seven classes."""

    def __init__(self, **options):
        super().__init__(**options)
        self.flat, self.hidden = layers.Flatten(), layers.Dense(11, activation="relu")
        self.scores = layers.Dense(7)

    def call(self, inputs):
        return self.scores(self.hidden(self.flat(inputs)))


def test_subclassed_models_are_judged_by_what_their_file_tells(tmp_path):
    """Shape from the build configuration, loss from compile, units from the weights; the rest is unknown."""
    model = OwnModel()
    model(np.zeros((1, 6, 6, 1), np.float32))
    contract = saved(model, tmp_path, keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    assert contract.input_shape == (6, 6, 1)
    assert (contract.loss, contract.from_logits) == ("sparse_categorical_crossentropy", True)
    assert contract.output_units == 7
    assert not contract.scaling_is_known


def test_functions_as_activations_and_losses_in_lists_are_known(tmp_path):
    """tf.nn.softmax is softmax, ["mse"] is mean_squared_error, metrics are reported by name."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation=tf.nn.softmax)])
    contract = saved(model, tmp_path, ["mse"], metrics=["accuracy", keras.metrics.MeanSquaredError()])

    assert contract.output_tail == ("softmax",)
    assert contract.loss == "mean_squared_error"
    assert contract.metrics == ("accuracy", "mean_squared_error")


def test_normalization_straight_behind_the_first_weights_is_seen(tmp_path):
    """Convolution, ReLU, BatchNormalization: any scale of the pixels is undone."""
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.ReLU(), layers.BatchNormalization(), layers.Flatten()]
    )

    assert saved(model, tmp_path).normalizes_input


def test_a_network_of_keras_applications_is_known_by_name(tmp_path):
    """MobileNetV2 documents -1..1, nested in another model as well."""
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    model = keras.Sequential([keras.Input((32, 32, 3)), base, layers.GlobalAveragePooling2D(), layers.Dense(3)])

    assert saved(model, tmp_path).convention == "tf"
