"""preprocess applies labels.yaml: labels change, examples go, images stay, and the record says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.preprocess.preprocess import preprocess_dataset
from components.publish.card import card_changes
from deep_mnist.contract.contract import Contract
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import DatasetError, Preprocessing, open_dataset, write_dataset
from deep_mnist.labels.decisions import Decision, digest_of, write_decisions
from deep_mnist.storage.store import sha256_of_file
from tests.support.digits import draw_digits

TRAIN, TEST = 240, 60


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    images, labels = draw_digits(TRAIN)
    test_images, test_labels = draw_digits(TEST, seed=1)
    arrays = {"train_images": images, "train_labels": labels, "test_images": test_images, "test_labels": test_labels}
    write_dataset(tmp_path / "raw", arrays)
    return tmp_path / "raw"


def decisions_about(raw: Path, *made: tuple[int, str, int | None], split: str = "train") -> Path:
    opened = open_dataset(raw)
    images, labels = opened.images(split), opened.labels(split)
    entries = [
        Decision(digest_of(images[index]), index, split, int(labels[index]), decision, label)
        for index, decision, label in made
    ]
    write_decisions(raw.parent / "labels.yaml", entries)
    return raw.parent / "labels.yaml"


def rows_of(folder: Path) -> dict[str, int]:
    """Return the digest of every image that is trained on or validates -> its label."""
    opened = open_dataset(folder)
    return {
        digest_of(image): int(label)
        for split in ("train", "validation")
        for image, label in zip(opened.images(split), opened.labels(split), strict=True)
    }


def test_labels_change_and_examples_go_and_all_else_stays(raw: Path, tmp_path: Path) -> None:
    """The other examples are in the same split as without the file, in the same order, with the same labels."""
    plain = preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "plain")
    given = open_dataset(raw).labels("train")
    path = decisions_about(raw, (3, "relabel", (int(given[3]) + 1) % 10), (8, "drop", None), (9, "keep", None))

    made = preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "made", labels=str(path))

    before, after = rows_of(plain.folder), rows_of(made.folder)
    image = open_dataset(raw).images("train")
    assert after[digest_of(image[3])] == (int(given[3]) + 1) % 10
    assert set(before) - set(after) == {digest_of(image[8])}
    assert {key: label for key, label in after.items() if key != digest_of(image[3])}.items() <= before.items()
    kept = [key for key in map(digest_of, plain.images("validation")) if key in after]
    assert kept == list(map(digest_of, made.images("validation")))
    assert made.record is not None
    assert made.record.label_changes == {
        "digest": sha256_of_file(path), "relabelled": 1, "dropped": 1, "unmatched": 0,
    }  # fmt: skip
    assert made.digest != plain.digest


def test_the_test_split_can_be_corrected_too(raw: Path, tmp_path: Path) -> None:
    """A decision counts in whichever split the image stands."""
    path = decisions_about(raw, (5, "drop", None), split="test")
    made = preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "made", labels=str(path))
    assert len(made.images("test")) == TEST - 1


def test_prepared_data_are_corrected_one_hot(tmp_path: Path) -> None:
    """Floats with one-hot labels, which preprocess passes on, get the rows that people decided."""
    images, labels = draw_digits(TRAIN)
    floats = (images / np.float32(255))[..., None]
    one_hot = np.eye(10, dtype=np.float32)[labels]
    write_dataset(tmp_path / "raw", {"train_images": floats, "train_labels": one_hot})
    entries = [
        Decision(digest_of(floats[0]), 0, "train", int(labels[0]), "relabel", (int(labels[0]) + 1) % 10),
        Decision(digest_of(floats[1]), 1, "train", int(labels[1]), "drop"),
    ]
    write_decisions(tmp_path / "labels.yaml", entries)

    made = preprocess_dataset(tmp_path / "raw", Contract(), tmp_path / "made", labels=str(tmp_path / "labels.yaml"))

    assert len(made.labels("train")) == len(made.images("train")) == TRAIN - 1
    assert made.labels("train").dtype == np.float32
    assert made.labels("train")[0].argmax() == (int(labels[0]) + 1) % 10


def test_decisions_about_other_data_are_refused(raw: Path, tmp_path: Path) -> None:
    """Not one of them speaks of an image here."""
    write_decisions(tmp_path / "labels.yaml", [Decision("0" * 64, 0, "train", 1, "drop")])
    with pytest.raises(DatasetError, match="none about an image here"):
        preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "made", labels=str(tmp_path / "labels.yaml"))


def test_a_file_that_was_changed_after_the_run_began_is_refused(raw: Path, tmp_path: Path) -> None:
    path = decisions_about(raw, (0, "drop", None))
    with pytest.raises(DatasetError, match=r"with SHA-256 ffff.* Fix: run it again"):
        preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "made", labels=str(path), labels_digest="f" * 64)


def test_records_from_before_there_were_label_changes_are_read(raw: Path, tmp_path: Path) -> None:
    """A model's preprocessing.json of an earlier version lacks the field."""
    record = preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "made").record
    assert record is not None
    old = json.loads(json.dumps(record.to_dict()))
    del old["label_changes"]

    assert Preprocessing.from_dict(old) == record


def test_the_card_says_how_many_labels_were_changed() -> None:
    """With the digest of the file, and nothing where none was applied."""
    changes = {"digest": "ab" * 32, "relabelled": 3, "dropped": 2, "unmatched": 0}

    assert card_changes({"label_changes": changes}) == "3 relabelled, 2 dropped (labels.yaml, SHA-256 abababababab…)"
    assert card_changes({}) == ""
