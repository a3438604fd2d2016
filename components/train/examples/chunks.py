"""A split that is larger than memory, read by chunks in the background while the steps before are computed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from components.train.examples.split import TrainingSplit

CHUNK_BYTES = 64 << 20
MOST_STEPS = 64  # in a chunk


def steps_in_chunk(split: TrainingSplit, batch: int) -> int:
    """Return how many steps of `batch` examples one chunk holds: what CHUNK_BYTES take, at least 1."""
    example = max(1, split.nbytes // len(split))
    return max(1, min(MOST_STEPS, CHUNK_BYTES // (example * batch)))


def read_chunks(split: TrainingSplit, order: np.ndarray, size: int) -> Iterator[tuple[int, TrainingSplit]]:
    """Yield (first step, examples) for every `size` steps of `order`, int (steps, batch), the next one prefetched.

    The examples lie in the order of their steps. The last chunk is filled up with its own first examples, so that
    all chunks have one shape and the loop is compiled once.
    """
    starts = range(0, len(order), size)
    with ThreadPoolExecutor(max_workers=1) as reader:
        chunks = (reader.submit(_read, split, order[start : start + size], size) for start in starts)
        coming = next(chunks, None)
        for start in starts:
            present, coming = coming, next(chunks, None)
            if present is not None:
                yield start, present.result()


def _read(split: TrainingSplit, order: np.ndarray, size: int) -> TrainingSplit:
    rows = np.resize(order, size * order.shape[1])
    found, back = np.unique(rows, return_inverse=True)  # sorted: read in the files' order, for the disk's sake
    return TrainingSplit(split.images[found][back], split.labels[found][back])
