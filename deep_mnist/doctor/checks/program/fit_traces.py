"""What a fit leaves to be known again by: keys of its examples, a digest of its model's weights."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

MOST_NUMBERS = 256  # of one example that its key is made of, spread over it
MOST_KEYS = 4096
MOST_EXAMPLES = 100_000
MOST_BYTES = 1 << 22  # of the weights that are compared


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


def digest_of(model: Any) -> int:
    """Return a digest of the first weights; 0 where none are made yet."""
    digest, taken = 0, 0
    try:
        for weight in model.weights:
            held = np.asarray(weight)
            digest, taken = zlib.crc32(held.tobytes(), digest), taken + held.nbytes
            if taken > MOST_BYTES:
                break
    except Exception:  # weights that are not made yet, or of a class of the user's
        return digest
    return digest
