"""Feature columns and sequences: healthy programs stay silent, and what is wrong with a table is named as such."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.judge import judge_folder
from tests.support.keras_models import dense, layer, optimizer, sequential, write_keras
from tests.support.rule_examples import arrays

SPARSE, ONE_HOT, BINARY = "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"
RANDOM = np.random.default_rng(7)


def judged(folder, arrays, model, loss, *, settings=None, **compiled):
    """Return (field, severity) of what is more than a note."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    write_keras(folder / "model.keras", model, loss, **compiled)
    (folder / "contract.json").write_text(json.dumps(settings or {}))
    return {(each.field, each.severity) for each in judge_folder(folder).findings if each.severity != "note"}


def halves(inputs, labels, share=0.75):
    cut = int(share * len(inputs))
    return {"train_images": inputs[:cut], "train_labels": labels[:cut],
            "test_images": inputs[cut:], "test_labels": labels[cut:]}  # fmt: skip


def mlp(width, *units, last="softmax", hidden="relu"):
    layers = [dense(each, hidden, name=f"dense_{index}") for index, each in enumerate(units[:-1])]
    return sequential(*layers, dense(units[-1], last, name="scores"), shape=(width,))


def clusters(count=160, width=4, classes=3):
    """Return standardized columns whose classes are overlapping clouds, as in iris."""
    random = np.random.default_rng(3)
    labels = random.integers(0, classes, count)
    return (random.normal(size=(classes, width))[labels] * 2 + random.normal(size=(count, width))), labels


def iris():
    inputs, labels = clusters()
    return halves(np.abs(inputs + 5).round(1), labels), mlp(4, 8, 3), SPARSE, {}


def wine_scaled_one_hot():
    inputs, labels = clusters(178, 13)
    arrays = halves((inputs - inputs.mean(0)) / inputs.std(0), np.eye(3, dtype=np.float32)[labels])
    return arrays, mlp(13, 16, 8, 3), ONE_HOT, {}


def xor():
    inputs, labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    arrays = {"train_images": inputs, "train_labels": labels, "test_images": inputs, "test_labels": labels}
    return arrays, mlp(2, 8, 1, last="sigmoid", hidden="tanh"), "mean_squared_error", {
        "settings": {"fit": {"epochs": 500, "batch_size": 4}}, "optimizer": optimizer("SGD", 0.1)}  # fmt: skip


def pima_as_it_is():
    columns = [RANDOM.integers(0, 17, 768), RANDOM.normal(120, 30, 768), RANDOM.normal(70, 12, 768),
               RANDOM.normal(25, 10, 768), RANDOM.exponential(100, 768), RANDOM.normal(32, 7, 768),
               RANDOM.exponential(0.4, 768) + 0.08, RANDOM.integers(21, 80, 768)]  # fmt: skip
    inputs = np.stack(columns, axis=1)
    return halves(inputs, (inputs[:, 1] > 125).astype(int)), mlp(8, 12, 8, 1, last="sigmoid"), BINARY, {
        "settings": {"fit": {"epochs": 150, "batch_size": 10}}}  # fmt: skip


def housing():
    inputs = RANDOM.normal(size=(506, 13))
    return halves(inputs, inputs @ RANDOM.normal(size=13) * 5 + 22), mlp(13, 64, 64, 1, last="linear"), "mse", {
        "metrics": ["mae"], "optimizer": optimizer("RMSprop", 0.001)}  # fmt: skip


def line():
    inputs = np.linspace(-1, 1, 100)[:, None]
    return halves(inputs, 2 * inputs[:, 0] + 1), mlp(1, 1, last="linear"), "mse", {"optimizer": optimizer("SGD", 0.1)}


def ages_as_whole_numbers():
    inputs = RANDOM.normal(size=(400, 10)).astype(np.float32)
    return halves(inputs, RANDOM.integers(18, 80, 400)), mlp(10, 32, 1, last="linear"), "mae", {}


def ones_and_zeros():
    inputs = (RANDOM.random((300, 100)) < 0.1).astype(np.float32)  # bags of words: 100 columns, no 10 x 10 image
    return halves(inputs, RANDOM.integers(0, 2, 300)), mlp(100, 16, 1, last="sigmoid"), BINARY, {}


def raw_wine_normalized_inside():
    inputs, labels = clusters(178, 13)
    return halves(inputs * np.logspace(-1, 3, 13) + 1, labels), sequential(
        layer("BatchNormalization"), dense(16, "relu"), dense(3, name="scores"), shape=(13,)), SPARSE, {}  # fmt: skip


def several_targets():
    inputs = RANDOM.normal(size=(300, 6)).astype(np.float32)
    return halves(inputs, inputs[:, :3] * 4), mlp(6, 32, 3, last="linear"), "mean_squared_error", {}


