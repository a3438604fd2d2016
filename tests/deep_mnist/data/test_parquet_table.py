"""Parquet as the Hugging Face hub writes it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.sources import recognize
from tests.support.image_files import png, write_digits_shard, write_shard

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


def read(path):
    reader = recognize(path)
    assert reader is not None
    return reader()


@pytest.mark.parametrize("place", ["", "data/", "mnist/"])
def test_shards_of_train_and_test_are_two_splits(tmp_path, place):
    """Shards follow each other by their numbers; names come from the schema."""
    first = write_digits_shard(tmp_path / f"{place}train-00000-of-00002.parquet", 40)
    second = write_digits_shard(tmp_path / f"{place}train-00001-of-00002.parquet", 30, seed=1)
    test = write_digits_shard(tmp_path / f"{place}test-00000-of-00001.parquet", 20, seed=2)
    data = read(tmp_path)

    np.testing.assert_array_equal(data.images["train"], np.concatenate([first[0], second[0]]))
    np.testing.assert_array_equal(data.labels["train"], np.concatenate([first[1], second[1]]))
    np.testing.assert_array_equal(data.images["test"], test[0])
    assert data.class_names[3] == "digit 3" and len(data.class_names) == 10 and not data.faults


def test_one_file_without_the_hubs_metadata_is_train(tmp_path):
    """The labels are then all that is known."""
    path = write_shard(tmp_path / "digits.parquet", [png(GREY), png(GREY)], [4, 1])
    data = read(path)

    assert data.labels["train"].tolist() == [4, 1] and data.class_names == ()


def test_unreadable_rows_are_named(tmp_path):
    """A row without bytes and a row of something else: both by number."""
    write_shard(tmp_path / "train.parquet", [png(GREY), None, b"<html>"], [0, 1, 2])
    error = read(tmp_path).faults["train"]["images"]

    assert error.where == (1, 2) and "train.parquet row 1 (index 1): no bytes" in error.received
    assert "a web page" in error.received


def test_mixed_sizes_are_a_fault(tmp_path):
    """As in a folder."""
    write_shard(tmp_path / "train.parquet", [png(GREY), png(GREY), png(GREY[:4])], [0, 1, 2])

    assert read(tmp_path).faults["train"]["images.shape"].where == (2,)


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "no footer", "bad footer", "bad pages"])
def test_a_damaged_file_is_a_fault(tmp_path, kind):
    """Whatever the reader says of it, an error of ours comes out."""
    path = write_shard(tmp_path / "train.parquet", [png(GREY)] * 50, [1] * 50)
    content = path.read_bytes()
    damage = {
        "truncated": content[:300],
        "empty": b"",
        "text": b"<html>",
        "no footer": b"PAR1PAR1",
        "bad footer": content[:-200] + bytes(192) + content[-8:],
        "bad pages": content[:4] + b"\xff" * 100 + content[104:],
    }
    path.write_bytes(damage[kind])
    data = read(tmp_path)

    assert "train.parquet" in data.faults["train"]["images"].expected and not data.images


def test_a_table_without_images_says_its_columns(tmp_path):
    """The columns that there are, and those that were expected."""
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    write_parquet(Table.from_pydict({"text": Array(["a"], DataType.string())}), tmp_path / "train.parquet")
    error = read(tmp_path).faults["train"]["images"]

    assert "a column of images" in error.expected and error.received == "text"


def test_words_are_classes(tmp_path):
    """A column of words is numbered by the alphabet."""
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    columns = {"img": Array([png(GREY)] * 2, DataType.binary()), "label": Array(["owl", "bee"], DataType.string())}
    write_parquet(Table.from_pydict(columns), tmp_path / "train.parquet")
    data = read(tmp_path)

    assert data.class_names == ("bee", "owl") and data.labels["train"].tolist() == [1, 0]


def test_several_configurations_are_refused(tmp_path):
    """Two folders of Parquet are two datasets."""
    for place in ("small", "large"):
        write_shard(tmp_path / place / "train.parquet", [png(GREY)], [1])
    with pytest.raises(ArrayFileError, match="Name one of the folders"):
        recognize(tmp_path)


def test_the_missing_extra_is_named(tmp_path):
    """Without the reader the doctor says what to install, and that it could not judge."""
    write_shard(tmp_path / "train.parquet", [png(GREY)], [1])
    program = (
        "import sys; sys.modules['arro3'] = None; sys.modules['arro3.io'] = None\n"
        "from deep_mnist.doctor.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=120)

    assert done.returncode == 2 and 'pip install "deep-mnist[parquet]"' in done.stderr
