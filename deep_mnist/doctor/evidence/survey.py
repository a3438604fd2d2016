"""One pass over a split's images: what every check on pixels needs, in constant memory.

Two threads read chunks of the memory map (numpy lets go of the interpreter's lock inside its loops)
and give the pages back, so that resident memory does not grow with the file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.hashes import KeptHashes, begin_with_zeros, hash_rows
from deep_mnist.doctor.evidence.sampling import CHUNK_BYTES, release

WORKERS = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
PIXEL_MEAN = 0.02  # float32 sums over a million examples stay a hundred times below
MOST_SQUARED, SQUARED_ROWS = 1 << 24, 8  # pixels that are all squared; beyond, of bytes, one row of so many
BYTE_ROWS, FEWEST_BYTES = 257, 64  # rows of bytes whose sum fits 16 bits; pixels a row from which that is faster
FEW_COLUMNS = 28  # that tell of most examples that they are not of one value
MAX_BAD = 64  # indices kept of the examples that are wrong


@dataclass
class Survey:
    """What one pass tells of a split's images; pixels that are not finite are left out of the sums.

    Attributes:
        count: Examples seen.
        pixels: Pixels an example.
        low, high: Least and greatest finite pixel.
        total, squares: Sums of finite pixels and of their squares; of many bytes, squares as a part of them tells.
        pixel_sums: float64 (pixels,), sums over the examples; empty of bytes, none of whose pixels has the mean 0.
        hashes: uint64 (kept,), of the examples' bytes: of all, or, of a large set, of those whose hash begins with
            `level` bits of zero (`KeptHashes`). So duplicates are kept or left out together, in both splits.
        kept_at: int64 (kept,), the examples that these are of, rising.
        not_finite: Examples with NaN or infinity; `bad` holds their first indices.
        constant: Examples with one value throughout; `blank` holds their first indices.
    """

    count: int = 0
    pixels: int = 0
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    squares: float = 0.0
    finite_pixels: int = 0
    pixel_sums: np.ndarray = field(default_factory=lambda: np.zeros(0))
    hashes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    kept_at: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    level: int = 0
    not_finite: int = 0
    bad: list[int] = field(default_factory=list)
    constant: int = 0
    blank: list[int] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return self.total / max(1, self.finite_pixels)

    @property
    def deviation(self) -> float:
        return float(np.sqrt(max(0.0, self.squares / max(1, self.finite_pixels) - self.mean**2)))

    @property
    def span(self) -> float:
        return max(0.0, self.high - self.low)

    @property
    def mean_image(self) -> np.ndarray:
        return self.pixel_sums / max(1, self.count - self.not_finite)

    def hashes_at(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes that begin with so many bits of zero, at least `self.level`, and whose they are."""
        kept = begin_with_zeros(self.hashes, level)
        return self.hashes[kept], self.kept_at[kept]

    def drop_hashes(self) -> None:
        """Forget them: they are what grows with the examples."""
        self.hashes, self.kept_at = np.zeros(0, np.uint64), np.zeros(0, np.int64)

    @property
    def standardized_by_pixel(self) -> bool:
        """Each pixel has mean 0 over the examples: a scaler for tables was used. Its values have no common range."""
        means = np.abs(self.mean_image)
        return bool(means.size) and self.low < 0 < self.deviation and float(means.max()) < PIXEL_MEAN * self.deviation


def survey(images: np.ndarray, most_workers: int = WORKERS) -> Survey:
    """Return the survey of real-valued images of any shape, examples on the first axis."""
    surveyor = Surveyor(len(images), images.shape[1:], images.dtype)
    surveyor.add(images, 0, most_workers)
    return surveyor.finish()


