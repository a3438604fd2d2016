"""Images and labels of one split, as the network takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrainingSplit:
    """Images and labels of one split, as the network takes them."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @property
    def nbytes(self) -> int:
        return self.images.nbytes + self.labels.nbytes

    def steps(self, batch: int) -> int:
        """Return how many steps of `batch` examples an epoch has."""
        return max(1, len(self) // batch)
