"""The statistical half of request validation: what a network takes without complaint and cannot be right about.

A finding here rejects no request: it stands beside the predictions as a warning, and is counted. An example that
lies far from the training data is tried once more inverted: what that brings back was of the wrong polarity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.finding import Finding, first_of
from deep_mnist.doctor.rule import Rule
from deep_mnist.serving.model.reference_profile import COLUMNS, IMAGES, ReferenceProfile
from deep_mnist.serving.requests.rules import BLANK, FAR, INVERTED, OFF_SCALE

RARE = 1e-3  # a share of the training data below which something counts as unseen
FAINT = 0.1  # of the training data's range
BEYOND = 1.0  # ranges outside the training data's
CHECKS = ("scale", "polarity", "blank", "far")
# 255 times too faint, give or take: scaled to 0..1 once more than in training.
SCALED_TWICE = (200, 300)


@dataclass(frozen=True)
class RequestWarning:
    """One statistical fault of some examples of a request.

    Attributes:
        check: One of CHECKS, the name that metrics count under.
        finding: What a rule says of them.
        rows: bool (n,), which examples.
    """

    check: str
    finding: Finding
    rows: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found = self.finding
        return {
            "check": self.check,
            "rule": found.rule.code,
            "field": found.field,
            "expected": found.expected,
            "received": found.received,
            "fix": found.fix,
            "severity": found.severity,
            "count": int(self.rows.sum()),
            "where": list(found.where),
        }


def _warning(check: str, rule: Rule, expected: str, received: str, fix: str, rows: np.ndarray) -> RequestWarning:
    found = rule.found("request", expected=expected, received=received, fix=fix, where=first_of(rows))
    return RequestWarning(check, found, rows)


@dataclass(frozen=True)
class Units:
    """How a value of the training data's form looks in the form that a request has: value * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0

    def of(self, value: float) -> float:
        return value * self.scale + self.offset

    def span(self, low: float, high: float) -> str:
        """Return a range in words."""
        return f"{self.of(low):.4g}..{self.of(high):.4g}"


@dataclass(frozen=True)
class ProfileComparison:
    """Examples of one or of several requests, held against the reference profile.

    Attributes:
        profile: Of the training data.
        units: What the warnings speak in.
        values: float32 (n, …), the examples, columns standardized.
        low, peak: float32 (n,), each example's least and greatest value.
        distances: float32 (n,) in thresholds, or None where no distance is known.
        faults: Key of _WORDS -> bool (n,), which examples have that fault.
    """

    profile: ReferenceProfile
    units: Units
    values: np.ndarray
    low: np.ndarray
    peak: np.ndarray
    distances: np.ndarray | None
    faults: dict[str, np.ndarray]

    def part(self, rows: slice) -> ProfileComparison:
        """Return the comparison of some of the examples: those of one request."""
        distances = None if self.distances is None else self.distances[rows]
        faults = {fault: found[rows] for fault, found in self.faults.items()}
        values = (self.values[rows], self.low[rows], self.peak[rows])
        return ProfileComparison(self.profile, self.units, *values, distances, faults)

    @property
    def warnings(self) -> list[RequestWarning]:
        """The faults that any example has, in words."""
        return [_WORDS[fault](self, rows) for fault, rows in self.faults.items() if rows.any()]


def compare_with_profile(
    examples: np.ndarray, profile: ReferenceProfile, units: Units | None = None
) -> ProfileComparison:
    """Hold examples (n, *profile.shape), in the form that the training data had, against their profile.

    Args:
        examples: Of any real dtype.
        profile: Of the training data.
        units: What the warnings speak in, where a request had another form.
    """
    values = profile.standardized(examples)
    flat = values.reshape(len(values), -1)
    low, peak = flat.min(axis=1), flat.max(axis=1)
    distances = profile.distance.of(values) if profile.distance else None
    blank = (low == peak) & (profile.blank_share < RARE)
    far = np.zeros(len(values), bool) if distances is None else (distances > 1) & ~blank
    faint, loud = _off_scale(low, peak, profile)
    unknown = far & ~faint & ~loud
    inverted = _inverted_rows(values, unknown, profile)
    faults = {"blank": blank, "faint": faint & ~blank, "loud": loud}
    faults |= {"inverted": inverted, "far": unknown & ~inverted}
    return ProfileComparison(profile, units or Units(), values, low, peak, distances, faults)


