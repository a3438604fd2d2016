"""Small synthetic digits, drawn from a font: real enough for a network to learn and for the doctor to judge."""

from __future__ import annotations

import gzip
import struct
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont


@cache
def _glyph(digit: int, size: int) -> Image.Image:
    canvas = Image.new("L", (28, 28))
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(canvas).text((14, 14), str(digit), fill=255, font=font, anchor="mm")
    return canvas


def draw_digits(count: int, seed: int = 0, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, 28, 28), white on black, 0..255, and labels uint8 (count,) in 0..classes-1.

    Each digit is rotated by up to 12 degrees, scaled, shifted by up to 3 pixels, and given a little noise.
    """
    images, labels = _drawn(count, seed, classes)
    return images.copy(), labels.copy()


@cache  # many tests ask for the same ones, at an eighth of a millisecond each
def _drawn(count: int, seed: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % classes).astype(np.uint8)
    images = np.empty((count, 28, 28), np.uint8)
    for row, label in enumerate(labels):
        glyph = _glyph(int(label), int(random.integers(17, 24)))
        rotated = glyph.rotate(
            random.uniform(-12, 12), Image.Resampling.BILINEAR, translate=tuple(random.uniform(-3, 3, 2))
        )
        pixels = np.asarray(rotated, np.float32) * random.uniform(0.75, 1.0)
        noise = random.normal(0, 8, (28, 28)) * (pixels > 0)
        images[row] = np.clip(pixels + noise, 0, 255)
    return images, labels


def write_raw_folder(folder: Path, train: int = 2000, test: int = 400, seed: int = 0) -> Path:
    """Write {train,test}_{images,labels}.npy of raw digits to `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count, offset in (("train", train, 0), ("test", test, 1)):
        images, labels = draw_digits(count, seed=2 * seed + offset)
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels)
    return folder


def idx_bytes(array: np.ndarray) -> bytes:
    """Return a uint8 array as an IDX file's content."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx_folder(folder: Path, train: int = 200, test: int = 50, packed: bool = True) -> Path:
    """Write the four IDX files, gzipped or plain, to `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count, seed in (("train", train, 0), ("t10k", test, 1)):
        images, labels = draw_digits(count, seed)
        for part, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            name = f"{split}-{part}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content, 1) if packed else content)
    return folder
