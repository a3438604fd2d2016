"""Windows of a time series, drawn from the whole of a dataset: its first batches are its first days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SPREAD = 16  # batches taken
MOST_PASSED = 4096  # batches read to come to them
MOST_BYTES = 1 << 18  # of one example: windows, no images
ORDERED = ("Shuffle", "Filter", "Repeat", "GeneratorDataset", "Generator", "FlatMap", "Interleave")
MOST_AXES = 2  # of one example: steps, features


def windows_of_whole(dataset: Any, kinds: Sequence[str], shape: Any) -> Any:
    """Return every k-th batch of a dataset that yields windows in the order of time, None of any other dataset.

    Args:
        dataset: Batched.
        kinds: Of its transformations.
        shape: Of a batch's first input, None where it is unknown.
    """
    if shape is None or len(shape) - 1 > MOST_AXES or any(each in ORDERED for each in kinds):
        return None
    count = int(dataset.cardinality())
    if not 2 * SPREAD < count <= MOST_PASSED:
        return None
    step = count // SPREAD
    return dataset.enumerate().filter(lambda index, _: index % step == 0).map(lambda _, batch: batch)
