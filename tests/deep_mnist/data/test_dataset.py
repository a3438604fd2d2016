"""The one on-disk format: a round trip, and every kind of damage named with the step to rerun."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deep_mnist.data.dataset import MANIFEST, DatasetError, Preprocessing, open_dataset, write_dataset

RECORD = Preprocessing(
    source="mnist",
    layout="channels_last",
    image_shape=(2, 2, 1),
    dtype="uint8",
    scale=1.0,
    offset=0.0,
    label_encoding="sparse",
    num_classes=10,
)


@pytest.fixture
def folder(tmp_path):
    arrays = {"train_images": np.zeros((3, 2, 2, 1), np.uint8), "train_labels": np.arange(3)}
    write_dataset(tmp_path / "data", arrays, RECORD)
    return tmp_path / "data"


def test_a_dataset_survives_a_round_trip(folder):
    """Arrays, record and digest come back as they were written."""
    opened = open_dataset(folder)

    assert opened.record == RECORD
    assert opened.images("train").shape == (3, 2, 2, 1)
    assert opened.labels("train").tolist() == [0, 1, 2]
    assert opened.splits() == ("train",)


def test_the_digest_is_that_of_the_content(folder, tmp_path):
    """The same arrays in another folder have the same digest; other arrays have another."""
    arrays = {"train_images": np.zeros((3, 2, 2, 1), np.uint8), "train_labels": np.arange(3)}
    same = write_dataset(tmp_path / "same", arrays, RECORD)
    other = write_dataset(tmp_path / "other", {**arrays, "train_labels": np.arange(3)[::-1]}, RECORD)

    assert same.digest == open_dataset(folder).digest
    assert other.digest != same.digest


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "train_labels.npy").unlink(), "Received: no file. Fix: Rerun preprocess"),
        (lambda folder: (folder / "train_labels.npy").write_bytes(b"short"), "of 152 bytes. Received: 5"),
        (lambda folder: _flip(folder / "train_labels.npy"), "with SHA-256 .* Received: .*Rerun preprocess"),
        (lambda folder: (folder / MANIFEST).unlink(), "Expected a dataset manifest .* Rerun preprocess"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "Expected a dataset manifest"),
        (lambda folder: _rename_in_manifest(folder), "Expected plain file names"),
    ],
    ids=["missing", "short", "altered", "no manifest", "no JSON", "a path that leaves the folder"],
)
def test_damage_is_named_with_the_step_to_rerun(folder, damage, message):
    """A consumer of a damaged folder learns what and whose fault it is."""
    damage(folder)
    with pytest.raises(DatasetError, match=message):
        open_dataset(folder)


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _rename_in_manifest(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../train_labels.npy"] = manifest["files"].pop("train_labels.npy")
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_record_with_other_fields_is_refused():
    """A record from another version is not half understood."""
    with pytest.raises(DatasetError, match="Expected a preprocessing record of"):
        Preprocessing.from_dict({**RECORD.to_dict(), "colour": "blue"})
