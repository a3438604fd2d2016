"""Impulse noise: elements of images that depart from all eight neighbours, which agree among themselves.

One pass in the images' own dtype, in chunks and threads: departures from the left and the right neighbour first, the
other six of those few that are left. Of a large set every second, third … chunk is looked at, so that it costs a pass
over `MOST_ELEMENTS` to twice as many, whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.survey import in_chunks

NEAR = 0.5  # of an element's departure: the widest range that its neighbours may span
MOST_ELEMENTS = 12_000_000  # looked at of a large set, to twice as many; MNIST's train split has 47 million
FEWEST = 4_000  # images that are looked at in any case
SAMPLE, MOST_SAMPLED = 100, 1_500_000  # images, elements that tell how many depart at all
MOST_CANDIDATES = 150_000  # looked at closely: 20 ms
RING = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
LEVELS = (12.0, 18.0, 28.0, 40.0, 56.0, 72.0, 96.0, 128.0, 160.0, 192.0)  # departures


@dataclass(frozen=True)
class Frame:
    """How an array holds images: n planes of rows, each a run of elements, a pixel's channels side by side.

    Attributes:
        rows: Of a plane.
        row, pixel: Elements from one row, one pixel of the same channel, to the next.
        planes: Of an example.
    """

    rows: int
    row: int
    pixel: int
    planes: int = 1

    @property
    def size(self) -> int:
        """Elements of an example."""
        return self.planes * self.rows * self.row

    def places(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column of elements."""
        row = at // self.row
        return row % self.rows, (at - row * self.row) // self.pixel


@dataclass(frozen=True)
class ImpulseNoise:
    """Elements that stand alone, arrays of one length.

    Attributes:
        index: int64, of the example.
        place: int64, of the element within it.
        value, low, high: float64, its own, and the least and greatest of its eight neighbours.
        pairs: float64, departures of two elements, one above the other, that stand apart together.
        least: Departure from which on all are here.
        looked: Images that were looked at.
    """

    index: np.ndarray
    place: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    pairs: np.ndarray
    least: float
    looked: int

    @property
    def departure(self) -> np.ndarray:
        departure: np.ndarray = np.maximum(self.value - self.high, self.low - self.value)
        return departure

    def beyond(self, departure: float, near: float = NEAR) -> ImpulseNoise:
        """Return those that depart further, `near` of it at most being the range that their neighbours span."""
        chosen = (self.departure > departure) & (self.high - self.low <= near * self.departure)
        index, place, value, low, high = (
            each[chosen] for each in (self.index, self.place, self.value, self.low, self.high)
        )
        return ImpulseNoise(index, place, value, low, high, self.pairs[self.pairs > departure], self.least, self.looked)

    def __len__(self) -> int:
        return len(self.index)


