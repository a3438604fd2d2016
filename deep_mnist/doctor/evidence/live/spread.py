"""How a sample of images is spread: within each image, between images, and how many are one value throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FLAT_SHARE = 0.05  # of the usual spread within an image: below, it is one value throughout
LOST_WITHIN = 0.35  # of the spread within an image: less has nothing left of it
LOST_IMAGES = 0.2  # share of images that became one value throughout
MOVED = 1.5  # deviations by which the usual image is brighter or darker
DROWNED = 4.0  # times: how much more the images' means vary, measured by what varies within them


@dataclass(frozen=True)
class SampleSpread:
    """Of images (n, …).

    Attributes:
        low, high: Of all values.
        level: float64 (n,), mean of each image.
        within: float64 (n,), deviation within each image.
        between: Root mean square, over the places, of the deviation from image to image.
    """

    low: float
    high: float
    level: np.ndarray
    within: np.ndarray
    between: float

    @property
    def usual(self) -> float:
        """The usual spread within an image."""
        return float(np.median(self.within))

    @property
    def size(self) -> float:
        """Root mean square of all values."""
        return float(np.sqrt(np.mean(np.square(self.level) + np.square(self.within))))


def spread_of(images: np.ndarray) -> SampleSpread | None:
    """Return the spread of finite images, None of others."""
    if not np.ndim(images):  # one number for all
        return None
    rows = np.asarray(images, np.float64).reshape(len(images), -1) if len(images) else np.zeros((0, 0))
    if rows.shape[1] < 2 or len(rows) < 2 or not np.isfinite(rows).all():
        return None
    between = float(np.sqrt(rows.var(axis=0).mean()))
    return SampleSpread(float(rows.min()), float(rows.max()), rows.mean(axis=1), rows.std(axis=1), between)


def loss_between(before: SampleSpread, after: SampleSpread) -> str:
    """Return in words what an augmentation, which should leave images recognizable, did to them; "" if it did not."""
    if before.usual <= 0:
        return ""
    flat = after.within < FLAT_SHARE * before.usual
    were = before.within < FLAT_SHARE * before.usual
    lost = float(flat.mean() - were.mean())
    if lost > LOST_IMAGES:
        return f"{flat.mean():.0%} of the images are one value throughout behind it"
    if after.usual < LOST_WITHIN * before.usual:
        return f"the deviation within an image falls from {before.usual:.3g} to {after.usual:.3g}"
    width = float(np.hypot(before.usual, before.level.std()))
    moved = float(np.median(np.abs(after.level - before.level)))
    if moved > MOVED * width:
        return f"images move by {moved:.3g} on the median, {moved / width:.1f} times what they deviate"
    return ""


def drowned(before: SampleSpread, after: SampleSpread) -> str:
    """Return in words what a map, which may scale too, took from the images; "" if they are recognizable still."""
    width = after.high - after.low
    were_flat = before.within < FLAT_SHARE * (before.high - before.low)
    flat = float((after.within < FLAT_SHARE * width).mean() - were_flat.mean())
    if width <= 0 or before.usual <= 0:
        return "" if before.usual <= 0 else "all values are one"
    if flat > LOST_IMAGES and float((after.within <= 1e-3 * width).mean()) > LOST_IMAGES:
        return f"{flat:.0%} of the images are one value throughout"
    were = float(before.level.std()) / before.usual
    are = float(after.level.std()) / after.usual if after.usual > 0 else np.inf
    if are > DROWNED * max(were, 1 / DROWNED):
        return f"their brightness varies {are:.0f} times as much as what they show"
    return ""
