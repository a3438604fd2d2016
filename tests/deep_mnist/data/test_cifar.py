"""CIFAR batches: read by an unpickler that makes nothing but plain values and arrays."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from deep_mnist.data.sources import recognize
from tests.support.image_files import write_batch


def read(path):
    reader = recognize(path)
    assert reader is not None
    return reader()


@pytest.mark.parametrize("place", ["", "cifar-10-batches-py"])
def test_cifar_10(tmp_path, place):
    """Five batches are train, test_batch is test, channels come last, names come from the meta file."""
    folder = tmp_path / place
    train = [write_batch(folder / f"data_batch_{number}", 8, number) for number in range(1, 6)]
    test = write_batch(folder / "test_batch", 6, 9)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["airplane", "automobile"]}, 0))
    data = read(tmp_path)

    np.testing.assert_array_equal(data.images["train"], np.concatenate([batch[0] for batch in train]))
    np.testing.assert_array_equal(data.labels["train"], np.concatenate([batch[1] for batch in train]))
    np.testing.assert_array_equal(data.images["test"], test[0])
    assert data.class_names == ("airplane", "automobile")


def test_cifar_100(tmp_path):
    """The fine labels are the classes."""
    train = write_batch(tmp_path / "train", 8, labels_name="fine_labels")
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": ["apple"]}))
    data = read(tmp_path)

    np.testing.assert_array_equal(data.labels["train"], train[1])
    assert data.class_names == ("apple",) and list(data.images) == ["train"]


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_batch_that_python_3_wrote_again(tmp_path, protocol):
    """Copies of CIFAR made by Python 3 are read as well."""
    images, _ = write_batch(tmp_path / "data_batch_1", protocol=protocol)

    np.testing.assert_array_equal(read(tmp_path).images["train"], images)


class _Command:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_batch_that_asks_for_code_runs_none(tmp_path):
    """The pickle's call is refused, and the fault says what it asked for."""
    write_batch(tmp_path / "data_batch_1")
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps({"data": _Command(tmp_path / "proof")}))
    error = read(tmp_path).faults["train"]["images"]

    assert "mkdir" in error.received and "data_batch_2" in error.expected
    assert not (tmp_path / "proof").exists()


def test_a_meta_file_that_asks_for_code_only_costs_the_names(tmp_path):
    """The images are read without class names."""
    write_batch(tmp_path / "data_batch_1")
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(_Command(tmp_path / "proof")))
    data = read(tmp_path)

    assert data.class_names == () and "train" in data.images and not (tmp_path / "proof").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"not a pickle",
        b"\x80\x02}r\xff\xff\xff\x1f.",  # a memo of half a billion places
        b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fK\x10tq\x00R.",
        pickle.dumps([1, 2]),
        pickle.dumps({"data": np.zeros((2, 3072), np.float32), "labels": [1, 2]}),
        pickle.dumps({"data": np.zeros((2, 784), np.uint8), "labels": [1, 2]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, "x"]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8)}),
    ],
)
def test_what_is_no_batch_is_a_fault(tmp_path, content):
    """Truncated, another content, another form: one fault that names the file, and no array."""
    (tmp_path / "data_batch_1").write_bytes(content)
    data = read(tmp_path)

    assert "data_batch_1" in data.faults["train"]["images"].expected and not data.images