def find_impulse_noise(images: np.ndarray, frame: Frame) -> ImpulseNoise | None:
    """Return the elements that stand alone, None when so many depart that nothing can be said.

    Args:
        images: uint8 (n, …).
        frame: How they lie.
    """
    count = min(SAMPLE, max(1, MOST_SAMPLED // frame.size))
    some = take(images, sample_indices(len(images), count, seed=3)).reshape(-1)
    scratch = Scratch()
    departures = _departures(some, frame.pixel, scratch)
    every = max(1, min(images.size // MOST_ELEMENTS, len(images) // FEWEST))
    share = MOST_CANDIDATES * every / images.size
    least = next((each for each in LEVELS if np.count_nonzero(departures > each) <= share * some.size), None)
    if least is None:
        return None
    parts: list[tuple[np.ndarray, ...]] = []
    looked: list[int] = []

    def look(start: int, stop: int) -> None:
        part = _of_chunk(images[start:stop], frame, least, scratch)
        parts.append((part[0] + start, *part[1:]))
        looked.append(stop - start)

    in_chunks(images, look, every, most_workers=1)  # other checks run meanwhile
    index, place, value, low, high, pairs = (np.concatenate(each) for each in zip(*parts, strict=True))
    return ImpulseNoise(index, place, value, low, high, pairs, least, sum(looked))


class Scratch:
    """Memory that is used again for every chunk: new pages cost more than what is computed in them."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.uint8)

    def rows(self, count: int, length: int) -> np.ndarray:
        """Return uint8 (count, length) of no particular content."""
        if self._kept.size < count * length:
            self._kept = np.empty(count * length, np.uint8)
        return self._kept[: count * length].reshape(count, length)


def _departures(flat: np.ndarray, step: int, scratch: Scratch) -> np.ndarray:
    """Return how far each element but the first and last lies outside its left and right neighbour."""
    inner, left, right = flat[step:-step], flat[: -2 * step], flat[2 * step :]
    above, bound, least = scratch.rows(3, len(inner))
    np.maximum(left, right, out=bound)
    np.maximum(inner, bound, out=above)
    np.subtract(above, bound, out=above)
    np.minimum(left, right, out=bound)
    np.minimum(inner, bound, out=least)
    np.subtract(bound, least, out=bound)
    departure: np.ndarray = np.maximum(above, bound, out=above)
    return departure


def _of_chunk(chunk: np.ndarray, frame: Frame, least: float, scratch: Scratch) -> tuple[np.ndarray, ...]:
    flat = np.ascontiguousarray(chunk).reshape(-1)
    departs = _departures(flat, frame.pixel, scratch) > flat.dtype.type(least)
    at = np.flatnonzero(departs) + frame.pixel
    row, column = frame.places(at)
    below = at + (frame.row - frame.pixel)
    upper = at[(row < frame.rows - 1) & (below < len(departs)) & departs[np.minimum(below, len(departs) - 1)]]
    last = frame.row // frame.pixel - 1
    at, low, high = _alone(flat, at[(row > 0) & (row < frame.rows - 1) & (column > 0) & (column < last)], frame, least)
    found = (each.astype(np.float64) for each in (flat[at], low, high))
    return at // frame.size, at % frame.size, *found, _pairs(flat, upper, frame, least)


def _alone(flat: np.ndarray, at: np.ndarray, frame: Frame, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return those of inner elements that stand alone, and the least and greatest of their neighbours, int16."""
    low, high = np.full(len(at), 255, np.uint8), np.zeros(len(at), np.uint8)
    for corners in (False, True):  # most have gone before the corners are looked at
        for down, right in RING:
            if bool(down and right) is corners:
                values = flat[at + (down * frame.row + right * frame.pixel)]
                np.minimum(low, values, out=low)
                np.maximum(high, values, out=high)
        value = flat[at].astype(np.int16)
        alone = _apart(value, value, low.astype(np.int16), high.astype(np.int16), least) > 0
        at, low, high = at[alone], low[alone], high[alone]
    return at, low, high


def _pairs(flat: np.ndarray, upper: np.ndarray, frame: Frame, least: float) -> np.ndarray:
    """Return the departures of elements that stand apart together with the one below; edges are mirrored."""
    low, high = np.full(len(upper), 255, np.uint8), np.zeros(len(upper), np.uint8)
    apart = np.zeros(0, np.int16)
    for rows, columns in (((0, 1), (-1, 1)), ((-1, 2), (-1, 0, 1))):  # most have gone before the second is looked at
        row, column = frame.places(upper)
        for down in rows:
            at = upper + frame.row * _steps(frame.rows, down)[row]
            for right in columns:
                values = flat[at + frame.pixel * _steps(frame.row // frame.pixel, right)[column]]
                np.minimum(low, values, out=low)
                np.maximum(high, values, out=high)
        one, other = flat[upper].astype(np.int16), flat[upper + frame.row].astype(np.int16)
        ends = np.minimum(one, other), np.maximum(one, other), low.astype(np.int16), high.astype(np.int16)
        apart = _apart(*ends, least)
        kept = apart > 0
        upper, low, high, apart = upper[kept], low[kept], high[kept], apart[kept]
    return apart.astype(np.float64)


def _apart(least: np.ndarray, most: np.ndarray, low: np.ndarray, high: np.ndarray, departure: float) -> np.ndarray:
    """Return by how far values least..most lie outside low..high, all int16; 0 where not clearly."""
    apart = np.maximum(least - high, low - most)
    clearly: np.ndarray = np.where((apart > departure) & (high - low <= NEAR * apart), apart, 0)
    return clearly


def _steps(length: int, step: int) -> np.ndarray:
    """Return how far it is from each of 0..length-1 to the place `step` on, mirrored at the ends."""
    places = np.abs(np.arange(length) + step)
    steps: np.ndarray = np.where(places >= length, 2 * length - 2 - places, places) - np.arange(length)
    return steps
