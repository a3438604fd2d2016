"""The reference profile: what the training data were like, which the server holds every request against.

`publish` writes it as survey.json of a version, of the training split, in the form in which requests come: raw images
where the network was trained on raw images, else what its user prepared. It holds statistics only, no example.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import DatasetError
from deep_mnist.serving.model.distance import TrainingDistance
from deep_mnist.serving.model.spread import Spread

PROFILE_FILE = "survey.json"  # as in every version that was published so far
MOST_COLUMNS = 64  # of a table whose spreads are kept one by one
IMAGES, COLUMNS, NUMBERS = "images", "columns", "numbers"


@dataclass(frozen=True)
class ReferenceProfile:
    """The training data in numbers.

    Attributes:
        kind: "images", "columns" (each with a scale of its own) or "numbers" (integers that stand for something).
        shape: Of one example.
        examples: In the training split.
        low, high: Least and greatest value.
        blank_share: Share of the examples with one value throughout.
        least_peak: What hardly any example's greatest value falls below.
        center, scale: float32, of each column; empty for images.
        distance: None where there are too few examples, or where a distance means nothing.
        spreads: Statistic -> how it is spread.
        classes: Spread of the class numbers.
        confidence: Spread of the greatest probability on the judged split; None where it is unknown.
        low_confidence: The greatest probability below which a prediction is of low confidence.
        class_names: Name of each class; () where the labels are all that is known.
        abstains: What cannot be judged, and why.
    """

    kind: str
    shape: tuple[int, ...]
    examples: int
    low: float
    high: float
    blank_share: float
    least_peak: float
    center: np.ndarray
    scale: np.ndarray
    distance: TrainingDistance | None
    spreads: dict[str, Spread]
    classes: Spread
    confidence: Spread | None
    low_confidence: float
    class_names: tuple[str, ...]
    abstains: tuple[str, ...]

    def standardized(self, examples: np.ndarray) -> np.ndarray:
        """Return examples (n, …) as float32; columns with mean 0 and deviation 1 over the training data."""
        return standardized(examples.astype(np.float32), self.kind, self.center, self.scale)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        plain = ("kind", "examples", "low", "high", "blank_share", "least_peak", "low_confidence")
        return {
            "format": 1,
            **{name: getattr(self, name) for name in plain},
            **{name: list(getattr(self, name)) for name in ("shape", "class_names", "abstains")},
            **{name: getattr(self, name).astype(float).tolist() for name in ("center", "scale")},
            "distance": self.distance.to_dict() if self.distance else None,
            "spreads": {name: spread.to_dict() for name, spread in self.spreads.items()},
            "classes": self.classes.to_dict(),
            "confidence": self.confidence.to_dict() if self.confidence else None,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> ReferenceProfile:
        if stored.get("format") != 1:
            raise DatasetError(f"Expected {PROFILE_FILE} of format 1. Received: {stored.get('format')}.")
        values = {name: value for name, value in stored.items() if name != "format"}
        values |= {name: tuple(stored[name]) for name in ("shape", "class_names", "abstains")}
        values |= {name: np.array(stored[name], dtype=np.float32) for name in ("center", "scale")}
        values["distance"] = TrainingDistance.from_dict(stored["distance"]) if stored["distance"] else None
        values["spreads"] = {name: Spread.from_dict(each) for name, each in stored["spreads"].items()}
        values["classes"] = Spread.from_dict(stored["classes"])
        values["confidence"] = Spread.from_dict(stored["confidence"]) if stored["confidence"] else None
        return cls(**values)


def standardized(examples: np.ndarray, kind: str, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return float32 (n, …): columns less their center, over their scale; images and numbers as they are."""
    return (examples - center) / scale if kind == COLUMNS else examples


def statistics_of(examples: np.ndarray, kind: str, low: float, high: float) -> dict[str, np.ndarray]:
    """Return statistic -> float32 (n,) of standardized examples, float32 (n, …).

    Of images and numbers: mean, deviation, and the share of values in the upper half of the training data's range. Of
    columns: each, the first 64.
    """
    flat = examples.reshape(len(examples), -1)
    if kind == COLUMNS:
        return {f"column {number}": flat[:, number] for number in range(min(flat.shape[1], MOST_COLUMNS))}
    upper = (flat > (low + high) / 2).mean(axis=1, dtype=np.float32)
    return {"mean": flat.mean(axis=1), "deviation": flat.std(axis=1), "upper half": upper}


def write_profile(profile: ReferenceProfile, folder: Path) -> None:
    """Write FOLDER/survey.json."""
    (folder / PROFILE_FILE).write_text(json.dumps(profile.to_dict(), allow_nan=False) + "\n")


def read_profile(folder: Path) -> ReferenceProfile | None:
    """Return a version's profile, or None for one that was published without.

    Raises:
        DatasetError: A profile of another form.
    """
    path = folder / PROFILE_FILE
    if not path.is_file():
        return None
    try:
        return ReferenceProfile.from_dict(json.loads(path.read_text()))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"Expected a reference profile at {path}. Received: {error}.") from error
