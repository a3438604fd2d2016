"""Which examples of a stream are held out, and which are drawn: known before the first is read, from counts alone.

Blocks may then be worked on in any order, one of them twice, and by several workers: each example's lot is a function
of the seed, its class and how many of its class come before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from deep_mnist.data.stratify import held_out_counts

TEST, VALIDATION, DRAWN, TRAIN = 0, 1, 2, 3
FEWEST = 8  # examples of a class that are drawn, where it has so many: no class is missing among the drawn


class Allotment:
    """The lots of all examples.

    >>> lots = Allotment([{"0": 6, "1": 2}, {"0": 6, "1": 10}], {TEST: 0.25, VALIDATION: 0.25}, seed=0)
    >>> both = [lots.of(0, np.repeat([0, 1], [6, 2])), lots.of(1, np.repeat([0, 1], [6, 10]))]
    >>> np.bincount(np.concatenate(both), minlength=4).tolist()
    [6, 5, 13, 0]
    """

    def __init__(
        self,
        tallies: Sequence[Mapping[str, int]],
        shares: Mapping[int, float],
        *,
        seed: int,
        most_held_out: int = 1 << 20,
        drawn: int = 1 << 16,
    ) -> None:
        """Draw the lots.

        Args:
            tallies: Of each block, class as text -> how many examples it has.
            shares: TEST and VALIDATION -> share of what the former left, 0 < f < 1; those that are to be held out.
            seed: Of the draw.
            most_held_out: Examples of each of the two.
            drawn: Examples drawn of what is left, which stay in train; a few more where classes are many.
        """
        self.classes = sorted({int(name) for tally in tallies for name in tally})
        counts = np.array([[tally.get(str(each), 0) for each in self.classes] for tally in tallies], np.int64)
        self.starts = np.cumsum(counts, axis=0) - counts
        left = counts.sum(axis=0)
        totals, quotas = left.copy(), {}
        for kind, share in sorted(shares.items()):
            quotas[kind] = held_out_counts(left, min(share, most_held_out / max(1, int(left.sum()))))
            left = left - quotas[kind]
        in_proportion = np.ceil(left * (drawn / max(1, int(left.sum())))).astype(np.int64)
        quotas[DRAWN] = np.minimum(left, np.maximum(FEWEST, in_proportion))
        self._lots = [self._draw(seed, place, int(total), quotas) for place, total in enumerate(totals)]

    def _draw(
        self, seed: int, place: int, total: int, quotas: Mapping[int, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which examples of a class, counted from 0, rising, have a lot, and theirs."""
        numbers = [int(quota[place]) for quota in quotas.values()]
        kinds = np.repeat(np.array(list(quotas), np.int8), numbers)
        chosen = np.random.default_rng((seed, self.classes[place] & 0xFFFFFFFF)).choice(
            total, len(kinds), replace=False
        )
        order = np.argsort(chosen)
        return chosen[order], kinds[order]

    def of(self, block: int, numbers: np.ndarray) -> np.ndarray:
        """Return the lot of each example of a block, int8 (n,): TEST, VALIDATION, DRAWN (of train) or TRAIN.

        Args:
            block: Its number.
            numbers: Class of each example, int64 (n,).
        """
        lots = np.full(len(numbers), TRAIN, np.int8)
        for place, each in enumerate(self.classes):
            rows = np.flatnonzero(numbers == each)
            chosen, kinds = self._lots[place]
            start = int(self.starts[block, place])
            first, last = np.searchsorted(chosen, [start, start + len(rows)])
            lots[rows[chosen[first:last] - start]] = kinds[first:last]
        return lots
