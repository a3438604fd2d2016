"""Single bytes overwritten in a file of images are found; images' own impulse noise is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.healthy import textures
from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.inputs.wrong_bytes import check_wrong_bytes
from deep_mnist.doctor.evidence import impulse_noise, survey
from deep_mnist.doctor.finding import Finding
from tests.support.doctor_cases import digits

FIELD = "images.distribution"


def texture_bytes(count: int = 400) -> np.ndarray:
    return textures(np.random.default_rng(4), count).images[..., None]


def digit_bytes() -> np.ndarray:
    return np.rint(digits().arrays["train_images"] * 255).astype(np.uint8)


IMAGES = {"digits": digit_bytes, "textures": texture_bytes}


def findings_of(images: np.ndarray) -> list[Finding]:
    split = Split("train", images, np.arange(len(images)) % 10)
    contract = Contract(input_shape=images.shape[1:], layout="channels_last")
    return list(check_wrong_bytes(Case(Path(), {"train": split}, contract), split))


def overwritten(images: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, set[int]]:
    """Return the images with random bytes at random places, and which images hold one."""
    random, wrong = np.random.default_rng(seed), images.copy()
    places = random.choice(wrong.size, count, replace=False)
    wrong.reshape(-1)[places] = random.integers(0, 256, count)
    return wrong, set((places // images[0].size).tolist())


@pytest.mark.parametrize("kind", list(IMAGES))
@pytest.mark.parametrize("seed", range(3))
def test_overwritten_bytes_are_found_where_they_are(kind, seed):
    """A warning whose images all hold one of the bytes, in most draws: evenness is a matter of chance."""
    images, places = overwritten(IMAGES[kind](), 80, seed)
    found = findings_of(images)

    assert [(each.field, each.severity) for each in found] == [(FIELD, "warning")]
    assert len(set(found[0].where) - places) <= 1


def test_images_with_few_wrong_bytes_are_taken_out_by_the_fix():
    """The fix deletes them from images and labels, and the doctor is silent then."""
    images, _ = overwritten(texture_bytes(), 50, seed=1)
    found = findings_of(images)
    space = {"np": np, "train_images": images, "train_labels": np.arange(len(images))}
    exec(found[0].fix, space)

    assert len(space["train_images"]) == len(space["train_labels"]) < len(images)
    assert findings_of(space["train_images"]) == []


def salted(images: np.ndarray) -> np.ndarray:
    """Salt and pepper on a fifth of the images, an augmentation."""
    noisy, random = images.copy(), np.random.default_rng(5)
    for image in noisy[::5]:
        places = random.choice(image.size, image.size // 50, replace=False)
        image.reshape(-1)[places] = random.choice([0, 255], len(places))
    return noisy


def dotted(images: np.ndarray) -> np.ndarray:
    """A speck of the same value near the middle of some images, as the dot of an i."""
    marked, random = images.copy(), np.random.default_rng(6)
    for image in marked[::9]:
        image[5 + random.integers(3), 12 + random.integers(4)] = 255
    return marked


HEALTHY = {
    "as they are": lambda images: images,
    "black and white": lambda images: np.where(images > 127, 255, 0).astype(np.uint8),
    "salt and pepper": salted,
    "dots": dotted,
    "noise": lambda images: np.random.default_rng(7).integers(0, 256, images.shape).astype(np.uint8),
    "grain": lambda images: np.clip(images + np.random.default_rng(8).normal(0, 25, images.shape), 0, 255).astype(
        np.uint8
    ),
}


@pytest.mark.parametrize("kind", list(IMAGES))
@pytest.mark.parametrize("name", list(HEALTHY))
def test_impulse_noise_that_is_the_sets_own_is_not_reported(kind, name):
    """Noise, dots and salt are a set's habit."""
    assert findings_of(HEALTHY[name](IMAGES[kind]())) == []


def test_planes_and_flattened_images_are_read_as_they_lie():
    """Channels first, and images in a row."""
    images, _ = overwritten(texture_bytes(), 80, seed=2)

    assert findings_of(images.transpose(0, 3, 1, 2)) and findings_of(images.reshape(len(images), -1))


def test_of_a_large_set_every_second_chunk_is_looked_at(monkeypatch):
    """Its bytes are overwritten everywhere, so a part shows it; the finding counts what was looked at."""
    images, places = overwritten(texture_bytes(), 80)
    monkeypatch.setattr(survey, "CHUNK_BYTES", 50 * 4 * images[0].size)
    monkeypatch.setattr(impulse_noise, "MOST_ELEMENTS", images.size // 2)
    monkeypatch.setattr(impulse_noise, "FEWEST", 100)

    found = findings_of(images)

    assert [(each.field, each.severity) for each in found] == [(FIELD, "warning")]
    assert "of 200 images" in found[0].received
    assert len(set(found[0].where) - places) <= 1
    assert all(place // 50 % 2 == 0 for place in found[0].where)
