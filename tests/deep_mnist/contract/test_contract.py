"""The contract that is read from a model's configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_mnist.contract.contract import Contract, ContractError, with_settings
from deep_mnist.contract.load import load_contract, resolve_contract
from deep_mnist.processes import run_module
from tests.support.keras_models import classifier, conv, dense, layer, sequential, write_keras

ROOT = Path(__file__).resolve().parents[3]


def contract_of(tmp_path, model, loss=None) -> Contract:
    return load_contract(write_keras(tmp_path / "m.keras", model, loss))


def functional(*nodes: dict, inputs: list, outputs: list) -> dict:
    return {
        "class_name": "Functional",
        "config": {"name": "f", "layers": list(nodes), "input_layers": inputs, "output_layers": outputs},
    }


def tensor(source: str, shape: list) -> dict:
    return {"class_name": "__keras_tensor__", "config": {"shape": shape, "keras_history": [source, 0, 0]}}


def called(node: dict, *arguments: object) -> dict:
    return {**node, "name": node["config"]["name"], "inbound_nodes": [{"args": list(arguments), "kwargs": {}}]}


def test_a_sequential_model_tells_its_contract(tmp_path):
    """Shape, layout, output, loss and the labels that follow from it are read from config.json."""
    contract = contract_of(tmp_path, classifier(), "sparse_categorical_crossentropy")

    assert contract.input_shape == (28, 28, 1)
    assert contract.layout == "channels_last"
    assert (contract.input_dtype, contract.input_range, contract.scales_inside) == ("float32", (0.0, 1.0), False)
    assert (contract.output_units, contract.output_rank, contract.output_tail) == (10, 2, ("softmax",))
    assert (contract.loss, contract.from_logits) == ("sparse_categorical_crossentropy", False)
    assert (contract.label_encoding, contract.num_classes) == ("sparse", 10)
    assert contract.unknown == ()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", ("mean_squared_error", False, "one_hot")),
        ({"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}},
         ("sparse_categorical_crossentropy", True, "sparse")),
        ({"class_name": "function", "config": "poisson"}, ("poisson", False, "one_hot")),
        ({"class_name": "KLDivergence", "config": {}}, ("kl_divergence", False, "one_hot")),
        (None, (None, None, None)),
        (["mse", "mse"], (None, None, None)),
    ],
)  # fmt: skip
def test_every_form_of_loss_is_read(tmp_path, loss, expected):
    """Names, classes and functions are known; several losses or none are named as unknown."""
    contract = contract_of(tmp_path, classifier(), loss)

    assert (contract.loss, contract.from_logits, contract.label_encoding) == expected
    assert bool(contract.unknown) == (expected[0] is None)


@pytest.mark.parametrize(
    ("layers", "scale", "offset"),
    [
        ([layer("Rescaling", scale=1 / 255, offset=0.0)], 1 / 255, 0.0),
        ([layer("Rescaling", scale=1 / 127.5, offset=-1.0)], 1 / 127.5, -1.0),
        ([layer("Rescaling", scale=[1 / 255] * 3, offset=0)], 1 / 255, 0.0),
        ([layer("RandomFlip"), layer("Rescaling", scale=1 / 255, offset=0)], 1 / 255, 0.0),
        ([layer("Rescaling", scale=1 / 255, offset=0), layer("Normalization", mean=0.13, variance=0.09)],
         1 / 255 / 0.3, -0.13 / 0.3),
        ([layer("Normalization", mean=[33.0], variance=[78.0**2])], 1 / 78, -33 / 78),
    ],
)  # fmt: skip
def test_scaling_before_the_first_weights_is_composed(tmp_path, layers, scale, offset):
    """Rescaling and Normalization make a network one that takes raw pixels."""
    contract = contract_of(tmp_path, classifier(*layers))

    assert contract.scales_inside
    assert contract.input_range == (0.0, 255.0)
    assert contract.input_dtype == "uint8"
    assert contract.pixel_scale == pytest.approx(scale)
    assert contract.pixel_offset == pytest.approx(offset)


def test_a_functional_model_with_operators_is_followed(tmp_path):
    """`inputs / 255.0`, a Reshape and a final Softmax are read off the graph's calls."""
    model = functional(
        called(layer("InputLayer", "in", batch_shape=[None, 28, 28])),
        called(layer("TrueDivide", "div"), tensor("in", [None, 28, 28]), 255.0),
        called(layer("Reshape", "shape", target_shape=[28, 28, 1]), tensor("div", [None, 28, 28])),
        called(conv(), tensor("shape", [None, 28, 28, 1])),
        called(layer("Flatten"), tensor("conv2d", [None, 26, 26, 8])),
        called(dense(10, "linear"), tensor("flatten", [None, 5408])),
        called(layer("Softmax"), tensor("dense", [None, 10])),
        inputs=["in", 0, 0],
        outputs=[["softmax", 0, 0]],
    )

    contract = contract_of(tmp_path, model)

    assert (contract.input_shape, contract.layout) == ((28, 28), "rows_columns")
    assert contract.pixel_scale == pytest.approx(1 / 255)
    assert (contract.output_units, contract.output_rank, contract.output_tail) == (10, 2, ("softmax",))


