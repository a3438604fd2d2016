"""Check of pixels that lie orders of magnitude beyond all others of their set: bytes of floats that were corrupted.

Reported only of floats, where a few pixels hold nearly all of the set's variance and every other image stays a thousand
times below them; a wrong byte that leaves a value within the set's range cannot be known from the values, nor is it
judged.

False alarms: none in 303 healthy draws of 60 to 2,000 images of each of bench/healthy.py's eleven kinds (a third each
in 0..1, standardized by pixel and by image).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.survey import Survey, in_chunks
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import IMAGES, Need, Rule, Scope, check

BEYOND = 1000.0  # times the greatest magnitude of all other images
MOST_IMAGES = 0.02  # of them may hold such pixels, or one; more are another scale
MOST_PEAKS = 1 << 20  # images that tell what is usual
MOST_PIXELS = 100  # that may hold nearly all of the variance

CORRUPTED = Rule(
    code="I110",
    name="images-with-corrupted-pixels",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="A few pixels lie orders of magnitude beyond all others: bytes of floats that were overwritten.",
    why="One such pixel makes the loss and all gradients explode, and every statistic of the set wrong.",
)


@check(CORRUPTED)
def check_outliers(case: Case, split: Split) -> Iterator[Finding]:  # noqa: ARG001
    """Yield at most one finding on images with pixels far beyond all others of their split."""
    images, seen = split.images, split.survey
    if images is None or seen is None or images.dtype.kind != "f":
        return
    if not _is_suspect(seen):
        return
    every = -(-len(images) // MOST_PEAKS)
    peaks = _peaks(images, every)
    most = max(1, int(MOST_IMAGES * len(peaks)))
    usual = float(np.partition(peaks, -most - 1)[-most - 1]) if len(peaks) > most else 0.0
    if usual > 0:
        beyond = _beyond(images, BEYOND * usual)
        if 0 < beyond.count <= max(1, MOST_IMAGES * len(images)):
            yield _corrupted(split, images, beyond)


def _is_suspect(seen: Survey) -> bool:
    """A few pixels hold nearly all of the variance, as the one pass over all of them tells."""
    peak = max(abs(seen.low), abs(seen.high))
    return seen.finite_pixels > MOST_PIXELS and peak > seen.deviation * (seen.finite_pixels / MOST_PIXELS) ** 0.5


@dataclass
class Beyond:
    """Images with pixels beyond a bound: their number, the first indices, and the greatest magnitude of the others."""

    count: int = 0
    where: list[int] = field(default_factory=list)
    usual: float = 0.0


def _beyond(images: np.ndarray, bound: float) -> Beyond:
    found, lock = Beyond(), threading.Lock()

    def look(start: int, stop: int) -> None:
        peaks = _peaks_of(images[start:stop])
        wrong = np.flatnonzero(peaks > bound)
        with lock:
            found.count += len(wrong)
            found.where = sorted([*found.where, *(start + wrong[:MAX_WHERE]).tolist()])[:MAX_WHERE]
            found.usual = max(found.usual, float(np.where(peaks > bound, 0, peaks).max()))

    in_chunks(images, look)
    return found


def _peaks(images: np.ndarray, every: int) -> np.ndarray:
    """Return the greatest finite magnitude in every first, second … image, float64."""
    peaks = np.zeros(-(-len(images) // every))

    def look(start: int, stop: int) -> None:
        first = -start % every  # of the chunk, that counts
        peaks[-(-start // every) : -(-stop // every)] = _peaks_of(images[start + first : stop : every])

    in_chunks(images, look)
    return peaks


def _peaks_of(images: np.ndarray) -> np.ndarray:
    rows = np.abs(images.reshape(len(images), -1))
    peaks: np.ndarray = np.where(np.isfinite(rows), rows, 0).max(axis=1).astype(np.float64)
    return peaks


def _corrupted(split: Split, images: np.ndarray, beyond: Beyond) -> Finding:
    first, usual, name, labels = beyond.where[0], beyond.usual, f"{split.name}_images", f"{split.name}_labels"
    magnitudes = np.nan_to_num(np.abs(np.asarray(images[first], np.float64)), posinf=0.0)
    place = tuple(int(each) for each in np.unravel_index(int(magnitudes.argmax()), magnitudes.shape))
    return CORRUPTED.found(
        split.name,
        expected=f"pixels within the range of all other images, at most {usual:.4g} in magnitude",
        received=f"{images[first][place]:.4g} at {place} of image {first}; {beyond.count} of {len(images)} images "
        f"hold pixels more than {BEYOND:g} times beyond: corrupted bytes",
        fix=f"keep = np.abs({name}).reshape(len({name}), -1).max(1) <= {usual * 2!r}; "
        f"{name}, {labels} = {name}[keep], {labels}[keep]  # or read the file again from its source",
        where=tuple(beyond.where),
    )
