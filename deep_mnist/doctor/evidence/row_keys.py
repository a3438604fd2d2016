"""Keys of examples, by which those of one fit are found again in another, whatever their number."""

from __future__ import annotations

import zlib

import numpy as np

MOST_NUMBERS = 256  # of one example that its key is made of, spread over it
MOST_KEYS = 4096
MOST_EXAMPLES = 100_000


def row_keys(examples: np.ndarray | None, spread: int | None = None) -> tuple[frozenset[int], int]:
    """Return keys of a part of the examples that the keys alone choose, and how large a part: one of so many.

    Args:
        examples: (n, …) of numbers. Those that are all one value have no key: they tell nothing.
        spread: The part to take; as many as are needed for MOST_KEYS by default.
    """
    if examples is None or not examples.ndim or not examples.size or examples.dtype.kind not in "fiub":
        return frozenset(), 1
    if len(examples) > MOST_EXAMPLES:
        return frozenset(), 1
    flat = examples.reshape(len(examples), -1)
    step = max(1, flat.shape[1] // MOST_NUMBERS)
    some = np.ascontiguousarray(flat[:, ::step])
    varied = (some != some[:, :1]).any(axis=1) if some.shape[1] > 1 else np.ones(len(some), bool)
    keys = {zlib.crc32(row.tobytes()) for row in some[varied]}
    spread = spread or max(1, len(keys) // MOST_KEYS)
    return frozenset(key for key in keys if key % spread == 0), spread
