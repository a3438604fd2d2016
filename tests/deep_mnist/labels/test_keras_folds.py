"""A network of the user's own predicts: each fold by a fresh copy, the model stays as it is."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from deep_mnist import doctor
from deep_mnist.labels.__main__ import main
from deep_mnist.labels.keras_folds import UnclonableModelError, fresh_copy
from tests.deep_mnist.labels.noisy_digits import noisy_digits, write_noisy_folder

pytestmark = pytest.mark.usefixtures("fresh_processes")


def small_network(one_hot: bool = False) -> keras.Model:
    layers = [keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(filters, 5, strides=2, activation="relu") for filters in (16, 32)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10), keras.layers.Softmax()]
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.Adam(3e-3), "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
    )
    return model


@pytest.mark.parametrize("one_hot", [False, True])
def test_changed_labels_are_found_in_memory_and_the_model_is_left_alone(one_hot: bool) -> None:
    """`doctor.suspects` names them, with sparse and one-hot labels, and trains copies only."""
    keras.utils.set_random_seed(0)
    images, given, changed = noisy_digits(1500)
    model = small_network(one_hot)
    before = [each.copy() for each in model.get_weights()]

    labels = np.eye(10, dtype=np.float32)[given] if one_hot else given
    found = doctor.suspects(model, images[..., None].astype("float32"), labels, epochs=8, folds=3)

    named = {each.index for each in found.of_kind("label")}
    assert len(named & set(changed.tolist())) >= 17
    assert all(np.array_equal(*each) for each in zip(before, model.get_weights(), strict=True))


def test_a_trained_model_lends_no_trained_weight() -> None:
    """What was trained on all folds would know the labels; what is frozen stays."""
    images, given, _ = noisy_digits(200)
    model = small_network()
    model.layers[1].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images[..., None].astype("float32"), given, epochs=1, verbose=0)

    copy = fresh_copy(model)

    assert np.array_equal(copy.layers[1].get_weights()[0], model.layers[1].get_weights()[0])
    assert not np.array_equal(copy.layers[2].get_weights()[0], model.layers[2].get_weights()[0])


def test_a_model_that_was_not_compiled_is_refused() -> None:
    with pytest.raises(UnclonableModelError, match="Expected a compiled model"):
        fresh_copy(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))


def test_a_file_of_ones_own_predicts_and_finished_folds_are_not_trained_again(tmp_path: Path) -> None:
    """--model trains the network of a `.keras` file; a second search takes the folds that are there."""
    write_noisy_folder(tmp_path / "data", 300)
    small_network().save(tmp_path / "own.keras")
    command = [str(tmp_path / "data"), "--model", str(tmp_path / "own.keras"), "--epochs", "2", "--folds", "3"]
    command += ["--out", str(tmp_path / "out")]

    assert main(command) == 0
    kept = sorted((tmp_path / "out" / "folds").glob("*/fold-*.npy"))
    times = [each.stat().st_mtime_ns for each in kept]
    assert main(command) == 0

    assert [each.name for each in kept] == ["fold-0.npy", "fold-1.npy", "fold-2.npy"]
    assert [each.stat().st_mtime_ns for each in kept] == times
