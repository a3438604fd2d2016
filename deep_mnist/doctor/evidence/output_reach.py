"""How far an output can get in one fit: the bound that a rate times the updates puts on every weight.

An optimizer that scales its steps moves a weight by about the rate at each update, whatever the gradient. So after T
updates no weight is further than rate * T from where it started, and the output is bounded layer by layer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

UNBOUNDED = ("linear", "relu", "leaky_relu", "elu", "selu", "gelu", "swish", "silu", "softplus", "mish")
WITHIN_ONE = ("tanh", "sigmoid", "hard_sigmoid", "softmax", "softsign", "hard_tanh", "sparse_sigmoid")
RECURRENT = ("LSTM", "GRU", "SimpleRNN")
NORMALIZING = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "Normalization")
KEEPING = ("InputLayer", "Dropout", "Activation", "ReLU", "LeakyReLU", "ELU", "GaussianNoise", "SpatialDropout2D",
           "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D",
           "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "SpatialDropout1D",
           "ActivityRegularization", "ZeroPadding2D", "Masking")  # fmt: skip
SURELY = 3.0  # standard deviations of what a normalizing layer makes


def output_reach(model: Any, sizes: np.ndarray, move: float) -> float | None:
    """Return the greatest size of an output unit, None where a layer is not known.

    Args:
        model: A live Keras model, one layer behind the other; it is not changed.
        sizes: Mean magnitude of each feature of an input (its last axis), float64 (features,).
        move: Furthest that a weight may get from where it starts: rate * updates.
    """
    values = sizes
    for layer in _chain(model) or ():
        bounded = _bounded(layer, values, move)
        if bounded is None:
            return None
        values = bounded
    return float(values.max()) if _chain(model) and values.size else None


def _chain(model: Any) -> Sequence[Any]:
    """Return the layers of a model in which each takes the output of the one before; () of any other."""
    layers = list(getattr(model, "layers", ()))
    if type(model).__name__ == "Sequential":
        return layers
    if type(model).__name__ not in ("Functional", "Model"):
        return ()
    try:
        follows = all(after.input is before.output for before, after in itertools.pairwise(layers))
    except (AttributeError, ValueError):
        return ()
    return layers if follows else ()


def _bounded(layer: Any, values: np.ndarray, move: float) -> np.ndarray | None:
    kind = type(layer).__name__
    if kind in NORMALIZING:
        return np.full_like(values, SURELY + move) if kind != "Normalization" else np.full_like(values, SURELY)
    if kind in RECURRENT:
        known = getattr(getattr(layer, "activation", None), "__name__", "") in WITHIN_ONE
        return np.ones(layer.units) if known else None
    if kind == "Embedding":
        return np.full(layer.output_dim, 0.05 + move)
    if kind == "Flatten":
        width = layer.output.shape[-1] if getattr(layer, "built", False) and hasattr(layer, "output") else None
        return np.tile(values, max(1, width // len(values))) if width else values
    if kind == "Rescaling":
        return values * abs(float(layer.scale)) + abs(float(layer.offset))
    if kind in ("Dense", "Conv1D", "Conv2D"):
        return _through(layer, _weighted(layer, values, move))
    return _through(layer, values) if kind in KEEPING else None


def _weighted(layer: Any, values: np.ndarray, move: float) -> np.ndarray | None:
    """Return the bound of a sum over inputs: each weight's size and its move, and the bias's move."""
    weights = layer.get_weights() if layer.built else []
    units = getattr(layer, "units", None) or layer.filters
    positions = math.prod(getattr(layer, "kernel_size", (1,)))
    if weights and weights[0].ndim >= 2:
        kernel = np.abs(weights[0].astype(np.float64))
        kernel = (kernel + move).reshape(-1, *kernel.shape[-2:]).sum(axis=0)
        if len(kernel) != len(values):
            return None
        bias = np.abs(weights[1]) if len(weights) > 1 and weights[1].shape == (units,) else 0.0
        return np.asarray(values @ kernel + bias + move)
    start = math.sqrt(2 / (positions * (len(values) + units)))
    return np.full(units, float(values.sum()) * positions * (start + move) + move)


def _through(layer: Any, values: np.ndarray | None) -> np.ndarray | None:
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if values is None or name in UNBOUNDED:
        return values
    return np.minimum(values, 1.0) if name in WITHIN_ONE else np.minimum(values, 6.0) if name == "relu6" else None
