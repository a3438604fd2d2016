"""Muon: each convolution kernel takes a step of the same size in all its directions, so fewer epochs are enough.

The momentum of a kernel, as a matrix (inputs, filters), is replaced by the nearest matrix whose singular values are
all about 1 (five Newton-Schulz iterations: products of small matrices, 5 % of a step). Keller Jordan's method
(https://kellerjordan.github.io/posts/muon), scaled as in arXiv 2502.16982, so that AdamW's rates fit it. Keras' own
Muon steps matrices only, and kernels by AdamW.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steepest at 0: singular values end between 0.7 and 1.2
STEP = 0.2  # root mean square of a step's elements at rate 1, as AdamW's usually have


class KernelMuon(keras.optimizers.AdamW):
    """AdamW, but for the kernels of convolutions, which take Muon's steps; weights decay alike."""

    momentum = 0.9

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Step one variable."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self._momentums[self._get_variable_index(variable)]
        self.assign(momentum, self.momentum * momentum + gradient)
        inputs, filters = variable.shape[0] * variable.shape[1] * variable.shape[2], variable.shape[3]
        lookahead = tf.reshape(gradient + self.momentum * tf.convert_to_tensor(momentum), (inputs, filters))
        size = learning_rate * STEP * max(inputs, filters) ** 0.5
        self.assign_sub(variable, tf.reshape(size * orthogonal(lookahead), variable.shape))


def muon_in_place_of(optimizer: keras.optimizers.AdamW) -> KernelMuon:
    """Return a KernelMuon with the settings of an AdamW.

    Raises:
        TypeError: It is another optimizer.
    """
    if type(optimizer) is not keras.optimizers.AdamW:
        raise TypeError(
            f"Expected AdamW, whose settings Muon takes over. Received: {type(optimizer).__name__}. "
            "Fix: compile the network with AdamW, or leave muon out of its recipe"
        )
    return KernelMuon.from_config(optimizer.get_config())


def orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """Return the matrix (n, m) with all its singular values near 1."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else tf.transpose(matrix)
    a, b, c = COEFFICIENTS
    wide = wide / (tf.norm(wide) + 1e-7)
    for _ in range(ITERATIONS):
        square = tf.matmul(wide, wide, transpose_b=True)
        wide = a * wide + tf.matmul(b * square + c * tf.matmul(square, square), wide)
    return wide if matrix.shape[0] <= matrix.shape[1] else tf.transpose(wide)
