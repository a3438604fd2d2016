"""Bytes that lie elsewhere than the shape says are found by how neighbouring pixels cohere, and put back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.healthy import textures
from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.inputs.arrangement import check_arrangement
from deep_mnist.doctor.finding import Finding
from tests.support.doctor_cases import digits, fixed, graver

FIELD = "images.distribution"


def late(images: np.ndarray) -> np.ndarray:
    """Half of a header of 16 bytes taken for pixels."""
    return np.roll(images.reshape(-1), 8).reshape(images.shape)


def rows_of(length: int):
    """Rows stored with another length than the array's shape says; the last examples are lost."""

    def read(images: np.ndarray) -> np.ndarray:
        count, rows, columns, _ = images.shape
        stored = np.pad(images, ((0, 0), (0, 0), (0, max(0, length - columns)), (0, 0)))[:, :, :length]
        stream = np.resize(stored.reshape(-1), count * rows * columns)
        return stream.reshape(images.shape)

    return read


def examples_last(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(images, 0, -1)).reshape(images.shape)


DISPLACED = {
    "a header skipped by half": late,
    "rows rolled": lambda images: np.roll(images, 11, axis=1),
    "columns rolled": lambda images: np.roll(images, 11, axis=2),
    "examples last, reshaped": examples_last,
}


@pytest.mark.parametrize("name", list(DISPLACED))
def test_displaced_bytes_are_named_and_the_fix_puts_them_back(tmp_path, name):
    """An error on the images' distribution in both splits, no other error, and silence after the fix."""
    case = digits().images(DISPLACED[name])
    diagnosis = case.judged(tmp_path / "displaced")

    assert graver(diagnosis) == [(FIELD, "error", "both")]
    assert graver(fixed(case, diagnosis.findings[0]).judged(tmp_path / "put back")) == []


@pytest.mark.parametrize("length", [27, 29, 32])
def test_rows_of_another_length_are_reported_with_their_length(tmp_path, length):
    """A wrong stride shears the images; the message holds the real row length."""
    found = digits().images(rows_of(length)).judged(tmp_path).findings

    sheared = [each for each in found if each.field == FIELD and each.severity == "error"]
    assert sheared and f"rows of {length} elements" in sheared[0].fix


def test_channels_in_planes_read_as_pixels_are_found(tmp_path):
    """(n, 3, 28, 28) reshaped to (n, 28, 28, 3), where a transpose was due."""
    from tests.support.keras_models import classifier

    random = np.random.default_rng(0)
    color = digits().with_net(classifier(shape=(28, 28, 3)))
    color = color.images(lambda x: np.clip(x * random.uniform(0.3, 1, (len(x), 1, 1, 3)), 0, 1).astype(np.float32))
    broken = color.images(lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape))
    diagnosis = broken.judged(tmp_path / "broken")

    assert (FIELD, "error", "both") in graver(diagnosis)
    finding = next(each for each in diagnosis.findings if each.field == FIELD)
    assert graver(fixed(broken, finding).judged(tmp_path / "put back")) == []


def standardized(images: np.ndarray) -> np.ndarray:
    """Each image minus its mean, over its deviation, as tf.image.per_image_standardization does."""
    axes = tuple(range(1, images.ndim))
    spread = images.std(axes, keepdims=True).clip(1e-3)
    return ((images - images.mean(axes, keepdims=True)) / spread).astype(np.float32)


def stretched(images: np.ndarray) -> np.ndarray:
    """Each image from its own lowest pixel to its own highest."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True), images.max(axes, keepdims=True)
    return ((images - low) / (high - low).clip(1e-3)).astype(np.float32)


def padded(images: np.ndarray, rows: int = 2, columns: int = 2) -> np.ndarray:
    return np.pad(images, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


def letterboxed(images: np.ndarray) -> np.ndarray:
    """Black bars above and below, of another height in each image."""
    boxed, random = images.copy(), np.random.default_rng(1)
    for image, height in zip(boxed, random.integers(1, len(images[0]) // 4, len(images)), strict=True):
        image[:height], image[-height:] = 0, 0
    return boxed


def vignetted(images: np.ndarray) -> np.ndarray:
    """Darker towards the corners, under another exposure in each image."""
    rows, columns = (np.linspace(-1, 1, length) for length in images.shape[1:3])
    shade = np.clip(1 - (rows[:, None] ** 2 + columns**2) / 2, 0, 1) ** 2
    exposure = np.random.default_rng(2).uniform(0.4, 1, (len(images), 1, 1, 1))
    return (images * shade[..., None] * exposure).astype(np.float32)


def ringed(images: np.ndarray) -> np.ndarray:
    """A bright disc under another exposure on black, as images through an eyepiece are."""
    rows, columns = (np.linspace(-1, 1, length) for length in images.shape[1:3])
    disc = (rows[:, None] ** 2 + columns**2 < 1.1)[..., None]
    exposure = np.random.default_rng(2).uniform(0.4, 1, (len(images), 1, 1, 1))
    return ((0.6 + 0.4 * images) * disc * exposure).astype(np.float32)


HEALTHY = {
    "padded, standardized": lambda images: standardized(padded(images)),
    "padded, stretched": lambda images: stretched(padded(images)),
    "rows padded, standardized": lambda images: standardized(padded(images, 4, 0)),
    "columns padded, standardized": lambda images: standardized(padded(images, 0, 3)),
    "standardized": standardized,
    "letterboxed": letterboxed,
    "letterboxed, standardized": lambda images: standardized(letterboxed(images)),
    "vignetted": vignetted,
    "vignetted, standardized": lambda images: standardized(vignetted(images)),
    "in a disc": ringed,
    "in a disc, standardized": lambda images: standardized(ringed(images)),
}
IMAGES = {
    "digits": lambda: digits().arrays["train_images"],
    "textures": lambda: (textures(np.random.default_rng(4), 300).images[..., None] / 255).astype(np.float32),
}


def arrangement(images: np.ndarray) -> list[Finding]:
    split = Split("train", images, np.arange(len(images)) % 10)
    contract = Contract(input_shape=images.shape[1:], layout="channels_last")
    return list(check_arrangement(Case(Path(), {"train": split}, contract), split))


@pytest.mark.parametrize("kind", list(IMAGES))
@pytest.mark.parametrize("name", list(HEALTHY))
def test_borders_that_are_one_value_in_each_image_say_nothing(kind, name):
    """Padding, bars and shades go together on opposite edges without being neighbours."""
    assert arrangement(HEALTHY[name](IMAGES[kind]())) == []


@pytest.mark.parametrize("kind", list(IMAGES))
@pytest.mark.parametrize("axis", [1, 2])
def test_images_rolled_after_they_were_standardized_are_found(kind, axis):
    """A border within the image is a seam still."""
    images = IMAGES[kind]()
    rolled = np.roll(standardized(images), images.shape[axis] // 3, axis=axis)

    assert [each.field for each in arrangement(rolled)] == [FIELD]