def test_nested_models_are_unfolded(tmp_path):
    """A wrong BatchNormalization axis is found inside a model within a model."""
    inner = sequential(
        conv(form="channels_first"), layer("BatchNormalization", "bn", axis=-1), shape=(1, 28, 28), name="block"
    )
    model = sequential(inner, layer("Flatten"), dense(), shape=(1, 28, 28))

    contract = contract_of(tmp_path, model)

    assert contract.layout == "channels_first"
    assert [(norm.layer, norm.axis, norm.channel_axis) for norm in contract.norm_layers] == [("block/bn", 3, 1)]


@pytest.mark.parametrize(
    ("tail", "units", "rank", "activations"),
    [
        ([conv(), dense()], 10, 4, ("softmax",)),
        ([layer("Flatten"), dense(), layer("Softmax")], 10, 2, ("softmax", "softmax")),
        ([layer("Flatten"), dense(10, "linear"), layer("Activation", activation="relu")], 10, 2, ("relu",)),
        ([conv(10), layer("GlobalAveragePooling2D", data_format="channels_last"), layer("Softmax")], 10, 2,
         ("relu", "softmax")),
        ([layer("Flatten"), dense(), layer("Argmax", axis=1, keepdims=False)], None, 1, ("softmax", "argmax")),
    ],
)  # fmt: skip
def test_the_output_is_read_to_its_last_layer(tmp_path, tail, units, rank, activations):
    """Width, rank and every activation from the last weights on are known."""
    contract = contract_of(tmp_path, sequential(*tail))

    assert (contract.output_units, contract.output_rank, contract.output_tail) == (units, rank, activations)


def test_what_cannot_be_derived_is_named(tmp_path):
    """Unbuilt models, layers of unknown classes and Lambda layers are reported instead of guessed at."""
    unbuilt = contract_of(tmp_path, sequential(dense(), shape=None))
    strange = contract_of(tmp_path, classifier(layer("MyScaling")))
    code = contract_of(tmp_path, classifier(layer("Lambda")))

    assert unbuilt.input_shape is None
    assert any(each.startswith("input_shape") for each in unbuilt.unknown)
    assert any("MyScaling" in each for each in strange.unknown)
    assert not strange.scaling_is_known
    assert code.lambda_layers == ("lambda",)


def test_a_contract_survives_dict_and_yaml(tmp_path):
    """to_dict and to_yaml give back an equal contract."""
    model = classifier(layer("Rescaling", scale=1 / 255, offset=0), layer("BatchNormalization", axis=-1))
    contract = contract_of(tmp_path, model, "mse")

    assert Contract.from_dict(contract.to_dict()) == contract
    assert Contract.from_dict(yaml.safe_load(contract.to_yaml())) == contract


