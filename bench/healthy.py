"""Healthy sets of many kinds, drawn at random: images whose labels are correct, however weakly pixels tell them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

TEXTURES = ("brick", "grass", "gravel", "coins", "page", "camera", "moon", "text")  # that scikit-image ships
SIDE = 32  # pixels of a texture's cut
PHOTO_SIDES = (32, 64, 96)


@dataclass
class Drawn:
    """A healthy set: images uint8 (n, rows, columns[, 3]), labels int64 (n,) in 0..classes-1."""

    images: np.ndarray
    labels: np.ndarray
    classes: int


Kind = Callable[[np.random.Generator, int], Drawn]


# --- sources ---------------------------------------------------------------------------------------


def digits_folder() -> Path:
    from deep_mnist.data.transfer import cache_folder

    return Path(os.environ.get("MNIST_DIR") or cache_folder() / "mnist")


def clothes_folder() -> Path:
    return Path(os.environ.get("FASHION_DIR") or "/usr/share/datasets/fashion-mnist")


def photos_folder() -> Path:
    return Path(os.environ.get("PHOTOS_DIR") or "photos")


@cache
def _bytes_of(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (images uint8 (n, 28, 28), labels int64 (n,)) of MNIST's or Fashion-MNIST's files."""
    arrays = []
    for name, offset in ((f"{part}-images-idx3-ubyte", 16), (f"{part}-labels-idx1-ubyte", 8)):
        path = folder / name
        raw = path.read_bytes() if path.is_file() else gzip.decompress((folder / f"{name}.gz").read_bytes())
        arrays.append(np.frombuffer(raw, np.uint8, offset=offset))
    return arrays[0].reshape(-1, 28, 28), arrays[1].astype(np.int64)


