"""Random affine maps of images: shift, rotation, scale and shear, a different one for each image.

`warp` uses TensorFlow's own kernel on a CPU, and four gathers under XLA, which has no such kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Warp:
    """Largest changes in each direction.

    Attributes:
        shift: Pixels.
        rotation: Degrees.
        scale: Share, 0.1 for 10 % larger or smaller.
        shear: Columns a row, 0.1 for a tenth of a pixel.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0

    def __bool__(self) -> bool:
        return any((self.shift, self.rotation, self.scale, self.shear))


def random_maps(warp: Warp, numbers: tf.Tensor, side: int) -> tf.Tensor:
    """Return float32 (n, 6): rows (a, b, c, d, e, f), where output (x, y) is read at (ax+by+c, dx+ey+f).

    The maps turn about the image's centre.

    Args:
        warp: Largest changes.
        numbers: float32 (5, n) in [-1, 1).
        side: Of the images, pixels.
    """
    turn, size, shear, right, down = tf.unstack(numbers)
    angle, size, shear = turn * (warp.rotation * math.pi / 180), 1.0 + size * warp.scale, shear * warp.shear
    cos, sin = tf.cos(angle) * size, tf.sin(angle) * size
    a, b, d, e = cos, shear * cos - sin, sin, shear * sin + cos
    middle = (side - 1) / 2
    c = middle * (1.0 - a - b) + right * warp.shift
    f = middle * (1.0 - d - e) + down * warp.shift
    return tf.stack([a, b, c, d, e, f], axis=1)


def warp_images(images: tf.Tensor, maps: tf.Tensor, *, jit: bool) -> tf.Tensor:
    """Read images (n, side, side, channels) through maps, bilinearly, zero outside; the dtype stays."""
    return _gathered(images, maps) if jit else _by_kernel(images, maps)


def _by_kernel(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.pad(maps, [[0, 0], [0, 2]]),
        output_shape=images.shape[1:3],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )


def _gathered(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    count, height, width, channels = images.shape
    ys, xs = tf.meshgrid(tf.range(height, dtype=tf.float32), tf.range(width, dtype=tf.float32), indexing="ij")
    xs, ys = tf.reshape(xs, (1, -1)), tf.reshape(ys, (1, -1))
    a, b, c, d, e, f = (maps[:, k : k + 1] for k in range(6))
    left, top = a * xs + b * ys + c, d * xs + e * ys + f
    flat = tf.reshape(images, (count, height * width, channels))
    result = tf.zeros((count, height * width, channels), tf.float32)
    for row in (tf.floor(top), tf.floor(top) + 1.0):
        for column in (tf.floor(left), tf.floor(left) + 1.0):
            inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
            at = tf.cast(tf.where(inside, row * width + column, 0.0), tf.int32)
            share = (1.0 - tf.abs(top - row)) * (1.0 - tf.abs(left - column)) * tf.cast(inside, tf.float32)
            result += tf.cast(tf.gather(flat, at, batch_dims=1), tf.float32) * share[..., None]
    return tf.cast(tf.reshape(result, images.shape), images.dtype)