def _off_scale(low: np.ndarray, peak: np.ndarray, profile: ReferenceProfile) -> tuple[np.ndarray, np.ndarray]:
    """Return which examples use hardly any of the training data's range, and which leave it far behind."""
    none = np.zeros(len(low), bool)
    span = profile.high - profile.low
    if profile.kind == COLUMNS or span <= 0:
        return none, none
    loud = (peak > profile.high + BEYOND * span) | (low < profile.low - BEYOND * span)
    if profile.kind != IMAGES:
        return none, loud
    reach = profile.least_peak - profile.low
    return (peak - profile.low < FAINT * reach) & (low >= profile.low), loud


def _inverted_rows(values: np.ndarray, far: np.ndarray, profile: ReferenceProfile) -> np.ndarray:
    """Return which of the far examples lie near the training data once they are inverted."""
    rows = np.zeros(len(values), bool)
    if profile.distance is not None and profile.kind == IMAGES and far.any():
        rows[far] = profile.distance.of(profile.low + profile.high - values[far]) <= 1
    return rows


def _blank(_: ProfileComparison, rows: np.ndarray) -> RequestWarning:
    return _warning(
        "blank",
        BLANK,
        "examples that show something, as in training",
        "one value throughout",
        "leave blank examples out: a prediction for them means nothing",
        rows,
    )


def _scale(compared: ProfileComparison, received: str, fix: str, rows: np.ndarray) -> RequestWarning:
    expected = f"values in {compared.units.span(compared.profile.low, compared.profile.high)}, as in training"
    fix = fix or "send values on the training data's scale"
    return _warning("scale", OFF_SCALE, expected, received, fix, rows)


def _faint(compared: ProfileComparison, rows: np.ndarray) -> RequestWarning:
    profile, greatest = compared.profile, float(compared.peak[rows].max())
    ratio = (profile.high - profile.low) / max(greatest - profile.low, 1e-12)
    fix = "x = x * 255" if SCALED_TWICE[0] <= ratio <= SCALED_TWICE[1] else ""
    return _scale(compared, f"nothing above {compared.units.of(greatest):.4g}", fix, rows)


def _loud(compared: ProfileComparison, rows: np.ndarray) -> RequestWarning:
    profile, units = compared.profile, compared.units
    least, greatest = float(compared.low[rows].min()), float(compared.peak[rows].max())
    pixels = profile.kind == IMAGES and units.of(least) >= -1e-3 and units.of(greatest) <= 255.001
    trained = round(units.of(profile.low), 3), round(units.of(profile.high), 3)
    fix = {(0.0, 1.0): "x = x / 255", (-1.0, 1.0): "x = x / 127.5 - 1"}.get(trained, "") if pixels else ""
    return _scale(compared, units.span(least, greatest), fix, rows)


def _inverted(compared: ProfileComparison, rows: np.ndarray) -> RequestWarning:
    profile, units = compared.profile, compared.units
    return _warning(
        "polarity",
        INVERTED,
        "light and dark as in training",
        "images that lie near the training data only once they are inverted",
        f"x = {units.of(profile.low) + units.of(profile.high):.4g} - x",
        rows,
    )


def _far(compared: ProfileComparison, rows: np.ndarray) -> RequestWarning:
    farthest = float(compared.distances[rows].max()) if compared.distances is not None else 0.0
    return _warning(
        "far",
        FAR,
        "examples like the training data",
        f"up to {farthest:.1f} times as far from them as 1,999 in 2,000 training examples",
        "check that these inputs are of the kind the model was trained on",
        rows,
    )


_WORDS = {"blank": _blank, "faint": _faint, "loud": _loud, "inverted": _inverted, "far": _far}
