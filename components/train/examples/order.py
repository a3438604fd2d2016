"""What each step of a training uses, as functions of (seed, epoch, step): its rows, its rate, its random numbers.

How many nodes share a step, and how many steps one call runs, changes none of it.
"""

from __future__ import annotations

import numpy as np

NUMBERS = 5  # of one random map


def one_cycle(peak: float, steps: int, warmup: float) -> np.ndarray:
    """Return a rate for each step: linear up to `peak`, then linear down to nearly nothing."""
    rising = max(1, round(steps * warmup))
    at = np.arange(steps)
    return (peak * np.minimum((at + 1) / rising, (steps - at) / max(1, steps - rising))).astype(np.float32)


def rows_of(seed: int, epoch: int, count: int, steps: int, batch: int) -> np.ndarray:
    """Return an epoch's rows, int32 (steps, batch): a permutation of `count` that depends on seed and epoch only."""
    rows = np.random.default_rng((seed, epoch)).permutation(count).astype(np.int32)
    return np.resize(rows, (steps, batch))


def draws_of(seed: int, epoch: int, first: int, last: int, batch: int) -> np.ndarray:
    """Return the numbers of the random maps of steps first..last-1, float32 (steps, 5, batch) in [-1, 1).

    They are drawn here, for TensorFlow draws other numbers from the same seed under XLA.

    >>> whole = draws_of(0, 1, 0, 6, 8)
    >>> bool((draws_of(0, 1, 4, 6, 8) == whole[4:]).all())
    True
    """
    source = np.random.PCG64(np.random.SeedSequence((seed, epoch, 1)))  # as default_rng makes it
    generator = np.random.Generator(source)
    before = first * NUMBERS * batch
    source.advance(before // 2)  # two float32 of each 64 bits
    if before % 2:
        generator.random(1, dtype=np.float32)
    return generator.random((last - first, NUMBERS, batch), dtype=np.float32) * 2 - 1
