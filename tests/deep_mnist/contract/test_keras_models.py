"""Contracts of models that Keras itself saved: operations, branches, classes of their own, functions as activations."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from deep_mnist.contract.load import load_contract
from deep_mnist.doctor.capture.live_model import contract_of_live


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


def test_the_last_layer_over_steps_is_the_one_inside_its_wrapper(tmp_path):
    """TimeDistributed(Dense(softmax)) ends in a softmax; of Bidirectional it is not known what it ends in."""
    source = keras.Input((6, 3))
    hidden = layers.LSTM(4, return_sequences=True)(source)
    ended = layers.TimeDistributed(layers.Dense(5, activation="softmax"))(hidden)

    contract = saved(keras.Model(source, ended), tmp_path, "categorical_crossentropy")
    assert (contract.output_tail, contract.output_shape) == (("softmax",), (6, 5))

    contract = saved(keras.Model(source, layers.Bidirectional(layers.LSTM(4))(hidden)), tmp_path, "mse")
    assert (contract.output_tail, contract.output_shape) == (("unknown",), (8,))


def test_a_layer_that_yields_its_state_does_not_end_the_graph(tmp_path):
    """Encoder and decoder: the second input is initialized with the states of the first."""
    first, second = keras.Input((None, 7), name="first"), keras.Input((None, 9), name="second")
    _, *state = layers.LSTM(4, return_state=True)(first)
    ended = layers.Dense(9, activation="softmax")(layers.LSTM(4, return_sequences=True)(second, initial_state=state))

    contract = saved(keras.Model([first, second], ended), tmp_path, "categorical_crossentropy")

    assert [each.input_name for each in contract.inputs] == ["first", "second"]
    assert (contract.output_rank, contract.output_tail) == (3, ("softmax",))


@keras.saving.register_keras_serializable()
class DenseResidual(layers.Layer):
    """A layer of a user's own whose name begins as Keras's do."""

    def call(self, inputs):
        return keras.ops.softmax(inputs)


def test_a_users_layer_is_not_taken_for_keras_own(tmp_path):
    """What such a layer computes is unknown: no activation is claimed of it."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), DenseResidual()])

    contract = saved(model, tmp_path, "sparse_categorical_crossentropy")

    assert contract.output_tail == ("unknown",)


def test_each_output_has_its_own_loss_and_activation(tmp_path):
    """By name, by order, or one loss for all; an output without a loss is not the one that is judged first."""
    source = keras.Input((4,))
    heads = [layers.Dense(2, name="plain")(source), layers.Dense(3, activation="softmax", name="kind")(source)]
    model = keras.Model(source, heads)

    named = saved(model, tmp_path, {"kind": "sparse_categorical_crossentropy", "plain": None})
    assert (named.output_name, named.loss) == ("kind", "sparse_categorical_crossentropy")
    listed = saved(model, tmp_path, ["mse", "categorical_crossentropy"])
    assert [(each.output_name, each.loss, each.output_tail) for each in listed.outputs] == [
        ("plain", "mean_squared_error", ("linear",)), ("kind", "categorical_crossentropy", ("softmax",))
    ]  # fmt: skip
    assert [each.loss for each in saved(model, tmp_path, "mse").outputs] == ["mean_squared_error"] * 2


def test_a_legacy_file_counts_the_calls_of_a_nested_model_from_its_own(tmp_path):
    """Keras 2 numbers a nested model's first call 1, its own building being call 0."""
    legacy = pytest.importorskip("tf_keras")
    inner = legacy.Sequential([legacy.layers.Conv2D(2, 3), legacy.layers.GlobalAveragePooling2D()])
    source = legacy.Input((8, 8, 3))
    model = legacy.Model(source, legacy.layers.Dense(3, activation="softmax")(inner(source / 255.0)))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.h5", save_format="h5")

    contract = load_contract(tmp_path / "model.h5")

    assert (contract.output_units, contract.output_tail) == (3, ("softmax",))
    assert contract.pixel_scale == pytest.approx(1 / 255)


def normalized(*, frozen_norm, frozen_conv=False, seen=False):
    """Return Conv2D, BatchNormalization, Dense, with what is frozen, and statistics of images when `seen`."""
    convolution, norm = layers.Conv2D(2, 3, name="conv"), layers.BatchNormalization(name="norm")
    last = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((8, 8, 1)), convolution, norm, *last])
    if seen:
        *affine, mean, variance = norm.get_weights()
        norm.set_weights([*affine, mean + 0.3, variance * 2])
    convolution.trainable, norm.trainable = not frozen_conv, not frozen_norm
    return model


