"""What was done to the test split's images: another orientation, inversion, channels reversed; or they are others.

A transform is reported only when train proves that it matters: train's own images, transformed, look clearly less
like the rest of train; and the test images, transformed, look clearly more like it, by as much. In a random split of
a healthy set both move the same way. Where transforms make no difference (textures), nothing is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.evidence.median import median
from deep_mnist.doctor.evidence.orientations import orientations
from deep_mnist.doctor.probe.classifier import Sample
from deep_mnist.doctor.probe.features import distances, to_side

FEWEST = 20  # images of each split
COARSE_SIDE = 8  # pixels a side of the images compared
CLEARLY = 5.0  # standard errors
AS_GOOD = 0.85  # of the best change's gain: the simplest of such is the likeliest
AS_MUCH = 0.5  # of what the transform costs train: the least that it must bring the test split
STRANGE_SHARE, STRANGE_RANK = 0.9, 0.01  # share of test images that are stranger than the strangest of train's


class Change(NamedTuple):
    """What may have been done to every test image.

    Attributes:
        orientation: Name of one, "" for none.
        description: In words.
        inverted, reversed: Polarity, order of the channels.
        apply: To images (n, rows, columns, channels) of mean 0.
    """

    orientation: str
    description: str
    inverted: bool
    reversed: bool
    apply: Callable[[np.ndarray], np.ndarray]

    @property
    def parts(self) -> int:
        """How much was done."""
        return bool(self.orientation) + self.inverted + self.reversed


class ShiftEvidence(NamedTuple):
    """What a change does to the similarity with train's images, in standard errors of the difference.

    Attributes:
        cost: Of train's own images.
        gain: Of the test images.
        share: The gain as a part of the cost.
    """

    change: Change
    cost: float
    gain: float
    share: float


def changes(square: bool, channels: int) -> list[Change]:
    """Return every change that such images can have undergone."""
    ways = [("", "", lambda images: images), *orientations(square)]
    found = []
    for inverted in (False, True):
        for name, description, orient in ways:
            if name or inverted:
                words = [part for part in (description, "inverted (dark on light)" if inverted else "") if part]
                found.append(Change(name, " and ".join(words), inverted, False, _both(orient, inverted)))
    if channels == 3:
        found.append(Change("", "with their channels in reverse order", False, True, lambda each: each[..., ::-1]))
    return found


def _both(orient: Callable[[np.ndarray], np.ndarray], inverted: bool) -> Callable[[np.ndarray], np.ndarray]:
    return (lambda images: -orient(images)) if inverted else orient


def find_change(train: Sample, test: Sample) -> ShiftEvidence | None:
    """Return the change that was made to the test images, None when there is none or train cannot tell."""
    if min(len(train), len(test)) < FEWEST:
        return None
    own, others = _coarse(train.images), _coarse(test.images)
    flat = own.reshape(len(own), -1)
    width = median(distances(flat[::2], flat)) or 1.0
    before = _closeness(own, flat, width, same=True), _closeness(others, flat, width, same=False)
    found = []
    for change in changes(own.shape[1] == own.shape[2], own.shape[3]):
        gain = _closeness(change.apply(others), flat, width, same=False) - before[1]
        if _in_errors(gain) <= CLEARLY:
            continue
        cost = before[0] - _closeness(change.apply(own), flat, width, same=True)
        evidence = ShiftEvidence(
            change, _in_errors(cost), _in_errors(gain), float(gain.mean() / max(cost.mean(), 1e-9))
        )
        if evidence.cost > CLEARLY and evidence.share > AS_MUCH:
            found.append((float(gain.mean()), evidence))
    most = max((gain for gain, _ in found), default=0.0)
    as_good = [(gain, evidence) for gain, evidence in found if gain >= AS_GOOD * most]
    simplest = min(as_good, key=lambda each: (each[1].change.parts, -each[0]), default=None)
    return simplest[1] if simplest else None


def _coarse(images: np.ndarray) -> np.ndarray:
    small = to_side(images, COARSE_SIDE)
    standardized: np.ndarray = (small - small.mean()) / (small.std() or 1.0)
    return standardized


def _closeness(images: np.ndarray, train: np.ndarray, width: float, *, same: bool) -> np.ndarray:
    """Return each image's mean similarity to train's images, leaving out the one that it was made from."""
    similarity = distances(images.reshape(len(images), -1), train)
    similarity *= -1 / width
    np.exp(similarity, out=similarity)
    own, others = (np.diag(similarity), len(train) - 1) if same else (0.0, len(train))
    means: np.ndarray = (similarity.sum(axis=1) - own) / others
    return means


def _in_errors(values: np.ndarray) -> float:
    return float(values.mean() / max(float(values.std()) / np.sqrt(len(values)), 1e-9))


def is_of_another_kind(train: Sample, test: Sample) -> bool:
    """Whether nearly all test images look less like train than the strangest of train's own."""
    if min(len(train), len(test)) < FEWEST:
        return False
    among = train.kernel.among
    usual = (among.sum(axis=1) - np.diag(among)) / (len(train) - 1)
    seen = train.kernel.to(test.blocks).mean(axis=1)
    return bool((seen < np.quantile(usual, STRANGE_RANK)).mean() > STRANGE_SHARE)
