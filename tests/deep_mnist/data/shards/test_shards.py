"""Shards are read whole and verified, and what is held out of them does not depend on how they are cut."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_mnist.data.shards.allotment import DRAWN, TEST, VALIDATION, Allotment
from deep_mnist.data.shards.reading import (
    DamagedShardError,
    ahead,
    examples,
    read_shard,
    rows_at,
    shard_blocks,
)
from deep_mnist.data.shards.shard_set import ShardSet
from deep_mnist.data.shards.writing import tally, write_shard
from deep_mnist.storage.open import open_store
from tests.support.shard_sets import write_set


def test_a_shard_is_an_npy_file_that_anybody_reads(tmp_path):
    """np.load gives the records, with the images and labels that were written."""
    shards = write_set(tmp_path, [5])
    data, _ = open_store(str(tmp_path)).read(shards.splits["train"][0].name)
    records = np.load(io.BytesIO(data), allow_pickle=False)

    assert records["image"].shape == (5, 4, 4)
    assert records["label"].dtype == np.int64


@pytest.mark.parametrize("at", [3, 200, -1])
def test_one_altered_byte_names_its_shard(tmp_path, at):
    """Of 20 shards, in one of which a byte is altered, reading all of them fails with that one's name."""
    shards = write_set(tmp_path, [6] * 20)
    path = tmp_path / shards.splits["train"][13].name
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)

    with pytest.raises(DamagedShardError, match=r"train-00013\.npy with SHA-256"):
        list(examples(shards, "train"))


@pytest.mark.parametrize("size", [150, 200, 1000])
def test_a_shard_of_any_size_is_read_in_blocks(tmp_path, size):
    """Blocks hold the examples in order, however they lie across them."""
    shards = write_set(tmp_path, [40])
    [shard], store = shards.splits["train"], shards.store()

    blocks = list(shard_blocks(store, shard, shards.record, size))

    assert len(blocks) == -(-shard.bytes // size)
    np.testing.assert_array_equal(np.concatenate(blocks), read_shard(store, shard, shards.record))


def test_what_is_wrong_with_a_shard_read_in_blocks_is_told(tmp_path):
    """An altered byte after the last block, another size and absence before the first."""
    shards = write_set(tmp_path, [40])
    [shard], store = shards.splits["train"], shards.store()
    path, data = tmp_path / shard.name, bytearray((tmp_path / shard.name).read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedShardError, match=r"train-00000\.npy with SHA-256"):
        list(shard_blocks(store, shard, shards.record, 200))
    path.write_bytes(data + b"1")
    with pytest.raises(DamagedShardError, match=rf"train-00000\.npy of {shard.bytes} bytes"):
        next(shard_blocks(store, shard, shards.record, 200))
    path.unlink()
    with pytest.raises(DamagedShardError, match="no such object"):
        next(shard_blocks(store, shard, shards.record, 200))


def test_a_missing_shard_is_named(tmp_path):
    """A shard that was deleted is told by its name."""
    shards = write_set(tmp_path, [6, 6])
    (tmp_path / shards.splits["train"][1].name).unlink()

    with pytest.raises(DamagedShardError, match=r"train-00001\.npy. Received: no such object"):
        list(examples(shards, "train"))


def test_a_shard_of_another_form_is_refused_though_its_digest_is_right(tmp_path):
    """The manifest says what the records are."""
    shards = write_set(tmp_path, [4])
    other = write_shard(open_store(str(tmp_path)), "other.npy", np.zeros((4, 3, 3), np.uint8), np.zeros(4, np.int64))

    with pytest.raises(DamagedShardError, match=r"Expected the shard .* with 4 records"):
        read_shard(open_store(str(tmp_path)), other, shards.record)


def test_rows_come_from_wherever_they_are_in_the_order_asked_for(tmp_path):
    """rows_at gives the same as all shards in one array."""
    shards = write_set(tmp_path, [5, 1, 7])
    whole = np.concatenate([records for _, records in examples(shards, "train")])
    chosen = np.array([12, 0, 5, 5, 9])

    np.testing.assert_array_equal(rows_at(shards, "train", chosen), whole[chosen])


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    """to_json and from_json are each other's inverse."""
    shards = write_set(tmp_path, [5, 2])

    assert ShardSet.from_json(shards.to_json(), shards.folder) == shards


def test_what_fails_ahead_fails_for_who_asked():
    """An exception in the background comes to the consumer, at its place."""
    found = ahead(lambda number: 1 / number, [1, 0, 2])

    assert next(found) == 1
    with pytest.raises(ZeroDivisionError):
        next(found)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 120), max_size=6),
    seed=st.integers(0, 5),
)
def test_lots_do_not_depend_on_where_blocks_are_cut(counts, cuts, seed):
    """The same examples in blocks of any sizes have the same lots, and each class the same numbers of them."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    shares = {TEST: 1 / 7, VALIDATION: 1 / 12}

    def lots(places: list[int]) -> np.ndarray:
        blocks = np.split(labels, sorted(places))
        drawn = Allotment([tally(block) for block in blocks], shares, seed=seed)
        return np.concatenate([drawn.of(number, block) for number, block in enumerate(blocks)])

    whole = lots([])
    np.testing.assert_array_equal(lots([cut % (len(labels) + 1) for cut in cuts]), whole)
    assert all((whole[labels == each] == DRAWN).any() for each in np.unique(labels))