def tags():
    inputs = RANDOM.normal(size=(300, 20)).astype(np.float32)
    return halves(inputs, (inputs[:, :5] > 0).astype(int)), mlp(20, 32, 5, last="sigmoid"), BINARY, {}


def waves():
    phase = RANDOM.random((200, 1)) * 6
    windows = np.sin(phase + np.arange(50) / 5)[..., None].astype(np.float32)
    model = sequential(layer("LSTM", units=16), dense(1, "linear"), shape=(50, 1))
    return halves(windows, np.sin(phase[:, 0] + 10)), model, "mse", {}


def reviews():
    tokens = RANDOM.integers(0, 5000, (200, 40)).astype(np.int32)
    model = sequential(layer("Embedding", input_dim=5000, output_dim=16), layer("GlobalAveragePooling1D"),
                       dense(1, "sigmoid"), shape=(40,))  # fmt: skip
    return halves(tokens, RANDOM.integers(0, 2, 200)), model, BINARY, {}


def boards():
    """Noughts and crosses as signed bytes; the first row begins as an IDX file does."""
    fields = RANDOM.integers(-1, 2, (300, 9)).astype(np.int8)
    moves = np.c_[np.r_[[[0, 0, 8, 3]], RANDOM.integers(0, 9, (299, 4))], fields].astype(np.int8)
    return halves(moves, RANDOM.integers(0, 2, 300)), mlp(13, 16, 1, last="sigmoid"), BINARY, {}


HEALTHY: tuple[Callable, ...] = (
    iris, wine_scaled_one_hot, xor, pima_as_it_is, housing, line, ages_as_whole_numbers, ones_and_zeros,
    raw_wine_normalized_inside, several_targets, tags, waves, reviews, boards,
)  # fmt: skip


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.__name__)
def test_healthy_programs_are_silent(tmp_path, program):
    """Neither an error nor a warning on a table or sequence that trains."""
    arrays, model, loss, options = program()

    assert judged(tmp_path, arrays, model, loss, **options) == set()


def test_columns_of_wildly_different_scale_are_named_and_their_fix_helps(tmp_path):
    """Wine's proline beside its hue, into a network without normalization."""
    inputs, labels = clusters(178, 13)
    arrays = halves(np.abs(inputs) * np.logspace(-1, 3.5, 13), labels)
    (tmp_path / "fixed").mkdir()
    assert judged(tmp_path, arrays, mlp(13, 16, 3), SPARSE) == {("images.range", "warning")}

    (finding,) = (each for each in judge_folder(tmp_path).findings if each.severity == "warning")
    space = {**arrays, "np": np}
    exec(finding.fix, space)
    fixed = {name: space[name] for name in arrays}
    assert judged(tmp_path / "fixed", fixed, mlp(13, 16, 3), SPARSE) == set()


def numbers(low, high):
    inputs = RANDOM.normal(size=(200, 6)).astype(np.float32)
    return halves(inputs, RANDOM.uniform(low, high, 200).astype(np.float32))


@pytest.mark.parametrize(
    ("last", "loss", "low", "high", "field"),
    [
        ("sigmoid", "mse", 5, 50, "model.output_activation"),
        ("tanh", "mse", 5, 50, "model.output_activation"),
        ("relu", "mae", -9, 9, "model.output_activation"),
        ("softmax", "mse", 0, 1, "model.output_activation"),
        ("sigmoid", BINARY, -1, 1, "labels.values"),
        ("sigmoid", BINARY, 0, 9, "labels.values"),
    ],
)
def test_targets_that_cannot_be_reached_are_named(tmp_path, last, loss, low, high, field):
    """Numbers outside what the last activation gives or the loss takes; softmax over one unit under any loss."""
    assert (field, "error") in judged(tmp_path, numbers(low, high), mlp(6, 8, 1, last=last), loss)


def tokens(length):
    """Return 200 sequences of 3 to 9 numbers from 1, int64 (200, length), 0 behind each."""
    rows = RANDOM.integers(1, 40, (200, length))
    return np.where(np.arange(length) < RANDOM.integers(3, 10, (200, 1)), rows, 0)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (tokens(14), False),
        (np.eye(10, dtype="float32")[RANDOM.integers(1, 9, 200)], False),
        (np.repeat(RANDOM.normal(size=(1, 4)), 200, axis=0), False),
        (np.c_[RANDOM.normal(size=(200, 4)), np.ones(200)], True),
        (np.c_[RANDOM.integers(1, 9, (200, 4)), np.zeros(200)], True),
        (np.c_[RANDOM.normal(size=(200, 4)), np.zeros(200)], True),
    ],
)
def test_a_column_that_never_changes_is_told_of_tables_alone(rows, told):
    """Padding behind sequences, states that have not come up, and one row repeated are no columns to be left out."""
    contract = Contract(input_shape=rows.shape[1:], first_layer="Dense")
    found = arrays(contract, train_images=rows, train_labels=np.arange(200) % 3)

    assert ("I153" in {each.rule.code for each in found}) == told