def test_a_hand_written_contract_is_completed(tmp_path):
    """Layout, label encoding and class count follow from the few fields somebody writes."""
    path = tmp_path / "mine.yaml"
    path.write_text("input_shape: [28, 28, 1]\nloss: categorical_crossentropy\noutput_units: 26\nscales_inside: true\n")

    contract = load_contract(path)

    assert (contract.name, contract.layout, contract.num_classes) == ("mine", "channels_last", 26)
    assert (contract.label_encoding, contract.input_range, contract.input_dtype) == ("one_hot", (0.0, 255.0), "uint8")


def test_keras_json_is_read(tmp_path):
    """model.to_json() holds the same configuration."""
    (tmp_path / "m.json").write_text(json.dumps(classifier()))

    assert load_contract(tmp_path / "m.json").input_shape == (28, 28, 1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.yaml", "input_shape: [28, 28", "YAML"),
        ("c.yaml", "- 1", "named fields"),
        ("c.yaml", "inputshape: [28]", "contract fields"),
        ("c.yaml", "input_range: [1, 0]", "low < high"),
        ("c.yaml", "num_classes: many", "int or nothing"),
        ("c.yaml", "a: &a [1]\nname: *a", "aliases"),
        ("c.yaml", "layout: NHWC", "one of"),
        ("c.json", '{"config": 3}', "Sequential or Functional"),
        ("c.json", "{" * 100_000, "JSON"),
        ("m.keras", "no zip", "Keras model"),
        ("m.txt", "", ".keras"),
    ],
)
def test_damaged_contracts_are_refused(tmp_path, name, content, words):
    """What is no contract is refused with what was expected."""
    (tmp_path / name).write_text(content)

    with pytest.raises(ContractError, match=r"Expected .* Received") as caught:
        load_contract(tmp_path / name)

    assert words in str(caught.value)


def test_an_unknown_network_lists_the_known():
    """A mistyped network names those there are."""
    with pytest.raises(ValueError, match="fast"):
        resolve_contract("fats", "")


def test_settings_of_fit_win_over_the_model(tmp_path):
    """A loss that the user states decides the label encoding and is no longer unknown."""
    stated = with_settings(contract_of(tmp_path, classifier()), loss="categorical_crossentropy", from_logits=False)

    assert (stated.loss, stated.label_encoding, stated.unknown) == ("categorical_crossentropy", "one_hot", ())


def test_mutated_models_never_crash_the_reader(tmp_path):
    """A .keras with bytes changed gives a contract or a ContractError, nothing else."""
    model = classifier(layer("Rescaling", scale=1 / 255, offset=0), layer("BatchNormalization", axis=-1))
    text = json.dumps({**model, "compile_config": {"loss": "mse"}}).encode()
    whole = write_keras(tmp_path / "whole.keras", model, "mse").read_bytes()
    random = np.random.default_rng(0)
    for turn in range(400):
        changed = bytearray(text if turn % 2 else whole)
        for _ in range(3):
            at = int(random.integers(0, len(changed)))
            changed[at : at + int(random.integers(0, 4))] = random.bytes(int(random.integers(0, 4)))
        path = tmp_path / "m.keras"
        if turn % 2:
            with zipfile.ZipFile(path, "w") as bundle:
                bundle.writestr("config.json", bytes(changed))
        else:
            path.write_bytes(bytes(changed))
        read_or_refuse(path)


KINDS = """Rescaling Normalization Conv2D Reshape Permute Softmax BatchNormalization Dense Flatten ZeroPadding2D Argmax
Squeeze Sequential Resizing Cropping2D GlobalMaxPooling2D MaxPooling2D Activation DepthwiseConv2D Unheard""".split()
OPTIONS = """units axis scale offset mean variance target_shape dims data_format kernel_size strides padding filters
pool_size activation layers name dtype dilation_rate cropping""".split()
PLAIN = st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5)
NAMES = st.sampled_from(["config", "axis", "0"])
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(KINDS), config=st.dictionaries(st.sampled_from(OPTIONS), VALUES), shape=VALUES)
def test_random_layers_never_crash_the_reader(tmp_path_factory, kind, config, shape):
    """Any configuration of any layer gives a contract or a ContractError."""
    path = tmp_path_factory.mktemp("fuzz") / "m.json"
    strange = {"class_name": kind, "config": config}
    model = sequential(strange, conv(), strange, dense(), strange)
    model["config"]["layers"][0]["config"]["batch_shape"] = shape
    for each in (model, sequential(strange, layer("Flatten"), dense(), strange)):
        path.write_text(json.dumps(each))
        read_or_refuse(path)


