"""Shards are streamed in an order that is a function of (seed, epoch, step), however many nodes share it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from components.train.examples.sharded import LANES, ShardedSplit, ShardStream
from tests.support.shard_sets import write_set

BATCH = 16


@pytest.fixture
def split(tmp_path):
    """250 examples in shards of unequal sizes; the label is the example's number."""
    sizes = [40, 3, 80, 27, 100]
    images = np.arange(250, dtype=np.uint8).reshape(-1, 1, 1).repeat(4, axis=1)
    shards = write_set(tmp_path, sizes, images, np.arange(250))
    return ShardedSplit(images[:5], np.arange(5), shards)


def order(split, *, seed=0, epoch=0, cuts=(), size=4, nodes=1):
    """Return the numbers of each step's examples, (steps, BATCH), as so many nodes read them in several calls."""
    steps, each = split.steps(BATCH), LANES // nodes
    columns = []
    for node in range(nodes):
        stream = ShardStream(split, seed=seed, batch=BATCH, lanes=range(node * each, (node + 1) * each))
        parts = []
        for first, last in pairwise([0, *cuts, steps]):
            for start, chunk in stream.chunks(epoch, range(first, last), size):
                assert (chunk.images[:, 0, 0] == chunk.labels).all()
                parts.append(chunk.labels.reshape(size, -1)[: min(size, last - start)])
        columns.append(np.concatenate(parts))
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize("nodes", [2, 4, 8])
def test_any_number_of_nodes_reads_the_same_batches(split, nodes):
    """Side by side, the shares of 2, 4 and 8 nodes are the batches of one."""
    np.testing.assert_array_equal(order(split, nodes=nodes), order(split))


@pytest.mark.parametrize("cuts", [(1,), (3, 4), (7, 9, 14)])
def test_where_calls_and_chunks_end_changes_nothing(split, cuts):
    """A training that was cut goes on with the batches that it would have had."""
    np.testing.assert_array_equal(order(split, cuts=cuts, size=3), order(split))


def test_no_example_comes_twice_in_an_epoch(split):
    """Nearly all examples come, and each of them once."""
    found = order(split)

    assert len(np.unique(found)) == found.size == split.steps(BATCH) * BATCH
    assert found.size > 250 - BATCH - LANES


def test_each_epoch_and_each_seed_has_an_order_of_its_own(split):
    """Orders of other epochs and seeds differ."""
    first = order(split)

    assert (order(split, epoch=1) != first).any()
    assert (order(split, seed=1) != first).any()


def test_a_resumed_training_reads_no_shard_that_lies_behind(split, tmp_path):
    """Steps that are passed over cost no reading: shards that only these need may even be gone."""
    steps = split.steps(BATCH)
    needed = {piece.shard for lane in range(LANES) for piece in split.pieces(0, 0, lane)[-1:]}
    for number, shard in enumerate(split.shards.splits["train"]):
        if number not in needed:
            (tmp_path / shard.name).unlink()
    stream = ShardStream(split, seed=0, batch=BATCH, lanes=range(LANES))

    assert len(list(stream.chunks(0, range(steps - 1, steps), 1))) == 1
