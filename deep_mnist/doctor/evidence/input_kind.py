"""What the inputs are: images, flattened images, sequences, feature columns, or something unknown.

The network's first layer decides where it can (a convolution over two axes reads images, an Embedding tokens);
else the data: neighbouring pixels of images correlate in both directions, columns of a table in neither.
Checks that speak of images, pixels or orientation ask `InputKind.shows_images` first.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.evidence.sampling import sample_indices, take

SAMPLE = 200  # examples looked at
SMALLEST_SIDE = 8  # pixels; scikit-learn's digits are 8 x 8
MOST_CHANNELS = 4
CORRELATED = 0.25  # correlation of neighbouring pixels over the examples; MNIST 0.6, photos 0.9, columns below 0.1
CLEARLY_NEAR = 0.1  # by which neighbours correlate more than pixels half an image apart
LEVELS = 30  # distinct values that make a byte's scale; counts and flags have fewer
READS_IMAGES = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D", "ConvLSTM2D")
READS_TOKENS = ("Embedding", "TokenAndPositionEmbedding", "StringLookup", "TextVectorization")


class InputKind(StrEnum):
    """What one example is."""

    IMAGES = "images"
    FLAT_IMAGES = "flattened images"
    SEQUENCES = "sequences"
    COLUMNS = "feature columns"
    UNKNOWN = "unknown"

    @property
    def example(self) -> str:
        """What a person calls one example."""
        return {InputKind.COLUMNS: "row", InputKind.SEQUENCES: "sequence"}.get(self, "image")

    @property
    def shows_images(self) -> bool:
        """Whether an example is an image: pixels, 0..255, orientation and blank images mean something."""
        return self in (InputKind.IMAGES, InputKind.FLAT_IMAGES)


def kind_of_input(contract: Contract, images: np.ndarray | None) -> InputKind:
    """Return what the examples are.

    Args:
        contract: Its first layer and input shape are heard first.
        images: One split's inputs (n, …) of real numbers, or None when they could not be read.
    """
    reader, shape = contract.first_layer or "", contract.input_shape
    if reader.startswith(READS_TOKENS):
        return InputKind.SEQUENCES
    if reader.startswith(READS_IMAGES) and shape is not None and len(shape) in (1, 2, 3):
        return InputKind.FLAT_IMAGES if len(shape) == 1 else _of_three_axes(shape)
    if shape is not None and len(shape) >= 3:
        return _of_three_axes(shape) if len(shape) == 3 else InputKind.UNKNOWN
    if images is None or not images.size or images.dtype.kind not in "fiub":
        return InputKind.UNKNOWN
    if images.ndim < 2:
        return InputKind.COLUMNS if images.ndim == 1 and shape == (1,) else InputKind.UNKNOWN
    if images.ndim > 3:
        return _of_three_axes(images.shape[1:]) if images.ndim == 4 else InputKind.UNKNOWN
    return _of_rows(images) if images.ndim == 3 else _of_columns(images)


def _of_three_axes(shape: tuple[int | None, ...]) -> InputKind:
    if len(shape) < 3:
        return InputKind.IMAGES
    channels = min((each for each in (shape[0], shape[2]) if each is not None), default=1)
    thin = sum(each == 1 for each in shape) > 1  # a sequence or columns with axes put on
    return InputKind.IMAGES if channels <= MOST_CHANNELS and not thin else InputKind.UNKNOWN


def _of_rows(images: np.ndarray) -> InputKind:
    """Judge examples of two axes: rows of an image, or steps of a sequence."""
    rows, columns = images.shape[1:]
    if columns == 1:
        return InputKind.FLAT_IMAGES if _of_columns(images[..., 0]) is InputKind.FLAT_IMAGES else InputKind.SEQUENCES
    if min(rows, columns) < SMALLEST_SIDE:
        return InputKind.SEQUENCES
    sample = _sample(images)
    square = rows == columns and _is_quantized(sample)
    return InputKind.IMAGES if square or is_autocorrelated(sample) else InputKind.SEQUENCES


def _of_columns(images: np.ndarray) -> InputKind:
    """Judge examples of one axis: pixels in a row, or columns of a table."""
    width = images.shape[1]
    for channels in (1, 3):
        side = math.isqrt(width // channels)
        if side >= SMALLEST_SIDE and side * side * channels == width:
            sample = _sample(images)
            squares = sample.reshape(len(sample), side, side, channels).mean(axis=3)
            if is_autocorrelated(squares) or _is_quantized(sample):
                return InputKind.FLAT_IMAGES
    return InputKind.COLUMNS


def _sample(images: np.ndarray) -> np.ndarray:
    """Return some examples as finite float64."""
    some = take(images, sample_indices(len(images), SAMPLE))
    with np.errstate(all="ignore"):
        return np.nan_to_num(some.astype(np.float64), posinf=0.0, neginf=0.0)


def is_autocorrelated(images: np.ndarray) -> bool:
    """Whether pixels (n, rows, columns) resemble their neighbours in both directions, and more than distant ones."""
    values = images - images.mean(axis=0)
    deviations = values.std(axis=0)
    values /= np.where(deviations > 0, deviations, 1.0)
    rows, columns = images.shape[1:]
    near = [_correlation(values, deviations, 1, 0), _correlation(values, deviations, 0, 1)]
    far = [_correlation(values, deviations, rows // 2, 0), _correlation(values, deviations, 0, columns // 2)]
    return min(near) > CORRELATED and min(near) > max(far) + CLEARLY_NEAR


def _correlation(values: np.ndarray, deviations: np.ndarray, down: int, right: int) -> float:
    """Mean correlation, over the examples, of pixels that lie so many rows and columns apart."""
    rows, columns = deviations.shape
    one, other = np.s_[: rows - down, : columns - right], np.s_[down:, right:]
    varied = (deviations[one] > 0) & (deviations[other] > 0)
    if not varied.any():
        return 0.0
    products = (values[(slice(None), *one)] * values[(slice(None), *other)]).mean(axis=0)
    return float(products[varied].mean())


def _is_quantized(sample: np.ndarray) -> bool:
    """Whether values are a byte's levels, as they are or after one of the usual scalings."""
    values = np.unique(sample)
    if not LEVELS <= len(values) <= 512:
        return False
    return any(
        bool(np.abs(each - np.rint(each)).max() < 1e-3) for each in (values, values * 255, values * 127.5 + 127.5)
    )
