"""The layers of a live Keras model, those within models inside it too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.restoring import unchanged

LEAST_NUMBERS, MOST_NUMBERS = 64, 1 << 19  # of a kernel that is compared with what an initializer makes
EXAMINED = 6  # kernels
SAMPLE = 64  # examples sent through
FAR = 1.5  # times as wide, or as narrow, as in training
DEVIATIONS = 5.0  # standard errors by which the spread of new weights may differ
BEYOND = 1.03  # of the largest new weight, which is a bound or close to one
STARTS = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}  # of normalizations


def layers_of(case: Case) -> list[Any]:
    """Return all layers that are no models, in order; [] without a live model of Keras's."""
    model = case.call.model if case.call is not None else None
    return [each for each in _walk(model) if not getattr(each, "layers", None)] if model is not None else []


def _walk(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", None) or ():
        yield layer
        yield from _walk(layer)


def own_weights(layer: Any) -> list[Any]:
    """Return a layer's weights, [] where it is not built."""
    try:
        return list(layer.weights)
    except Exception:  # a layer of the user's own
        return []


def is_trainable(layer: Any) -> bool:
    """Whether any of its weights trains."""
    try:
        return bool(layer.trainable_weights)
    except Exception:  # as above
        return True


def holds_initial_values(layer: Any) -> bool | None:
    """Whether a layer's weights are as its initializers make them; None where that cannot be told."""
    kernel, initializer = _kernel(layer)
    if kernel is None or initializer is None:
        return None
    bias = getattr(layer, "bias", None)
    if bias is not None and np.asarray(bias).any():
        return False
    held = np.asarray(kernel, np.float64)
    made = _made(initializer, held.shape)
    if made is None or held.size < LEAST_NUMBERS or held.size > MOST_NUMBERS or not made.std() > 0:
        return None
    error = DEVIATIONS / np.sqrt(held.size)
    alike = abs(held.std() / made.std() - 1) <= error
    slack = BEYOND if held.size > 1000 else 1.25  # few draws do not come near their bound
    return bool(alike and abs(held.mean()) <= error * made.std() and np.abs(held).max() <= slack * np.abs(made).max())


def _kernel(layer: Any) -> tuple[Any, Any]:
    for name, initializer in (("kernel", "kernel_initializer"), ("embeddings", "embeddings_initializer"),
                              ("depthwise_kernel", "depthwise_initializer")):  # fmt: skip
        try:
            kernel = getattr(layer, name, None)
        except Exception:  # not built
            return None, None
        if kernel is not None:
            return kernel, getattr(layer, initializer, None)
    return None, None


def _made(initializer: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return weights as an initializer makes them, with a seed of our own: no generator of the program's is used."""
    kind = type(initializer)
    if not kind.__module__.startswith(("keras.", "tf_keras.")):
        return None
    try:
        config = initializer.get_config()
        if "seed" not in config:
            return None
        return np.asarray(kind.from_config({**config, "seed": 1})(shape), np.float64)
    except Exception:  # an initializer of the user's
        return None


def is_put_off(model: Any, norm: Any, images: Any, left: float) -> bool:
    """Whether a BatchNormalization would be far off where this share of its averages is their beginning, 0 and 1.

    Args:
        model: Sequential or functional, of one input; of others nothing is known.
        norm: A layer of it.
        images: As fit receives them, (n, …).
        left: 0..1.
    """
    import keras

    try:
        with unchanged_random_states():
            before = np.asarray(keras.Model(model.inputs[0], norm.input)(images[:SAMPLE], training=False), np.float64)
    except Exception:  # not of one graph, not built, or whatever a layer of the user's raises
        return False
    values = np.moveaxis(before, norm.axis, -1).reshape(-1, before.shape[norm.axis])
    mean, variance = np.abs(values.mean(axis=0)), values.var(axis=0) + norm.epsilon
    scale = np.median(np.sqrt((left + (1 - left) * variance) / variance))
    return bool(scale > FAR or scale < 1 / FAR or np.median(left * mean / np.sqrt(variance)) > 1)


def is_untouched_norm(layer: Any) -> bool | None:
    """Whether a normalization has the values that it starts with; None where the layer is none."""
    if type(layer).__name__ != "BatchNormalization":
        return None
    held = {name: getattr(layer, name, None) for name in STARTS}
    return all(weight is None or bool((np.asarray(weight) == STARTS[name]).all()) for name, weight in held.items())


def moved_by_predictions(model: Any, layers: list[Any], rows: Any) -> list[Any]:
    """Return the normalizations whose averages a call outside of training moves: they go by the batch there too.

    Args:
        model: Live; it is left as it was.
        layers: Of it.
        rows: Inputs as fit receives them, (n, …).
    """
    norms = [each for each in layers if getattr(each, "moving_mean", None) is not None]
    if not norms:
        return []
    with unchanged(model):
        before = [np.array(each.moving_mean) for each in norms]
        try:
            model(rows, training=False)
        except Exception:  # whatever a layer of the user's raises on a sample
            return []
        return [each for each, held in zip(norms, before, strict=True) if (np.asarray(each.moving_mean) != held).any()]
