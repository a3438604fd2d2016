"""What is sent, against what was trained on: a window over the latest examples, of bounded size."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from deep_mnist.serving.model.reference_profile import ReferenceProfile, statistics_of
from deep_mnist.serving.model.spread import MOVED, STABLE
from deep_mnist.serving.requests.statistical_validation import ProfileComparison

WINDOW = 10_000  # examples
LEAST_EXAMPLES = 200  # fewer say nothing: by chance alone the index is near (bins - 1) / examples
CONFIDENCE = "confidence"
CLASSES = "predicted class"


class DriftWindow:
    """The latest examples' statistics and predictions; made anew with every version.

    A window holds one float for each statistic and example: 10,000 images take 200 KB, a table of 64 columns 2.6 MB.
    """

    def __init__(self, profile: ReferenceProfile, size: int = WINDOW) -> None:
        self.profile, self.size = profile, size
        self.seen = 0
        self._values = {name: np.zeros(size, np.float32) for name in (*profile.spreads, CONFIDENCE, CLASSES)}
        self._lock = threading.Lock()

    def add(self, comparison: ProfileComparison, probabilities: np.ndarray) -> None:
        """Take in examples with their predictions, float (n, classes)."""
        profile = self.profile
        new = statistics_of(comparison.values, profile.kind, profile.low, profile.high)
        if comparison.distances is not None:
            new["distance"] = comparison.distances
        new |= {CONFIDENCE: probabilities.max(axis=1), CLASSES: probabilities.argmax(axis=1).astype(np.float32)}
        with self._lock:
            count = len(probabilities)
            places = np.arange(self.seen, self.seen + count)[-self.size :] % self.size
            for name, values in new.items():
                self._values[name][places] = values[-self.size :]
            self.seen += count

    def report(self) -> dict[str, Any]:
        """Return the report as plain JSON.

        "statistics" maps a statistic to its population stability index, None while there are fewer than 200 examples;
        "classes" holds each class's share among the predictions and in training.
        """
        with self._lock:
            held = min(self.seen, self.size)
            values = {name: array[:held].copy() for name, array in self._values.items()}
        enough = held >= LEAST_EXAMPLES
        spreads = {**self.profile.spreads, CLASSES: self.profile.classes}
        if self.profile.confidence:
            spreads[CONFIDENCE] = self.profile.confidence
        indices = {name: spread.moved(values[name]) if enough else None for name, spread in spreads.items()}
        return {
            "examples": held,
            "seen": self.seen,
            "enough": enough,
            "statistics": {name: None if index is None else round(index, 4) for name, index in indices.items()},
            "moved": sorted(name for name, index in indices.items() if index is not None and index > MOVED),
            "low_confidence": self._low_confidence(values[CONFIDENCE]),
            "classes": self._classes(values[CLASSES]),
            "bounds": {"stable": STABLE, "moved": MOVED, "least_examples": LEAST_EXAMPLES, "window": self.size},
        }

    def _low_confidence(self, confidence: np.ndarray) -> dict[str, Any] | None:
        if self.profile.confidence is None:
            return None
        from deep_mnist.serving.model.profiling import LOW_CONFIDENCE

        below = confidence < self.profile.low_confidence
        return {
            "below": self.profile.low_confidence,
            "share": float(below.mean()) if len(below) else None,
            "expected": LOW_CONFIDENCE,
        }

    def _classes(self, predicted: np.ndarray) -> list[dict[str, Any]]:
        counts = np.bincount(predicted.astype(int), minlength=len(self.profile.classes.shares))
        total = max(1, int(counts.sum()))
        names = self.profile.class_names
        return [
            {
                "name": names[number] if number < len(names) else str(number),
                "share": float(counts[number] / total),
                "training": float(share),
            }
            for number, share in enumerate(self.profile.classes.shares)
        ]