class Surveyor:
    """Surveys a split that comes in parts, in any order: the survey is that of the whole, however it is cut."""

    def __init__(self, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Begin a survey of `count` examples of one shape and dtype."""
        self._size = int(np.prod(shape, dtype=np.int64))
        self._whole = Survey(pixels=self._size, pixel_sums=np.zeros(0 if dtype == np.uint8 else self._size))
        self._kept = KeptHashes(count)
        self._lock, self._scratch = threading.Lock(), threading.local()
        self._every = 1 if count * self._size <= MOST_SQUARED else SQUARED_ROWS

    def add(self, images: np.ndarray, start: int, most_workers: int = WORKERS) -> None:
        """Look at consecutive examples, the first of them the split's example `start`."""

        def look(first: int, stop: int) -> None:
            part, hashes = _look(images[first:stop], self._scratch, self._every)
            with self._lock:
                _add(self._whole, part, start + first)
                self._kept.add(hashes, start + first)

        if self._size and len(images):
            in_chunks(images, look, most_workers=most_workers)

    def finish(self) -> Survey:
        """Return the survey of all that was added; nothing is added after it."""
        self._whole.hashes, self._whole.kept_at = self._kept.in_order()
        self._whole.level = self._kept.level if self._whole.count else 0
        return self._whole


def in_chunks(array: np.ndarray, look: Callable[[int, int], None], every: int = 1, most_workers: int = WORKERS) -> None:
    """Call look(start, stop) for consecutive ranges that cover the first axis, from up to two threads.

    The memory map's pages are given back after each range.

    Args:
        array: Examples on the first axis.
        look: May be called from both threads at once.
        every: 2 leaves out every second range, and so on.
        most_workers: Threads, this one among them; fewer of an array that is short.
    """
    pixels = max(1, int(np.prod(array.shape[1:], dtype=np.int64)))
    rows = max(1, CHUNK_BYTES // (4 * pixels))
    starts = iter(range(0, len(array), rows * every))
    lock = threading.Lock()
    failures: list[BaseException] = []
    workers = min(most_workers, WORKERS) if len(array) > rows else 1

    def work() -> None:
        try:
            while not failures:
                with lock:
                    start = next(starts, None)
                if start is None:
                    return
                stop = min(start + rows, len(array))
                look(start, stop)
                release(array, start, stop)
        except BaseException as error:  # carried to the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    release(array, 0, len(array))
    if failures:
        raise failures[0]


def _look(chunk: np.ndarray, scratch: threading.local, every: int) -> tuple[Survey, np.ndarray]:
    """Return the survey of a chunk and the hash of each of its examples.

    Args:
        chunk: Examples.
        scratch: Keeps this thread's memory.
        every: Of bytes, whose squares have a bound, 2 squares every second example, and so on.
    """
    rows = np.ascontiguousarray(chunk).reshape(len(chunk), -1)
    # Overflow is what is looked for: pixels that float32 cannot hold become infinite here as in training.
    with np.errstate(all="ignore"):
        if rows.dtype == np.uint8 and rows.shape[1] >= FEWEST_BYTES:
            return _summed_bytes(rows, every, scratch), hash_rows(rows)
        return _summed(_as_float32(rows, scratch)), hash_rows(rows)


def _summed_bytes(rows: np.ndarray, every: int, scratch: threading.local) -> Survey:
    """Return the survey of rows of bytes; the squares of every nth stand for all."""
    part = Survey(count=len(rows), pixels=rows.shape[1])
    part.low, part.high = float(rows.min()), float(rows.max())
    flat = _constant_rows(rows)
    part.constant, part.blank = len(flat), flat[:MAX_BAD].tolist()
    for start in range(0, len(rows), BYTE_ROWS):
        part.total += float(np.add.reduce(rows[start : start + BYTE_ROWS], axis=0, dtype=np.uint16).sum())
    some = rows[::every]
    for start in range(0, part.pixels, CHUNK_BYTES // 4):  # of a chunk that is one large image
        values = _as_float32(some[:, start : start + CHUNK_BYTES // 4], scratch).reshape(-1)
        part.squares += float(np.dot(values, values)) * len(rows) / len(some)
    part.finite_pixels = rows.size
    return part


def _as_float32(rows: np.ndarray, scratch: threading.local) -> np.ndarray:
    if rows.dtype == np.float32:
        return rows
    kept: np.ndarray | None = getattr(scratch, "values", None)
    if kept is None or kept.size < rows.size:  # new memory costs as much as the conversion
        kept = scratch.values = np.empty(rows.size, np.float32)
    values = kept[: rows.size].reshape(rows.shape)
    np.copyto(values, rows, casting="unsafe")
    return values


def _summed(values: np.ndarray) -> Survey:
    """Return the survey of rows as float32."""
    part = Survey(count=len(values), pixels=values.shape[1])
    squares = float(np.dot(values.reshape(-1), values.reshape(-1)))
    places = None
    if not np.isfinite(squares):  # seldom: NaN, infinity, or pixels beyond 1e16
        values, squares, places = _finite_rows(values, part)
    if not len(values):
        part.pixel_sums = np.zeros(part.pixels)
        return part
    part.low, part.high = float(values.min()), float(values.max())
    flat = _constant_rows(values)
    part.constant, part.blank = len(flat), (flat if places is None else places[flat])[:MAX_BAD].tolist()
    part.pixel_sums = np.ones(len(values), np.float32) @ values
    part.total, part.squares = float(part.pixel_sums.sum(dtype=np.float64)), squares
    part.finite_pixels = values.size
    return part


def _constant_rows(values: np.ndarray) -> np.ndarray:
    """Return the indices of rows of one value; a few columns tell of nearly all others that they are none."""
    few = values[:, :: values.shape[1] // FEW_COLUMNS | 1]  # odd: along a diagonal, not down one column of the image
    likely = np.flatnonzero((few == few[:, :1]).all(axis=1))
    some = values if len(likely) == len(values) else values[likely]  # a chunk of blank images is not copied
    constant: np.ndarray = likely[some.min(axis=1) == some.max(axis=1)]
    return constant


def _finite_rows(values: np.ndarray, part: Survey) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the rows without NaN and infinity, the sum of their squares, and their indices."""
    fine = np.isfinite(values).all(axis=1)
    bad = np.flatnonzero(~fine)
    part.not_finite, part.bad = len(bad), bad[:MAX_BAD].tolist()
    values = values[fine]
    return values, float(np.square(values, dtype=np.float64).sum()), np.flatnonzero(fine)


def _add(whole: Survey, part: Survey, start: int) -> None:
    whole.count += part.count
    whole.low, whole.high = min(whole.low, part.low), max(whole.high, part.high)
    whole.total += part.total
    whole.squares += part.squares
    whole.finite_pixels += part.finite_pixels
    if whole.pixel_sums.size:
        whole.pixel_sums += part.pixel_sums
    whole.not_finite += part.not_finite
    whole.constant += part.constant
    for kept, found in ((whole.bad, part.bad), (whole.blank, part.blank)):
        if found:
            kept[:] = sorted([*kept, *(start + index for index in found)])[:MAX_BAD]
