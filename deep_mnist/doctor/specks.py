"""Elements of images that stand alone: they depart from all eight neighbours, which agree among themselves.

One pass in the images' own dtype, in chunks and threads: departures from the left and the right neighbour first, the
other six of those few that are left. Of a large set every second, third … chunk is looked at, so that it costs a pass
over `MOST_ELEMENTS` to twice as many, whatever its size.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from deep_mnist.doctor.survey import in_chunks, sample_indices, take

NEAR = 0.5  # of an element's departure: the widest range that its neighbours may span
MOST_ELEMENTS = 12_000_000  # looked at of a large set, to twice as many; MNIST's train split has 47 million
FEWEST = 4_000  # images that are looked at in any case
SAMPLE = 100  # images that tell how many elements depart at all
MOST_CANDIDATES = 150_000  # looked at closely: 20 ms
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


@dataclass(frozen=True)
class Specks:
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

    def beyond(self, departure: float, near: float = NEAR) -> Specks:
        """Return those that depart further, `near` of it at most being the range that their neighbours span."""
        chosen = (self.departure > departure) & (self.high - self.low <= near * self.departure)
        index, place, value, low, high = (
            each[chosen] for each in (self.index, self.place, self.value, self.low, self.high)
        )
        return Specks(index, place, value, low, high, self.pairs[self.pairs > departure], self.least, self.looked)

    def __len__(self) -> int:
        return len(self.index)


def find_specks(images: np.ndarray, frame: Frame) -> Specks | None:
    """Return the elements that stand alone, None when so many depart that nothing can be said.

    Args:
        images: uint8 (n, …).
        frame: How they lie.
    """
    some = take(images, sample_indices(len(images), SAMPLE, seed=3)).reshape(-1)
    departures = _beside(some, frame.pixel)
    every = max(1, min(images.size // MOST_ELEMENTS, len(images) // FEWEST))
    share = MOST_CANDIDATES * every / images.size
    least = next((each for each in LEVELS if np.count_nonzero(departures > each) <= share * some.size), None)
    if least is None:
        return None
    parts: list[tuple[np.ndarray, ...]] = []
    looked: list[int] = []
    lock = threading.Lock()

    def look(start: int, stop: int) -> None:
        part = _of_chunk(images[start:stop], frame, least)
        with lock:
            parts.append((part[0] + start, *part[1:]))
            looked.append(stop - start)

    in_chunks(images, look, every)
    order = np.argsort(joined := np.concatenate([each[0] for each in parts]), kind="stable")
    place, value, low, high, pairs = (np.concatenate([each[column] for each in parts]) for column in range(1, 6))
    return Specks(joined[order], place[order], value[order], low[order], high[order], pairs, least, sum(looked))


def _beside(flat: np.ndarray, step: int) -> np.ndarray:
    """Return how far each element but the first and last lies outside its left and right neighbour."""
    inner, left, right = flat[step:-step], flat[: -2 * step], flat[2 * step :]
    bound = np.maximum(left, right)
    above = np.maximum(inner, bound)
    np.subtract(above, bound, out=above)
    np.minimum(left, right, out=bound)
    np.subtract(bound, np.minimum(inner, bound), out=bound)
    departure: np.ndarray = np.maximum(above, bound, out=above)
    return departure


def _of_chunk(chunk: np.ndarray, frame: Frame, least: float) -> tuple[np.ndarray, ...]:
    flat = np.ascontiguousarray(chunk).reshape(-1)
    with np.errstate(all="ignore"):
        at = np.flatnonzero(_beside(flat, frame.pixel) > flat.dtype.type(least)) + frame.pixel
        near = _around(flat, at, frame, ((0, 0),))
        value, low, high = flat[at].astype(np.float64), near.min(axis=0), near.max(axis=0)
        alone = _apart(value, value, low, high, least) > 0
        pairs = _pairs(flat, at, frame, least)
    row, column = at // frame.row % frame.rows, at % frame.row // frame.pixel
    alone &= (row > 0) & (row < frame.rows - 1) & (column > 0) & (column < frame.row // frame.pixel - 1)
    at = at[alone]
    return at // frame.size, at % frame.size, value[alone], low[alone], high[alone], pairs


def _pairs(flat: np.ndarray, at: np.ndarray, frame: Frame, least: float) -> np.ndarray:
    """Return the departures of elements that depart together with the one below."""
    upper = at[np.isin(at + frame.row, at, assume_unique=True) & ((at // frame.row) % frame.rows < frame.rows - 1)]
    ring = _around(flat, upper, frame, ((0, 0), (1, 0)))
    one, other = flat[upper].astype(np.float64), flat[upper + frame.row].astype(np.float64)
    apart: np.ndarray = _apart(
        np.minimum(one, other), np.maximum(one, other), ring.min(axis=0), ring.max(axis=0), least
    )
    clearly: np.ndarray = apart[apart > 0]
    return clearly


def _apart(least: np.ndarray, most: np.ndarray, low: np.ndarray, high: np.ndarray, departure: float) -> np.ndarray:
    """Return by how far values least..most lie outside low..high; 0 where not clearly."""
    apart = np.maximum(least - high, low - most)
    clearly: np.ndarray = np.where((apart > departure) & (high - low <= NEAR * apart), apart, 0.0)
    return clearly


def _around(flat: np.ndarray, at: np.ndarray, frame: Frame, cells: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Return the values around elements and those below them, float64 (neighbours, k); edges are mirrored."""
    rows, columns = frame.rows, frame.row // frame.pixel
    row, rest = at // frame.row % frame.rows, at % frame.row
    column = rest // frame.pixel
    base = at - row * frame.row - column * frame.pixel
    ring = {(down + i, right + j) for down, right in cells for i in (-1, 0, 1) for j in (-1, 0, 1)} - set(cells)
    found = np.empty((len(ring), len(at)))
    for slot, (down, right) in enumerate(sorted(ring)):
        there = base + _mirrored(row + down, rows) * frame.row + _mirrored(column + right, columns) * frame.pixel
        found[slot] = flat[there]
    return found


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    places = np.abs(places)
    return np.where(places >= length, 2 * length - 2 - places, places)
