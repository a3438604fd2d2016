"""A digest of a model's weights, by which it is seen that they were set back."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

MOST_BYTES = 1 << 22  # of the weights that are compared


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
