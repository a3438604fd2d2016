"""The ways in which every image of a split may have been rotated or mirrored."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# What may have been done to one split's images and not to the other's; each is reported with its own inverse.
Transform = tuple[str, str, Callable[[np.ndarray], np.ndarray]]
KEEP_SHAPE = ("mirrored", "flipped", "half turn")
ORIENTATIONS: tuple[Transform, ...] = (
    ("transposed", "transposed (rows and columns exchanged)", lambda images: images.swapaxes(1, 2)),
    ("mirrored", "mirrored left to right", lambda images: images[:, :, ::-1]),
    ("flipped", "upside down", lambda images: images[:, ::-1]),
    ("half turn", "rotated by 180 degrees", lambda images: images[:, ::-1, ::-1]),
    ("clockwise", "rotated by 90 degrees clockwise", lambda images: np.rot90(images, 1, axes=(1, 2))),
    ("anticlockwise", "rotated by 90 degrees anticlockwise", lambda images: np.rot90(images, -1, axes=(1, 2))),
    ("anti-transposed", "mirrored at the other diagonal", lambda images: images[:, ::-1, ::-1].swapaxes(1, 2)),
)


def orientations(square: bool) -> tuple[Transform, ...]:
    """Return the transforms that keep an image's shape."""
    return ORIENTATIONS if square else tuple(each for each in ORIENTATIONS if each[0] in KEEP_SHAPE)