@pytest.mark.parametrize(
    ("options", "stale"),
    [
        ({"frozen_norm": True}, ("norm",)),
        ({"frozen_norm": True, "seen": True}, ()),
        ({"frozen_norm": True, "frozen_conv": True}, ()),
        ({"frozen_norm": False}, ()),
    ],
)
def test_frozen_normalization_that_has_seen_nothing_is_told(tmp_path, options, stale):
    """Only behind layers that train: a wholly frozen base, and one that was trained, are usual."""
    model = normalized(**options)

    assert saved(model, tmp_path, "sparse_categorical_crossentropy").architecture.stale_norms == stale
    assert contract_of_live(model, None).architecture.stale_norms == stale


def test_everything_frozen_is_told_whatever_the_layers(tmp_path):
    """Normalization and embeddings count as layers with weights."""
    model = normalized(frozen_norm=True)
    model.trainable = False

    assert saved(model, tmp_path, "sparse_categorical_crossentropy").architecture.all_frozen


def heads(*activations, joined):
    """Return a network of heads on one body, joined at the end."""
    source = keras.Input((12, 12, 1), dtype="uint8")
    body = layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(layers.Rescaling(1 / 255)(source)))
    return source, joined([layers.Dense(3, activation=each)(body) for each in activations])


@pytest.mark.parametrize(
    ("activations", "joined", "tail"),
    [
        (("softmax", "softmax"), layers.Average(), ("softmax",)),
        ((None, None, None), layers.Average(), ("linear",)),
        ((None, None), lambda each: layers.Softmax()(layers.Average()(each)), ("softmax",)),
        (("softmax", None), layers.Average(), ("unknown",)),
        (("softmax", "softmax"), layers.Multiply(), ("unknown",)),
    ],
)
def test_a_mean_of_branches_that_end_alike_is_what_they_are(tmp_path, activations, joined, tail):
    """Mean probabilities are probabilities and mean scores are scores; any other joint, or other ends, are unknown."""
    contract = saved(keras.Model(*heads(*activations, joined=joined)), tmp_path, "categorical_crossentropy")

    assert (contract.output_tail, contract.output_units) == (tail, 3)
    assert bool(contract.unknown) == (tail == ("unknown",))


def test_a_mean_of_means_is_unknown(tmp_path):
    """Branches are followed once: a file of joints upon joints takes no longer."""
    source = scores = keras.Input((4,))
    for _ in range(40):
        scores = layers.Average()([scores, scores])

    assert saved(keras.Model(source, scores), tmp_path).output_tail == ("unknown",)


def test_a_layer_that_is_called_several_times_is_counted_once(tmp_path):
    """Twins that share their layers: the weights, the norms and the last layer are those of one of them."""
    shared = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(5)]
    inputs = [keras.Input((12, 12, 1)), keras.Input((12, 12, 1))]
    ends = []
    for seen in inputs:
        for layer in shared:
            seen = layer(seen)
        ends.append(seen)

    contract = saved(keras.Model(inputs, layers.Average()(ends)), tmp_path)

    assert contract.architecture is not None and contract.architecture.weight_layers == 2
    assert contract.architecture.hidden == (shared[0].name,)
    assert [each.layer for each in contract.norm_layers] == [shared[1].name]


@pytest.mark.parametrize("join", [layers.add, lambda pair: pair[0] * pair[1], layers.maximum])
def test_what_is_joined_with_one_column_is_as_wide_as_the_other(tmp_path, join):
    """The output of an operation on (n, 1) and (n, 3) has three units, whichever of the two comes first."""
    source = keras.Input((5,))
    model = keras.Model(source, join([layers.Dense(1)(source), layers.Dense(3)(source)]))

    for contract in (saved(model, tmp_path, "mse"), contract_of_live(model, (5,))):
        assert (contract.output_units, contract.output_shape) == (3, (3,))


def test_a_constant_row_widens_one_column():
    """A live model's own output is its output, where the configuration names a constant by its mean alone."""
    source = keras.Input((5,))
    model = keras.Model(source, layers.Dense(1)(source) * np.ones(4, "float32"))
    model.compile("adam", "mse")

    assert contract_of_live(model, (5,)).output_shape == (4,)


def test_a_model_whose_layer_does_not_tell_its_settings_is_no_class_of_its_own():
    """What keeps a plain model from being read is said: a part without get_config()."""

    class Small(keras.regularizers.Regularizer):
        def __call__(self, x):
            return 0.1 * keras.ops.sum(keras.ops.square(x))

    source = keras.Input((5,))
    model = keras.Model(source, layers.Dense(2, kernel_regularizer=Small())(source))
    model.compile("adam", "mse")

    assert all("no get_config()" in each for each in contract_of_live(model, (5,)).unknown)
