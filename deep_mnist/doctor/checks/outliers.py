"""Check of pixels that lie orders of magnitude beyond all others of their set: bytes of floats that were corrupted.

Reported only of floats, where a few pixels hold nearly all of the set's variance and every other image stays a thousand
times below them; a wrong byte that leaves a value within the set's range cannot be known from the values, nor is it
judged.

False alarms: none in 303 healthy draws of 60 to 2,000 images of each of bench/healthy.py's eleven kinds (a third each
in 0..1, standardized by pixel and by image).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.survey import Survey, in_chunks

BEYOND = 1000.0  # times the greatest magnitude of all other images
MOST_IMAGES = 0.02  # of them may hold such pixels, or one; more are another scale
MOST_PIXELS = 100  # that may hold nearly all of the variance


def check_outliers(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on images with pixels far beyond all others of their split."""
    images, seen = split.images, split.survey
    if images is None or seen is None or images.dtype.kind != "f" or not case.input_kind.shows_images:
        return
    if not _is_suspect(seen):
        return
    peaks = _peaks(images)
    order = np.argsort(peaks)
    most = max(1, int(MOST_IMAGES * len(peaks)))
    usual = float(peaks[order[-most - 1]]) if len(peaks) > most else 0.0
    beyond = np.flatnonzero(peaks > BEYOND * usual)
    if usual > 0 and len(beyond):
        yield _corrupted(split, images, beyond, float(np.delete(peaks, beyond).max()))


def _is_suspect(seen: Survey) -> bool:
    """A few pixels hold nearly all of the variance, as the one pass over all of them tells."""
    peak = max(abs(seen.low), abs(seen.high))
    return seen.finite_pixels > MOST_PIXELS and peak > seen.deviation * (seen.finite_pixels / MOST_PIXELS) ** 0.5


def _peaks(images: np.ndarray) -> np.ndarray:
    """Return the greatest finite magnitude in each image, float64 (n,)."""
    peaks = np.zeros(len(images))

    def look(start: int, stop: int) -> None:
        rows = np.abs(images[start:stop].reshape(stop - start, -1))
        peaks[start:stop] = np.where(np.isfinite(rows), rows, 0).max(axis=1)

    in_chunks(images, look)
    return peaks


def _corrupted(split: Split, images: np.ndarray, beyond: np.ndarray, usual: float) -> Finding:
    first, name, labels = int(beyond[0]), f"{split.name}_images", f"{split.name}_labels"
    magnitudes = np.nan_to_num(np.abs(np.asarray(images[first], np.float64)), posinf=0.0)
    place = tuple(int(each) for each in np.unravel_index(int(magnitudes.argmax()), magnitudes.shape))
    return Finding(
        field="images.range",
        severity="error",
        split=split.name,
        expected=f"pixels within the range of all other images, at most {usual:.4g} in magnitude",
        received=f"{images[first][place]:.4g} at {place} of image {first}; {len(beyond)} of {len(images)} images "
        f"hold pixels more than {BEYOND:g} times beyond: corrupted bytes",
        fix=f"keep = np.abs({name}).reshape(len({name}), -1).max(1) <= {usual * 2!r}; "
        f"{name}, {labels} = {name}[keep], {labels}[keep]  # or read the file again from its source",
        why="One such pixel makes the loss and all gradients explode, and every statistic of the set wrong.",
        where=tuple(beyond[:MAX_WHERE].tolist()),
        kind=FaultKind.CORRUPTED,
    )
