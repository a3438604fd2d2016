"""Hashes of examples, which tell duplicates: of all of a set, or of a share that is the same whatever the set."""

from __future__ import annotations

from functools import cache

import numpy as np

MOST_HASHES = 1 << 18  # kept of a split: 4 MB; at most twice as many
FRACTION = np.uint64(52)  # bits behind a double's sign and exponent
SHORT = 512  # bytes of a row
TABLE_BITS = 18  # of a hash, from its middle, that tell nearly all of those apart that are not among a few


class KeptHashes:
    """Hashes of examples and whose they are, at most about 2 * MOST_HASHES.

    Only those that begin with `level` bits of zero; when these are too many (one image that is there a million times),
    a bit more. The level reached does not depend on the order in which they come.
    """

    def __init__(self, examples: int) -> None:
        """Begin at the level that suits so many different examples."""
        self.level = (examples // MOST_HASHES).bit_length()
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._count = 0

    def add(self, hashes: np.ndarray, start: int) -> None:
        """Keep those of consecutive examples from `start` on that are to be kept."""
        kept = np.flatnonzero(begin_with_zeros(hashes, self.level))
        self._parts.append((hashes[kept], start + kept))
        self._count += len(kept)
        while self._count > 2 * MOST_HASHES:
            self.level += 1
            for place, (some, at) in enumerate(self._parts):
                chosen = begin_with_zeros(some, self.level)
                self._parts[place] = some[chosen], at[chosen]
            self._count = sum(len(some) for some, _ in self._parts)

    def in_order(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes and the examples that they are of, rising; they are kept here no longer."""
        parts, self._parts = (
            sorted((part for part in self._parts if len(part[1])), key=lambda part: int(part[1][0])),
            [],
        )
        if not parts:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return np.concatenate([some for some, _ in parts]), np.concatenate([at for _, at in parts])


def begin_with_zeros(hashes: np.ndarray, bits: int) -> np.ndarray:
    """Whether hashes do; of some bits none that is 0, as a blank image's is: a set may hold any number of them."""
    if not bits:
        return np.ones(len(hashes), bool)
    found: np.ndarray = (hashes >> np.uint64(64 - bits) == 0) & (hashes != 0)
    return found


def are_among(few: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Return bool (n,): which of `few` hashes, uint64 (n,), are among `many`, of which np.isin would sort all."""
    found: np.ndarray = np.isin(few, many[may_be_among(many, few)])
    return found


def may_be_among(many: np.ndarray, few: np.ndarray) -> np.ndarray:
    """Return bool (m,): which hashes, uint64 (m,), may be one of `few`; all that are, and of the others hardly any."""
    low, high = np.uint64(32), np.uint64((1 << TABLE_BITS) - 1)
    table = np.zeros(1 << TABLE_BITS, bool)
    table[few >> low & high] = True
    found: np.ndarray = table[many >> low & high]
    return found


def hash_rows(rows: np.ndarray) -> np.ndarray:
    """Return a uint64 for each row's bytes: a dot product with fixed odd numbers modulo 2**64.

    Equal rows have equal hashes. Two given unequal rows share one with a chance near 2**-60, of float32 rows that hold
    few different numbers near 2**-40: a product keeps the zeros that a number ends with, so of doubles (1.0 ends
    with 52 of them) and of short rows the first bits are brought to the end before. `splits.leakage` compares the rows
    themselves before it tells.
    """
    raw = rows.view(np.uint8) if rows.dtype != np.uint8 else rows
    width = raw.shape[1]
    if width % 8 or raw.ctypes.data % 8:
        padded = np.zeros((len(raw), -(-width // 8) * 8), np.uint8)
        padded[:, :width] = raw
        raw = padded
    words = raw.view(np.uint64)
    if rows.dtype.itemsize == 8 or width <= SHORT:  # of wide bytes it would take as long as the hash again
        words = words ^ (words >> FRACTION)
    hashes: np.ndarray = np.einsum("ij,j->i", words, _odd_numbers(words.shape[1]))
    return hashes


@cache
def _odd_numbers(count: int) -> np.ndarray:
    """Return fixed odd uint64 (count,) that look random: SplitMix64, for numpy.random takes longer to import."""
    with np.errstate(over="ignore"):
        mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)
