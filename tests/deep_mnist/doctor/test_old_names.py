"""Names of older libraries have successors that are there: Keras 1.2.2's and 2.3.1's, and all that TensorFlow renamed.

programs/old_names.txt holds the public names of both old Keras packages that today's lacks and that have a successor.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from deep_mnist.doctor.checks.crashes.names.renames import CONTRIB, OTHERS, RENAMED
from deep_mnist.doctor.checks.crashes.names.successors import exists, successor

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

NAMES = (Path(__file__).parent / "programs" / "old_names.txt").read_text().split()
NOT_HERE = ("sklearn.", "skimage.", "imageio.", "joblib", "pandas.")  # packages that a person may have


def is_a_name(text: str) -> bool:
    return " " not in text and not text.endswith(")")


def test_every_old_name_of_keras_has_a_successor_that_is_there() -> None:
    found = {name: successor(name) for name in NAMES}

    assert [name for name, new in found.items() if new is None] == []
    assert [(name, new) for name, new in found.items() if new and is_a_name(new) and not exists(new)] == []
    assert sum(is_a_name(new) for new in found.values() if new) > 900


def test_what_tensorflow_renamed_is_found_where_it_is_now() -> None:
    """By the table that TensorFlow itself ships; what only tf_keras and contrib had is none of it."""
    from tensorflow.tools.compatibility.all_renames_v2 import symbol_renames

    gone = [f"tensorflow{name[2:]}" for name in symbol_renames if name.startswith("tf.") and not exists(name)]
    found = {name: successor(name) for name in gone}

    assert [(name, new) for name, new in found.items() if new and is_a_name(new) and not exists(new)] == []
    assert len([new for new in found.values() if new]) > 0.9 * len(gone) > 700


def test_every_renamed_name_leads_to_one_that_is_there() -> None:
    tables = [*RENAMED.values(), *CONTRIB.values(), *OTHERS.values()]

    named = [each for each in tables if is_a_name(each) and not each.startswith(NOT_HERE)]
    assert [
        each for each in named if not exists(each) and not exists(each.replace("keras.", "tensorflow.keras."))
    ] == []


@pytest.mark.parametrize(("old", "new"), [
    ("keras.layers.core.Dense", "keras.layers.Dense"), ("keras.layers.Merge", "keras.layers.concatenate"),
    ("tensorflow.placeholder", "tf.compat.v1.placeholder"), ("tensorflow.log", "tf.math.log"),
    ("tensorflow.contrib.layers.xavier_initializer", "tf.keras.initializers.GlorotUniform"),
    ("tensorflow.python.keras.layers.CuDNNLSTM", "tensorflow.keras.layers.LSTM"), ("numpy.float", "float"),
    ("keras.preprocessing.image.ImageDataGenerator", "tensorflow.keras.preprocessing.image.ImageDataGenerator"),
    ("keras.nothing.of_this_name", None), ("numpy.no_such_name", None),
])  # fmt: skip
def test_a_name_leads_to_what_is_meant(old: str, new: str | None) -> None:
    assert successor(old) == new
