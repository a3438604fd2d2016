"""Spatial autocorrelation of a set of images: along rows and columns, across the edges, at every distance.

Correlations are taken over all images of a sample after the mean image is subtracted; those of whole rows and
columns after each image's mean of that line as well: a border of one value, another in each image (padding that was
standardized with it, a frame, exposure), says nothing. Where one side hardly varies there is no correlation, 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.evidence.median import median
from deep_mnist.doctor.evidence.sampling import sample_indices, take

DEAD = 0.02  # of the images' variance: below, a row or column of pixels says nothing
STREAM_PIXELS = 500_000  # at most, for the correlation at every distance
PATTERNS = 6  # a colour's three channels and a standardization's two
DOMINANT = 8.0  # times the next one's variance; the first pattern of digits has 3, a shade over flat colours 50
DISTANT_PAIRS = 20_000
CHUNK_EXAMPLES = 16  # whose spectra are held together
NEAREST = 4  # elements; correlation falls from distance 0 on, a row's length is a peak beyond
ROWS_BEYOND = 3  # rows up to which a peak is looked for
NEAR = 3  # lines on each side of an edge that are compared
FALLS = 0.3  # of the inner fall from the next line to the one after: what neighbours across an edge must have


class Edges(NamedTuple):
    """Correlations of neighbouring rows or columns of pixels.

    Attributes:
        inside: Usual correlation of two neighbours, the median over the image.
        seam: The least of them, 0 where one of both says nothing.
        at: Where: index of the row or column behind the seam, the middle of such a run.
        around: Of the last with the first; 0 unless it falls with distance as inside the image.
        carried: Likewise of the last column with the first one of the next row; 0 for rows.
    """

    inside: float
    seam: float
    at: int
    around: float
    carried: float


class Autocorrelation(NamedTuple):
    """Of one sample of images.

    Attributes:
        columns, rows: How neighbouring columns and rows of pixels go together.
        stride: Elements from a pixel to the one below as the shape says.
        peak: Distance at which elements of the stream correlate best, beyond the nearest.
        at_stride, at_peak: Correlations there.
        at_pixel: Correlation of a pixel with the next in its row.
    """

    columns: Edges
    rows: Edges
    stride: int
    peak: int
    at_stride: float
    at_peak: float
    at_pixel: float


def autocorrelation(images: np.ndarray, stream: np.ndarray, stride: int, total: float) -> Autocorrelation:
    """Return how pixels of images correlate with others of the same image.

    Args:
        images: float32 (n, rows, columns, channels).
        stream: float32 (n, elements), the same in the order of memory.
        stride: Elements of one row of pixels in it.
        total: Variance of the images, less their mean, before dominating patterns were taken away.
    """
    values = images - images.mean(axis=0)
    columns = np.moveaxis(values - values.mean(axis=1, keepdims=True), 2, 0)
    rows = np.moveaxis(values - values.mean(axis=2, keepdims=True), 1, 0)
    curve = at_distances(stream, ROWS_BEYOND * stride + 1)
    inner = curve[NEAREST:-1]
    tops = np.flatnonzero((inner >= curve[NEAREST - 1 : -2]) & (inner >= curve[NEAREST + 1 :])) + NEAREST
    peak = int(tops[curve[tops].argmax()]) if len(tops) else stride
    at_stride, at_peak = float(curve[stride]), float(curve[peak])
    at_pixel = float(curve[stride // images.shape[2]])
    return Autocorrelation(
        _edges(columns, total, carries=True), _edges(rows, total), stride, peak, at_stride, at_peak, at_pixel
    )


def _edges(lines: np.ndarray, total: float, *, carries: bool = False) -> Edges:
    """Return how lines (rows or columns first) go together; `carries` for columns, whose rows go on in the next."""
    all_pairs = _correlations(lines, lines, total)
    inside, next_but = all_pairs.diagonal(1).tolist(), all_pairs.diagonal(2).tolist()
    falls = [near - far for near, far in zip(inside, next_but, strict=False) if near and far]
    fall = FALLS * median(falls) if falls else 0.0
    around = _neighbours(lines[-NEAR:], lines[:NEAR], total, fall)
    carried = _neighbours(lines[-NEAR:, :, :-1], lines[:NEAR, :, 1:], total, fall) if carries else 0.0
    alive = [each for each in inside if each]
    least = min(inside[1:-1])  # the outermost lines of a disc hold little that goes with their neighbours
    lowest = [place + 1 for place, each in enumerate(inside[1:-1], 1) if each <= least + 0.02]
    return Edges(median(alive) if alive else 0.0, least, lowest[len(lowest) // 2], around, carried)


def _neighbours(last: np.ndarray, first: np.ndarray, total: float, fall: float) -> float:
    """Return the correlation of the last line with the first when all others there have less, by `fall`; else 0.

    A disc or a shade that is the same on both sides goes together at any distance.
    """
    pairs = _correlations(last, first, total)
    near = float(pairs[-1, 0])
    pairs[-1, 0] = -1.0
    return near if near - pairs.max() > fall else 0.0


def _correlations(ones: np.ndarray, others: np.ndarray, total: float) -> np.ndarray:
    """Return the correlation of each of some lines (on the first axis) with each of others, 0 where one is dead."""
    first = _centred(ones)
    second = first if others is ones else _centred(others)
    length = first.shape[1]
    powers = [np.einsum("ij,ij->i", lines, lines) / length for lines in (first, second)]
    alive = np.logical_and.outer(*(power >= DEAD * total for power in powers))
    scale = np.sqrt(np.multiply.outer(*powers))
    found: np.ndarray = np.where(alive, first @ second.T / (length * np.where(alive, scale, 1.0)), 0.0)
    return found


def _centred(lines: np.ndarray) -> np.ndarray:
    """Return lines (on the first axis) as rows less their mean."""
    rows = lines.reshape(len(lines), -1)
    centred: np.ndarray = rows - rows.mean(axis=1, keepdims=True)
    return centred


def without_patterns(stream: np.ndarray) -> np.ndarray:
    """Return examples (n, elements), n > PATTERNS, less their mean and the few patterns that vary far more than others.

    A shade, a disc or padding under another exposure or colour in each image is such a pattern: it goes together
    across any distance, neighbours or not. What else images show takes many, each not much less than the one before.
    """
    rest: np.ndarray = stream - stream.mean(axis=0)
    sizes, vectors = np.linalg.eigh(rest @ rest.T)
    patterns = vectors[:, -PATTERNS:][:, sizes[-PATTERNS:] > DOMINANT * sizes[-PATTERNS - 1]]
    if patterns.shape[1]:
        rest -= patterns @ (patterns.T @ rest)
    return rest


def correlation_at(flat: np.ndarray, distance: int) -> float:
    """Return the correlation of elements so far apart, over a sample of them."""
    starts = sample_indices(len(flat) - distance, DISTANT_PAIRS)
    one, other = (take(flat, at).astype(np.float64) for at in (starts, starts + distance))
    spread = one.std() * other.std()
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread > 0 else 0.0


def at_distances(stream: np.ndarray, most: int) -> np.ndarray:
    """Return the correlation of elements 0, 1, … most apart in the same example, over all examples."""
    rows = stream[: max(1, STREAM_PIXELS // stream.shape[1])]
    mean = stream.mean(axis=0)
    length, most = rows.shape[1], min(most, rows.shape[1] - 1)
    width = 1 << (length + most).bit_length()
    power = np.zeros(width // 2 + 1)
    for at in range(0, len(rows), CHUNK_EXAMPLES):
        spectrum = np.fft.rfft(rows[at : at + CHUNK_EXAMPLES] - mean, width)
        power += (np.square(spectrum.real) + np.square(spectrum.imag)).sum(axis=0)
    sums = np.fft.irfft(power, width)[: most + 1]
    correlations: np.ndarray = sums / (max(float(sums[0]), 1e-12) * (1 - np.arange(most + 1) / length))
    return correlations