def read_or_refuse(path) -> None:
    try:
        contract = load_contract(path)
    except ContractError:
        return
    assert Contract.from_dict(contract.to_dict()).name == contract.name


KERAS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import keras
from keras import layers as L
from pathlib import Path
from deep_mnist.contract.load import load_contract
inputs = keras.Input((28, 28, 1))
scaled = L.Normalization(axis=None)
scaled.adapt(np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1)).astype("float32"))
block = keras.Sequential([keras.Input((28, 28, 1)), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU()], name="block")
middle = L.GlobalAveragePooling2D()(block(scaled(inputs)))
model = keras.Model(inputs, L.Dense(10, activation="softmax")(middle))
model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=False))
model.save(sys.argv[1] + "/m.keras")
model.save(sys.argv[1] + "/m.h5")
model.export(sys.argv[1] + "/exported", verbose=False)
Path(sys.argv[1] + "/exported.yaml").write_text(load_contract(Path(sys.argv[1] + "/exported")).to_yaml())
operators = keras.Input((28, 28))
keras.Model(operators, L.Dense(10)(L.Flatten()(operators / 255.0))).save(sys.argv[1] + "/operators.keras")
"""


@pytest.fixture(scope="module")
def saved(request, tmp_path_factory):
    """A folder of models that Keras itself wrote."""
    request.getfixturevalue("fresh_processes")
    folder, program = tmp_path_factory.mktemp("keras"), tmp_path_factory.mktemp("program")
    (program / "write_models.py").write_text(KERAS)
    ended = run_module("write_models", [str(folder)], folder=program)
    assert ended.returncode == 0, ended.stderr
    return folder


def test_files_of_keras_itself_are_read(saved):
    """Nested models, adapted statistics in the weights and operators are read from what Keras writes."""
    contract, operators = load_contract(saved / "m.keras"), load_contract(saved / "operators.keras")

    assert (contract.normalization, contract.input_range) == ("adapted", (0.0, 255.0))
    assert 1 / contract.pixel_scale == pytest.approx(73.9, abs=1)
    assert [(norm.layer, norm.axis, norm.channel_axis) for norm in contract.norm_layers] == [
        ("block/batch_normalization", 3, 3)
    ]
    assert (contract.loss, contract.output_units, contract.output_rank) == ("categorical_crossentropy", 10, 2)
    assert operators.pixel_scale == pytest.approx(1 / 255)
    assert operators.output_tail == ("linear",)


def test_an_h5_model_is_read(saved):
    """The older format holds the same configuration; its Normalization's statistics stay unknown."""
    contract = load_contract(saved / "m.h5")

    assert (contract.input_shape, contract.loss) == ((28, 28, 1), "categorical_crossentropy")
    assert not contract.scaling_is_known


def test_a_saved_model_tells_its_signature(saved):
    """A SavedModel gives shapes and the last activation, and names the loss and the scaling as unknown."""
    contract = load_contract(saved / "exported.yaml")

    assert (contract.input_shape, contract.output_units, contract.output_tail) == ((28, 28, 1), 10, ("softmax",))
    assert contract.loss is None
    assert not contract.scaling_is_known


def test_a_saved_model_without_tensorflow_is_one_line(saved, tmp_path):
    """Where TensorFlow cannot be imported, the command says so with the fix, exit status 2 and no traceback."""
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\")\n")
    np.save(tmp_path / "train_images.npy", np.zeros((20, 28, 28, 1), np.float32))
    np.save(tmp_path / "train_labels.npy", np.arange(20) % 10)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    command = [sys.executable, "-m", "deep_mnist.doctor", str(tmp_path), "--model", str(saved / "exported")]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("doctor: Expected TensorFlow") and "No module named 'tensorflow'" in line and "Fix: " in line
