"""Preprocess writes the train split as shards that hold what one array would hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from components.download.download import download_dataset
from components.preprocess.blocks import ArrayBlocks
from components.preprocess.preprocess import preprocess_dataset
from components.preprocess.to_shards import VALIDATION, Sharding, lots_of
from components.validate.validate import validate_dataset
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import open_dataset
from deep_mnist.data.shards.reading import DamagedShardError, examples
from deep_mnist.data.shards.shard_set import shards_in
from deep_mnist.storage.open import open_store
from tests.support.digits import draw_digits, write_raw_folder
from tests.support.shard_sets import write_set


@pytest.fixture
def raw(tmp_path):
    """A downloaded folder of 900 + 60 digits."""
    download_dataset(str(write_raw_folder(tmp_path / "own", 900, 60)), tmp_path / "raw")
    return tmp_path / "raw"


def sharded(raw, folder, network="fast", **options):
    preprocess_dataset(raw, resolve_contract(network), folder, **{"shard_bytes": 100_000, **options})
    return open_dataset(folder)


def train_rows(folder):
    """Return the examples of train as bytes, sorted."""
    if shards := shards_in(folder):
        parts = [(records["image"], records["label"]) for _, records in examples(shards, "train")]
        images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    else:
        images, labels = open_dataset(folder).images("train"), open_dataset(folder).labels("train")
    return sorted(image.tobytes() + label.tobytes() for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize("network", ["fast", "example2"])
def test_shards_and_validation_together_are_the_raw_examples_converted(raw, tmp_path, network):
    """Whatever is not held out lies in one of the shards, once, as the network takes it."""
    made = sharded(raw, tmp_path / "shards", network)
    preprocess_dataset(raw, resolve_contract(network), tmp_path / "arrays")
    whole = open_dataset(tmp_path / "arrays")
    everything = sorted(
        image.tobytes() + label.tobytes()
        for split in ("train", "validation")
        for image, label in zip(whole.images(split), whole.labels(split), strict=True)
    )
    held_out = zip(made.images("validation"), made.labels("validation"), strict=True)
    both = [*train_rows(tmp_path / "shards"), *(image.tobytes() + label.tobytes() for image, label in held_out)]

    assert sorted(both) == everything
    assert len(made.images("validation")) == len(whole.images("validation"))
    np.testing.assert_array_equal(made.images("test"), whole.images("test"))


def test_no_shard_holds_more_than_the_limit(raw, tmp_path):
    """Bytes of examples stay below --shard-bytes; the file adds its header."""
    sharded(raw, tmp_path / "shards")

    listed = shards_in(tmp_path / "shards").splits["train"]
    assert len(listed) == 8
    assert all(shard.bytes <= 100_000 + 256 for shard in listed)


def test_data_that_do_not_exceed_the_limit_stay_arrays(raw, tmp_path):
    """A limit that the train split does not reach changes nothing."""
    made = sharded(raw, tmp_path / "arrays", shard_bytes=10_000_000)

    assert shards_in(tmp_path / "arrays") is None
    assert len(made.images("train")) == 825


def test_shards_lie_in_the_store_that_is_named_and_the_folder_stays_small(raw, tmp_path):
    """With an address, the dataset's own folder holds no shard; its digest covers them all the same."""
    made = sharded(raw, tmp_path / "far", shards=str(tmp_path / "store"))

    assert shards_in(tmp_path / "far").at.startswith(str(tmp_path / "store"))
    assert not (tmp_path / "far" / "shards").exists()
    assert len(train_rows(tmp_path / "far")) == 825
    assert "shards.json" in made.files


class StoppingBlocks(ArrayBlocks):
    """Blocks that count how many were read, and stop at one of them as Ctrl-C would."""

    stop_at, done = -1, 0

    def read(self, block):
        if block == self.stop_at:
            raise KeyboardInterrupt
        self.done += 1
        return super().read(block)


def test_a_repetition_goes_on_where_the_first_attempt_stopped(tmp_path):
    """Blocks that are noted as done are not read again, and the result is that of an attempt without a stop."""
    images, labels = draw_digits(400, 0)
    blocks = StoppingBlocks(images, labels.astype(np.int64), 50, 0)

    def run(name):
        lots = lots_of(blocks, {VALIDATION: 0.1}, 0, 800)
        store = open_store(str(tmp_path / name))
        return Sharding(blocks, lambda *pair: pair, store, 100_000, lots).run(tmp_path)

    whole = run("whole")
    blocks.stop_at = 5
    with pytest.raises(KeyboardInterrupt):
        run("cut")
    blocks.stop_at, blocks.done = -1, 0

    assert run("cut") == whole
    assert blocks.done <= 4
    assert open_store(str(tmp_path / "cut")).list("progress/") == []


def test_raw_shards_are_converted_without_being_downloaded(raw, tmp_path):
    """A folder with shards.json is a dataset: its shards are read one by one."""
    whole = open_dataset(raw)
    (tmp_path / "pieces").mkdir()
    images, labels = whole.images("train"), whole.labels("train")
    write_set(tmp_path / "pieces", [300, 300, 300], images, labels)
    download_dataset(str(tmp_path / "pieces"), tmp_path / "raw-shards")
    made = sharded(tmp_path / "raw-shards", tmp_path / "shards")
    expected = sharded(raw, tmp_path / "expected")

    assert sorted(path.name for path in (tmp_path / "raw-shards").iterdir()) == ["manifest.json", "shards.json"]
    assert made.record.image_shape == expected.record.image_shape
    assert len(train_rows(tmp_path / "shards")) + len(made.images("validation")) + len(made.images("test")) == 900


def test_validate_judges_shards_and_names_a_damaged_one(raw, tmp_path):
    """Sound shards are fit; one altered byte of one of them ends the step with its name."""
    sharded(raw, tmp_path / "shards")
    assert validate_dataset(tmp_path / "shards").verdict == "fit"

    path = tmp_path / "shards" / "shards" / "train-00005.npy"
    data = bytearray(path.read_bytes())
    data[4321] ^= 4
    path.write_bytes(data)
    with pytest.raises(DamagedShardError, match="train-00005"):
        validate_dataset(tmp_path / "shards")


def test_a_wrong_label_anywhere_is_among_the_drawn_rows(raw, tmp_path):
    """A class of which there is one example only is drawn, so that its label is judged."""
    labels = np.load(raw / "train_labels.npy")
    labels[777] = 11
    np.save(raw / "train_labels.npy", labels)
    (raw / "manifest.json").unlink()
    download_dataset(str(raw), tmp_path / "again")
    sharded(tmp_path / "again", tmp_path / "shards", validation_fraction=0.01)

    found = json.loads(json.dumps([each.field for each in validate_dataset(tmp_path / "shards").findings]))
    assert "labels.values" in found
