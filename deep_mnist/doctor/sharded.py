"""A train split that lies in shards: surveyed as a whole straight from its store, in the memory of a few shards.

One pass checks every shard's SHA-256 and adds it to one survey, which is that of the same examples in one array. What
needs the examples themselves looks at some that are drawn over all shards: those that preprocess put beside the
manifest, every class among them, or else those drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from deep_mnist.data.shards.reading import examples, rows_at
from deep_mnist.data.shards.shard_set import ShardSet, shards_in
from deep_mnist.doctor.case import Split
from deep_mnist.doctor.evidence.sampling import sample_indices
from deep_mnist.doctor.evidence.survey import Survey, Surveyor

MOST_DRAWN_BYTES = 64 << 20
MOST_DRAWN = 1 << 16


def with_shards(folder: Path, splits: Mapping[str, Split]) -> dict[str, Split]:
    """Return the splits, train with the survey of its shards where the folder has their manifest.

    Raises:
        DamagedShardError: A shard is missing or altered; the message names it.
    """
    shards = shards_in(folder)
    if shards is None or not shards.count("train"):
        return dict(splits)
    drawn = splits["train"]
    if drawn.images is None or drawn.labels is None:
        drawn, found = _drawn_with_survey(shards)
    else:
        found = survey_shards(shards, "train")
    drawn.is_whole, drawn.whole_images = False, partial(_images_at, shards)
    vars(drawn)["survey"] = found  # in the place of the cached property's: of all, not of the drawn
    return {**splits, "train": drawn}


def survey_shards(shards: ShardSet, split: str) -> Survey:
    """Return the survey of a split's shards, each read once."""
    surveyor = Surveyor(shards.count(split), shards.image_shape, np.dtype(shards.image_dtype))
    for start, records in examples(shards, split):
        surveyor.add(records["image"], start)
    return surveyor.finish()


def _drawn_with_survey(shards: ShardSet) -> tuple[Split, Survey]:
    count, size = shards.count("train"), shards.record.itemsize
    chosen = sample_indices(count, min(MOST_DRAWN, max(1, MOST_DRAWN_BYTES // size)))
    drawn = np.empty(len(chosen), shards.record)
    surveyor = Surveyor(count, shards.image_shape, np.dtype(shards.image_dtype))
    for start, records in examples(shards, "train"):
        surveyor.add(records["image"], start)
        first, last = np.searchsorted(chosen, [start, start + len(records)])
        drawn[first:last] = records[chosen[first:last] - start]
    images, labels = np.ascontiguousarray(drawn["image"]), np.ascontiguousarray(drawn["label"])
    return Split("train", images, labels), surveyor.finish()


def _images_at(shards: ShardSet, indices: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows_at(shards, "train", indices)["image"])
