"""A train split that lies in shards: surveyed as a whole straight from its store, in the memory of a few shards.

One pass checks every shard's SHA-256 and adds it to one survey, which is that of the same examples in one array. What
needs the examples themselves looks at some that are drawn over all shards: those that preprocess put beside the
manifest, every class among them, or else those drawn here.
"""

from __future__ import annotations

import numpy as np

from deep_mnist.data.shards.reading import examples, rows_at
from deep_mnist.data.shards.shard_set import ShardSet
from deep_mnist.doctor.evidence.sampling import sample_indices
from deep_mnist.doctor.evidence.survey import Survey, Surveyor

MOST_DRAWN_BYTES = 64 << 20
MOST_DRAWN = 1 << 16


def survey_shards(shards: ShardSet, split: str) -> Survey:
    """Return the survey of a split's shards, each read once."""
    surveyor = Surveyor(shards.count(split), shards.image_shape, np.dtype(shards.image_dtype))
    for start, records in examples(shards, split):
        surveyor.add(records["image"], start)
    return surveyor.finish()


def draw_and_survey(shards: ShardSet) -> tuple[np.ndarray, np.ndarray, Survey]:
    """Return images and labels drawn over all shards of train, rising, and the survey of all, in one pass."""
    count, size = shards.count("train"), shards.record.itemsize
    chosen = sample_indices(count, min(MOST_DRAWN, max(1, MOST_DRAWN_BYTES // size)))
    drawn = np.empty(len(chosen), shards.record)
    surveyor = Surveyor(count, shards.image_shape, np.dtype(shards.image_dtype))
    for start, records in examples(shards, "train"):
        surveyor.add(records["image"], start)
        first, last = np.searchsorted(chosen, [start, start + len(records)])
        drawn[first:last] = records[chosen[first:last] - start]
    return np.ascontiguousarray(drawn["image"]), np.ascontiguousarray(drawn["label"]), surveyor.finish()


def images_at(shards: ShardSet, indices: np.ndarray) -> np.ndarray:
    """Return images of train by their indices in the whole."""
    return np.ascontiguousarray(rows_at(shards, "train", indices)["image"])
