"""How a statistic is spread over the training data, and how far a later sample has moved from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 10
# An empty bin would make the index infinite; this is the customary floor.
LEAST_SHARE = 1e-4
STABLE, MOVED = 0.1, 0.25  # customary bounds of the population stability index


@dataclass(frozen=True)
class Spread:
    """Shares of the training data in bins.

    Attributes:
        edges: float64 (bins - 1,), rising, between the bins; the outer bins are open.
        shares: float64 (bins,), sum 1.
    """

    edges: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Return the spread over tenths of the values; equal tenths are one bin."""
        edges = np.unique(np.quantile(values.astype(np.float64), np.linspace(0, 1, BINS + 1)[1:-1]))
        return cls(edges, cls._shares(values, edges))

    @classmethod
    def of_classes(cls, shares: np.ndarray) -> Spread:
        """Return the spread of class numbers 0..n-1 with these shares."""
        return cls(np.arange(len(shares) - 1) + 0.5, np.asarray(shares, dtype=np.float64))

    def moved(self, values: np.ndarray) -> float:
        """Return the population stability index of a sample against this spread.

        The sum over the bins of (share - training's share) * ln(share / training's share). Below STABLE it is, above
        MOVED it has moved.
        """
        now = np.maximum(self._shares(values, self.edges), LEAST_SHARE)
        then = np.maximum(self.shares, LEAST_SHARE)
        return float(((now - then) * np.log(now / then)).sum())

    @staticmethod
    def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        shares: np.ndarray = counts / max(1, len(values))
        return shares

    def to_dict(self) -> dict[str, Any]:
        return {"edges": self.edges.tolist(), "shares": self.shares.tolist()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Spread:
        return cls(np.array(stored["edges"], dtype=np.float64), np.array(stored["shares"], dtype=np.float64))