def _some(folder: Path, random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = _bytes_of(folder, "train")
    chosen = random.choice(len(images), min(count, len(images)), replace=False)
    return images[chosen], labels[chosen]


@cache
def _photos(name: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    files = sorted((photos_folder() / name).glob("*/class*/*.jpg"))
    images = [
        np.asarray(Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)) for file in files
    ]
    return np.stack(images), np.array([int(file.parent.name[5:]) for file in files])


@cache
def _texture(name: str) -> np.ndarray:
    from skimage import data

    image = np.asarray(getattr(data, name)())
    return image if image.ndim == 2 else np.rint(image[..., :3].mean(axis=2)).astype(np.uint8)


# --- kinds -----------------------------------------------------------------------------------------


def digits(random: np.random.Generator, count: int) -> Drawn:
    return Drawn(*_some(digits_folder(), random, count), 10)


def clothes(random: np.random.Generator, count: int) -> Drawn:
    return Drawn(*_some(clothes_folder(), random, count), 10)


def photos(name: str, random: np.random.Generator, count: int) -> Drawn:
    images, labels = _photos(name, int(random.choice(PHOTO_SIDES)))
    chosen = random.choice(len(images), min(count, len(images)), replace=False)
    return Drawn(images[chosen], labels[chosen], 3)


def textures(random: np.random.Generator, count: int) -> Drawn:
    labels = random.integers(0, len(TEXTURES), count)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for index, label in enumerate(labels):
        whole = _texture(TEXTURES[label])
        row, column = (int(random.integers(0, length - SIDE)) for length in whole.shape)
        images[index] = whole[row : row + SIDE, column : column + SIDE]
    return Drawn(images, labels, len(TEXTURES))


def colour_is_the_class(random: np.random.Generator, count: int) -> Drawn:
    """Each class one colour under noise; half of the draws have no shape in them at all."""
    classes = int(random.integers(3, 8))
    labels = random.integers(0, classes, count)
    colours = random.integers(30, 226, (classes, 3))
    spread = random.choice([6.0, 25.0])
    images = colours[labels][:, None, None, :] + random.normal(0, spread, (count, 24, 24, 3))
    if random.random() < 0.5:
        images += random.normal(0, 30, (count, 6, 6, 1)).repeat(4, axis=1).repeat(4, axis=2)
    return Drawn(np.clip(images, 0, 255).astype(np.uint8), labels, classes)


def digits_anywhere(random: np.random.Generator, count: int) -> Drawn:
    some, labels = _some(digits_folder(), random, count)
    images = np.zeros((len(some), 64, 64), np.uint8)
    for image, digit, (row, column) in zip(images, some, random.integers(0, 37, (len(some), 2)), strict=True):
        image[row : row + 28, column : column + 28] = digit
    return Drawn(images, labels, 10)


def digits_on_photos(random: np.random.Generator, count: int) -> Drawn:
    """Digits in a colour of their own on a cut of a photo (MNIST-M's way)."""
    some, labels = _some(digits_folder(), random, count)
    backgrounds = [_texture_colour(name) for name in ("astronaut", "coffee", "chelsea", "rocket")]
    images = np.empty((len(some), 28, 28, 3), np.uint8)
    for index, digit in enumerate(some):
        whole = backgrounds[int(random.integers(len(backgrounds)))]
        row, column = (int(random.integers(0, length - 28)) for length in whole.shape[:2])
        cut = whole[row : row + 28, column : column + 28].astype(np.float32)
        ink = digit[..., None] / np.float32(255)
        images[index] = cut * (1 - ink) + random.integers(0, 256, 3) * ink
    return Drawn(images, labels, 10)


@cache
def _texture_colour(name: str) -> np.ndarray:
    from skimage import data

    return np.asarray(getattr(data, name)())[..., :3]


def imbalanced(random: np.random.Generator, count: int) -> Drawn:
    """Ninety-nine of one digit for each of another."""
    images, labels = _bytes_of(digits_folder(), "train")
    common, rare = random.choice(10, 2, replace=False)
    few = max(2, count // 100)
    chosen = np.concatenate(
        [
            random.choice(np.flatnonzero(labels == common), count - few, replace=False),
            random.choice(np.flatnonzero(labels == rare), few, replace=False),
        ]
    )
    return Drawn(images[chosen], (labels[chosen] == rare).astype(np.int64), 2)


def two_classes(random: np.random.Generator, count: int) -> Drawn:
    """Clothes of one class against another, or one class against all others."""
    images, labels = _some(clothes_folder(), random, 5 * count)
    one, other = random.choice(10, 2, replace=False)
    kept = np.isin(labels, (one, other)) if random.random() < 0.5 else np.ones(len(labels), bool)
    return Drawn(images[kept][:count], (labels[kept][:count] == one).astype(np.int64), 2)


def hundred_classes(random: np.random.Generator, count: int) -> Drawn:
    """Two digits side by side, their number the class."""
    left, tens = _some(digits_folder(), random, count)
    right, ones = _some(digits_folder(), random, count)
    return Drawn(np.concatenate([left, right], axis=2), 10 * tens + ones, 100)


def low_contrast(random: np.random.Generator, count: int) -> Drawn:
    """Warm spots on a still ground within a tenth of the range, as of a heat camera; their number is the class."""
    labels = random.integers(0, 3, count)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    images = (
        100
        + random.normal(0, 2, (count, 4, 4)).repeat(8, axis=1).repeat(8, axis=2)
        + random.normal(0, 1, (count, SIDE, SIDE))
    )
    for image, label in zip(images, labels, strict=True):
        for row, column in random.uniform(5, SIDE - 5, (label + 1, 2)):
            image += 8 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 18)
    return Drawn(np.rint(images).astype(np.uint8), labels, 3)


def letterboxed(random: np.random.Generator, count: int) -> Drawn:
    """Photos under black bars of another height in each."""
    drawn = photos("view", random, count)
    images, side = drawn.images.copy(), drawn.images.shape[1]
    for image, height in zip(images, random.integers(1, side // 4, len(images)), strict=True):
        image[:height], image[-height:] = 0, 0
    return Drawn(images, drawn.labels, 3)


def frames(random: np.random.Generator, count: int) -> Drawn:
    """Frames of three still scenes under a drifting light and a moving patch: each has near duplicates by nature."""
    labels = np.sort(random.integers(0, 3, count))
    scenes = random.normal(120, 40, (3, 6, 6, 3)).repeat(8, axis=1).repeat(8, axis=2)
    light = np.cumsum(random.normal(0, 0.6, count))[:, None, None, None]
    images = scenes[labels] + light + random.normal(0, 2, (count, 48, 48, 3))
    for index, image in enumerate(images):
        image[20:24, index // 3 % 44 :][:, :4] = 230
    return Drawn(np.clip(images, 0, 255).astype(np.uint8), labels, 3)


def black_and_white(random: np.random.Generator, count: int) -> Drawn:
    some, labels = _some(digits_folder(), random, count)
    return Drawn(np.where(some > 127, 255, 0).astype(np.uint8), labels, 10)


def salted(random: np.random.Generator, count: int) -> Drawn:
    """Digits, some of them under salt and pepper, as an augmentation."""
    some, labels = _some(digits_folder(), random, count)
    images = some.copy()
    noisy = random.random(images.shape) < random.choice([0.005, 0.02])
    noisy &= random.random((len(images), 1, 1)) < random.choice([0.1, 0.5, 1.0])
    images[noisy] = random.choice([0, 255], int(noisy.sum()))
    return Drawn(images, labels, 10)


def sparse_hits(random: np.random.Generator, count: int) -> Drawn:
    """A few lit pixels in the dark, in a wide or a narrow heap, as a detector sees particles."""
    labels = random.integers(0, 2, count)
    images = np.zeros((count, SIDE, SIDE))
    for image, label in zip(images, labels, strict=True):
        hits = random.normal(SIDE / 2, 8 - 4 * label, (int(random.integers(8, 30)), 2))
        rows, columns = np.clip(np.rint(hits), 0, SIDE - 1).astype(np.int64).T
        np.add.at(image, (rows, columns), random.exponential(60, len(hits)))
    return Drawn(np.clip(images, 0, 255).astype(np.uint8), labels, 2)


def gratings(random: np.random.Generator, count: int) -> Drawn:
    """Waves in one of four directions, which is the class, under noise."""
    labels = random.integers(0, 4, count)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    angle, phase = (labels * np.pi / 4)[:, None, None], random.uniform(0, 2 * np.pi, (count, 1, 1))
    waves = np.sin(2 * np.pi / 6 * (rows * np.cos(angle) + columns * np.sin(angle)) + phase)
    images = 120 + 80 * waves + random.normal(0, 20, waves.shape)
    return Drawn(np.clip(images, 0, 255).astype(np.uint8), labels, 4)


KINDS: dict[str, Kind] = {
    "digits": digits,
    "clothes": clothes,
    "photos food": lambda random, count: photos("food", random, count),
    "photos view": lambda random, count: photos("view", random, count),
    "textures": textures,
    "colour is the class": colour_is_the_class,
    "digits anywhere": digits_anywhere,
    "digits on photos": digits_on_photos,
    "imbalanced 99:1": imbalanced,
    "two classes": two_classes,
    "100 classes": hundred_classes,
    "low contrast": low_contrast,
    "letterboxed photos": letterboxed,
    "frames of scenes": frames,
    "black and white": black_and_white,
    "salted digits": salted,
    "sparse hits": sparse_hits,
    "gratings": gratings,
}


def available(kind: str) -> bool:
    """Whether the files of a kind are on this machine."""
    needs = {
        "photos food": (photos_folder() / "food").is_dir,
        "photos view": (photos_folder() / "view").is_dir,
        "clothes": clothes_folder().is_dir,
        "two classes": clothes_folder().is_dir,
        "letterboxed photos": (photos_folder() / "view").is_dir,
        "textures": lambda: True,
        "low contrast": lambda: True,
        "frames of scenes": lambda: True,
        "sparse hits": lambda: True,
        "gratings": lambda: True,
        "colour is the class": lambda: True,
    }
    return bool(needs.get(kind, lambda: _has_digits())())


def _has_digits() -> bool:
    return any((digits_folder() / f"train-images-idx3-ubyte{suffix}").is_file() for suffix in ("", ".gz"))
