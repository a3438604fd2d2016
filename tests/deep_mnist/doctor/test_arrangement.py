"""Bytes that lie elsewhere than the shape says are found by how neighbouring pixels cohere, and put back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.doctor_cases import digits, mended, told_of

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

    assert told_of(diagnosis) == [(FIELD, "error", "both")]
    assert told_of(mended(case, diagnosis.findings[0]).judged(tmp_path / "put back")) == []


@pytest.mark.parametrize("length", [27, 29, 32])
def test_rows_of_another_length_are_told_with_their_length(tmp_path, length):
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

    assert (FIELD, "error", "both") in told_of(diagnosis)
    finding = next(each for each in diagnosis.findings if each.field == FIELD)
    assert told_of(mended(broken, finding).judged(tmp_path / "put back")) == []
