"""How neighbouring pixels of a set of pictures cohere: along rows and columns, across the edges, at every distance.

Correlations are taken over all pictures of a sample after the mean picture is subtracted; where one side hardly varies
(the black border of digits) there is none, 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEAD = 0.02  # of the pictures' variance: below, a row or column of pixels says nothing
STREAM_PIXELS = 500_000  # at most, for the correlation at every distance
NEAREST = 4  # elements; correlation falls from distance 0 on, a row's length is a peak beyond
ROWS_BEYOND = 3  # rows up to which a peak is looked for


@dataclass(frozen=True)
class Edges:
    """Correlations of neighbouring rows or columns of pixels.

    Attributes:
        inside: Usual correlation of two neighbours, the median over the picture.
        seam: The least of them, 0 where one of both says nothing.
        at: Where: index of the row or column behind the seam, the middle of several.
        around: Of the last with the first.
        carried: Of the last column with the first one of the next row; 0 for rows.
    """

    inside: float
    seam: float
    at: int
    around: float
    carried: float


@dataclass(frozen=True)
class Coherence:
    """Of one sample of pictures.

    Attributes:
        columns, rows: How neighbouring columns and rows of pixels go together.
        stride: Elements from a pixel to the one below as the shape says.
        peak: Distance at which elements of the stream cohere best, beyond the nearest.
        at_stride, at_peak: Correlations there.
    """

    columns: Edges
    rows: Edges
    stride: int
    peak: int
    at_stride: float
    at_peak: float


def coherence(pictures: np.ndarray, stream: np.ndarray, stride: int) -> Coherence:
    """Return how pictures cohere.

    Args:
        pictures: float32 (n, rows, columns, channels).
        stream: float32 (n, elements), the same in the order of memory.
        stride: Elements of one row of pixels in it.
    """
    values = pictures - pictures.mean(axis=0)
    total = float(np.square(values).mean()) or 1.0
    across = [_correlation(values[:, :, c - 1], values[:, :, c], total) for c in range(1, values.shape[2])]
    down = [_correlation(values[:, r - 1], values[:, r], total) for r in range(1, values.shape[1])]
    carried = _correlation(values[:, :-1, -1], values[:, 1:, 0], total)
    columns = _edges(across, _correlation(values[:, :, -1], values[:, :, 0], total), carried)
    rows = _edges(down, _correlation(values[:, -1], values[:, 0], total), 0.0)
    curve = at_distances(stream, ROWS_BEYOND * stride + 1)
    inner = curve[NEAREST:-1]
    tops = np.flatnonzero((inner >= curve[NEAREST - 1 : -2]) & (inner >= curve[NEAREST + 1 :])) + NEAREST
    peak = int(tops[curve[tops].argmax()]) if len(tops) else stride
    return Coherence(columns, rows, stride, peak, float(curve[stride]), float(curve[peak]))


def _edges(inside: list[float], around: float, carried: float) -> Edges:
    alive = [each for each in inside if each]
    least = min(inside)
    lowest = [place + 1 for place, each in enumerate(inside) if each <= least + 0.02]
    return Edges(float(np.median(alive)) if alive else 0.0, least, lowest[len(lowest) // 2], around, carried)


def _correlation(one: np.ndarray, other: np.ndarray, total: float) -> float:
    one, other = one - one.mean(), other - other.mean()
    first, second = float(np.square(one).mean()), float(np.square(other).mean())
    if min(first, second) < DEAD * total:
        return 0.0
    return float((one * other).mean() / np.sqrt(first * second))


def at_distances(stream: np.ndarray, most: int) -> np.ndarray:
    """Return the correlation of elements 0, 1, … most apart in the same example, over all examples."""
    rows = stream[: max(1, STREAM_PIXELS // stream.shape[1])]
    rows = rows - stream.mean(axis=0)
    length, most = rows.shape[1], min(most, rows.shape[1] - 1)
    width = 1 << (length + most).bit_length()
    spectrum = np.fft.rfft(rows, width)
    sums = np.fft.irfft((spectrum * spectrum.conj()).real.sum(axis=0), width)[: most + 1]
    return sums / (max(float(sums[0]), 1e-12) * (1 - np.arange(most + 1) / length))
