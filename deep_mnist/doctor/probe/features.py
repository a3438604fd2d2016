"""What a cheap classifier sees of images: pooled pixels, directions of edges, tones and colours.

Three blocks, each with a Gaussian kernel of its own width, averaged: no block has to suit every kind of image.
Pixels tell digits and clothes, directions of edges (HOG) objects in photos, tones and colours scenes and textures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deep_mnist.doctor.evidence.median import median

MOST_SIDE = 32  # pixels a side that images are reduced to before anything else
PIXEL_SIDE, TONE_SIDE = 14, 4  # pixels a side of the pooled images in the first and the third block
DIRECTIONS, CELL_SIDE = 8, 7  # bins of the edges' direction (of 180 degrees), cells a side
CHUNK_PIXELS = 1 << 17  # whose features are found together
FEW_SUMS = 25  # pixels of a block
TONES, TONE_REACH = 8, 2.5  # bins of a channel's histogram, over mean ± reach deviations


@dataclass
class Blocks:
    """Features of images, each float32 (n, k)."""

    pixels: np.ndarray
    edges: np.ndarray
    tones: np.ndarray

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.pixels, self.edges, self.tones))

    def __getitem__(self, chosen: np.ndarray) -> Blocks:
        return Blocks(*(block[chosen] for block in self))


def pooled(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return means over blocks of rows x columns pixels, cut from the middle; (n, r, c, channels) stays of rank 4."""
    if rows == columns == 1:
        return images
    count, height, width, channels = images.shape
    top, left = height % rows // 2, width % columns // 2
    bottom, right = top + height // rows * rows, left + width // columns * columns
    if rows * columns > FEW_SUMS:
        cut = images[:, top:bottom, left:right]
        blocks = cut.reshape(count, height // rows, rows, width // columns, columns, channels)
        means: np.ndarray = blocks.mean(axis=(2, 4))
        return means
    sums = np.zeros((count, height // rows, width // columns, channels), images.dtype)
    for down in range(rows):  # of a few pixels numpy's mean over two axes takes five times as long
        for across in range(columns):
            sums += images[:, top + down : bottom : rows, left + across : right : columns]
    sums /= rows * columns
    return sums


def to_side(images: np.ndarray, side: int) -> np.ndarray:
    """Return images pooled to about `side` pixels a side; those that were, as they are."""
    return pooled(images, *(max(1, round(length / side)) for length in images.shape[1:3]))


def blocks_of(images: np.ndarray, mean: float, deviation: float) -> Blocks:
    """Return the features of images float32 (n, rows, columns, channels) on a scale of this mean and deviation."""
    size = max(1, CHUNK_PIXELS // max(1, images[:1].size))
    parts = [_blocks_of_some(images[at : at + size], mean, deviation) for at in range(0, max(1, len(images)), size)]
    return Blocks(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _blocks_of_some(images: np.ndarray, mean: float, deviation: float) -> Blocks:
    values = (images - np.float32(mean)) / np.float32(deviation or 1.0)
    gray = values.mean(axis=3, keepdims=True) if values.shape[3] > 1 else values
    pixels = to_side(gray, PIXEL_SIDE).reshape(len(gray), -1)
    return Blocks(pixels, _edges(gray[..., 0]), _tones(values))


def _edges(gray: np.ndarray) -> np.ndarray:
    """Histograms of the edges' direction, one for each cell: float32 (n, cells * DIRECTIONS), rows of length 1."""
    across = gray[:, 1:-1, 2:] - gray[:, 1:-1, :-2]
    down = gray[:, 2:, 1:-1] - gray[:, :-2, 1:-1]
    strength = np.sqrt(across * across + down * down)
    cells: np.ndarray = np.sqrt(_by_cell_and_direction(strength, _directions(across, down)))
    cells /= np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-6)
    return cells


def _directions(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Return int8: the bin of each edge's direction, the first on both sides of horizontal; quicker than arctan2."""
    bins, up = np.zeros(across.shape, np.int8), np.abs(down)
    for edge in np.arange(1, DIRECTIONS) * (np.pi / DIRECTIONS):
        bins += up * np.float32(np.cos(edge)) >= across * np.float32(np.sin(edge))
    np.subtract(DIRECTIONS, bins, out=bins, where=(down < 0) & (bins > 0))
    bins[down == 0] = 0
    return bins


def _by_cell_and_direction(strength: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Mean strength of the edges of each direction in each cell of about CELL_SIDE a side, float32 (n, cells * D)."""
    count, height, width = strength.shape
    rows, columns = (max(1, round(length / CELL_SIDE)) for length in (height, width))
    top, left, down, across = height % rows // 2, width % columns // 2, height // rows, width // columns
    chosen = np.s_[:, top : top + down * rows, left : left + across * columns]
    cell = (np.arange(down * rows) // rows)[:, None] * across + np.arange(across * columns) // columns
    place = (np.arange(count)[:, None, None] * (down * across) + cell) * DIRECTIONS + direction[chosen]
    sums = np.bincount(
        place.reshape(-1), weights=strength[chosen].reshape(-1), minlength=count * down * across * DIRECTIONS
    )
    means: np.ndarray = (sums / (rows * columns)).astype(np.float32)
    return means.reshape(count, -1)


def _tones(values: np.ndarray) -> np.ndarray:
    """Histogram of each channel and coarse colours: float32 (n, channels * (TONES + cells))."""
    count, channels = len(values), values.shape[3]
    scaled = values * np.float32(TONES / (2 * TONE_REACH))
    scaled += np.float32(TONES / 2)
    place = np.clip(scaled, 0, TONES - 1, out=scaled).astype(np.intp)
    place += TONES * np.arange(channels) + TONES * channels * np.arange(count)[:, None, None, None]
    histogram = np.bincount(place.reshape(-1), minlength=count * channels * TONES).reshape(count, -1)
    shares = np.sqrt(histogram / (values[0].size / channels)).astype(np.float32)
    return np.concatenate([shares, to_side(values, TONE_SIDE).reshape(count, -1)], axis=1)


@dataclass
class Kernel:
    """The similarity of two images, 0..1: the mean of the blocks' Gaussians.

    Attributes:
        blocks: Of the images that it was made from.
        widths: Of the Gaussians: the median squared distance among them, of every second to all.
        among: float32 (n, n), those images' similarity to one another.
    """

    blocks: Blocks
    widths: tuple[float, ...]
    among: np.ndarray

    @classmethod
    def of(cls, blocks: Blocks) -> Kernel:
        squares = [distances(block, block) for block in blocks]
        widths = tuple(median(each[::2]) or 1.0 for each in squares)  # half of the pairs
        return cls(blocks, widths, _similarity(squares, widths))

    def to(self, others: Blocks) -> np.ndarray:
        """Return float32 (m, n): the similarity of other images to these."""
        squares = [distances(other, block) for other, block in zip(others, self.blocks, strict=True)]
        return _similarity(squares, self.widths)


def _similarity(squares: list[np.ndarray], widths: tuple[float, ...]) -> np.ndarray:
    total: np.ndarray = np.zeros_like(squares[0])
    for each, width in zip(squares, widths, strict=True):
        scaled = each * (-1 / width)
        total += np.exp(scaled, out=scaled)
    total /= len(squares)
    return total


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return squared distances float32 (n, m) of rows."""
    squares: np.ndarray = (-2 * one) @ other.T
    squares += np.einsum("ij,ij->i", one, one)[:, None]  # in place: a new matrix costs more than the sum
    squares += np.einsum("ij,ij->i", other, other)
    np.maximum(squares, 0, out=squares)
    return squares
