"""What a running network shows: gradients, dead units, constant outputs, the layer where a number stops being finite.

One implementation for the rehearsal, for training's watchdog and for the Keras callback. This module imports
TensorFlow; the rest of the library imports it only where a network runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

PROBED = 256  # examples
CONSTANT_SPREAD = 1e-6  # of the outputs over the examples, relative to their size: below float32's own rounding

Loss = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Vitals:
    """One look into a network.

    Attributes:
        loss: Of the probed examples, in training mode.
        gradients: Weight path -> norm of its gradient over its own norm, first layer first; matrices and kernels only.
        unconnected: Paths of trainable weights on which the loss does not depend.
        still: Paths of trainable weights whose gradient is exactly zero.
        dead: Rectifying layer -> share of its units that are zero for every example.
        spread: Largest standard deviation of an output over the examples, relative to the outputs' size.
        finite: Every weight, gradient and output is finite.
        lowest, highest: Of the probed inputs; NaN where they hold no numbers.
    """

    loss: float
    gradients: dict[str, float]
    unconnected: tuple[str, ...]
    still: tuple[str, ...]
    dead: dict[str, float]
    spread: float
    finite: bool
    lowest: float
    highest: float

    @property
    def range_text(self) -> str:
        return f"the network gets values of {self.lowest:g} to {self.highest:g}"


def look_into(model: keras.Model, loss_of: Loss, x: Any, y: Any) -> Vitals:
    """Probe a network on some examples; its moving statistics may change, its trainable weights do not.

    Args:
        model: A Keras model on TensorFlow.
        loss_of: (x, y, outputs) -> scalar mean loss.
        x, y: Arrays (or lists and dicts of arrays) whose first axis is the examples'.
    """
    x, y = as_tensors(x), as_tensors(y)
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = loss_of(x, y, outputs)
    weights = model.trainable_variables
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    known = [(weight, _dense(each)) for weight, each in zip(weights, gradients, strict=True) if each is not None]
    finite = all(map(_is_finite, [loss, *tf.nest.flatten(outputs), *(each for _, each in known)]))
    lowest, highest = _limits(x)
    return Vitals(
        loss=float(loss),
        gradients={weight.path: _size(each, weight) for weight, each in known if _is_kernel(weight)},
        unconnected=tuple(w.path for w, each in zip(weights, gradients, strict=True) if each is None),
        still=tuple(weight.path for weight, each in known if not np.any(each) and not _is_of_one_step(weight, x)),
        dead=dead_shares(model, x),
        spread=spread_of(outputs),
        finite=finite and not broken_weights(model),
        lowest=lowest,
        highest=highest,
    )


def compiled_loss(model: keras.Model, x: Any, y: Any, outputs: Any, *, training: bool) -> Any:
    """Return the scalar loss a model was compiled with, its regularizers' included, as `fit` computes it."""
    # The public compute_loss may be overridden without `training`; Keras's own caller knows both forms.
    return model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=None, training=training)


def remember(variables: Iterable[Any]) -> Callable[[], None]:
    """Copy the values of variables and return a function that gives each its value back, bit by bit."""
    kept = [(variable, np.array(variable.value)) for variable in variables]

    def give_back() -> None:
        for variable, value in kept:
            variable.assign(value)

    return give_back


def entropy_of(shares: np.ndarray) -> float:
    """Return the entropy (nats) of shares that sum to 1; those of 0 add nothing."""
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def as_tensors(arrays: Any) -> Any:
    """Return the arrays of any nesting as tensors."""
    return tf.nest.map_structure(tf.convert_to_tensor, arrays)


def broken_weights(model: keras.Model) -> list[str]:
    """Return the paths of the weights that hold NaN or infinity."""
    return [weight.path for weight in model.weights if not _is_finite(weight.value)]


def dead_shares(model: keras.Model, x: Any) -> dict[str, float]:
    """Return, for each rectifying layer of a functional network, the share of its units that are never above 0."""
    found = _layer_outputs(model, x, is_rectifier)
    return {layer.name: _dead_share(output) for layer, output in found}


def first_broken_layer(model: keras.Model, x: Any) -> str:
    """Return the name of the first layer whose output is not finite, "" when none is or the layers are not known."""
    for layer, output in _layer_outputs(model, x, lambda layer: bool(layer.name)):
        if not all(map(_is_finite, tf.nest.flatten(output))):
            return str(layer.name)
    return ""


def first_steep_layer(model: keras.Model, x: Any) -> str:
    """Return the name of the first layer of finite outputs and a gradient that is not, "" when none is known."""
    graph_of = getattr(model, "operations", None) or model.layers
    for each in graph_of:
        try:
            before = keras.Model(model.inputs, each.input)(x, training=False)
            with tf.GradientTape() as tape:
                tape.watch(before)
                after = each(before)
            gradient = tape.gradient(after, before)
        except Exception:  # an input, several inputs, a layer that is not of the graph, or code of the user's own
            continue
        if _is_finite(before) and _is_finite(after) and gradient is not None and not _is_finite(_dense(gradient)):
            return str(each.name)
    return ""


def is_rectifier(layer: keras.layers.Layer) -> bool:
    """Whether a layer's units can die: ReLU and ReLU6, as a layer or an activation."""
    if isinstance(layer, keras.layers.ReLU):
        return not layer.negative_slope
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name in ("relu", "relu6")


def spread_of(outputs: Any) -> float:
    """Return the outputs' largest standard deviation over the examples, relative to their mean size."""
    spreads = [0.0]
    for output in tf.nest.flatten(outputs):
        values = np.asarray(tf.cast(output, tf.float64))  # float32's sum over the examples errs by more than 1e-6
        if values.ndim and len(values) > 1:
            spreads.append(float(values.std(axis=0).max()) / (float(np.abs(values).mean()) + 1e-30))
    return max(spreads)


def constant_loss(labels: Any, loss: str | None) -> float | None:
    """Return the loss (nats) of the best prediction that ignores its input, None where the loss is no cross-entropy.

    Args:
        labels: Classes (n,) or (n, 1), one-hot rows (n, classes), or targets in 0..1 of a binary cross-entropy.
        loss: Snake-case name, as `deep_mnist.contract.contract.loss_name` gives it.
    """
    if not hasattr(labels, "shape") or not len(labels):
        return None
    labels = np.asarray(labels)
    if loss == "binary_crossentropy":
        shares = np.clip(labels.reshape(len(labels), -1).mean(axis=0), 1e-9, 1 - 1e-9)
        return float(-(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).mean())
    if loss not in ("sparse_categorical_crossentropy", "categorical_crossentropy"):
        return None
    if labels.ndim == 2 and labels.shape[1] > 1 and loss == "categorical_crossentropy":
        shares = labels.mean(axis=0)
    else:
        _, counts = np.unique(labels.reshape(-1), return_counts=True)
        shares = counts / counts.sum()
    return entropy_of(shares)


def _layer_outputs(
    model: keras.Model, x: Any, chooses: Callable[[keras.layers.Layer], bool]
) -> Iterator[tuple[keras.layers.Layer, Any]]:
    """Yield layers with their outputs, first layer first; nothing for a network whose graph Keras does not hold."""
    chosen: Sequence[keras.layers.Layer] = [layer for layer in model.layers if chooses(layer)]
    try:
        graph = keras.Model(model.inputs, [layer.output for layer in chosen]) if chosen else None
        outputs = graph(x, training=False) if graph else []
    except (AttributeError, ValueError, TypeError, KeyError):  # subclassed, shared, or not yet called
        return
    yield from zip(chosen, outputs if isinstance(outputs, (list, tuple)) else [outputs], strict=True)


def _dead_share(output: Any) -> float:
    values = np.asarray(tf.cast(output, tf.float32))
    return float(np.mean(np.all(values <= 0, axis=tuple(range(values.ndim - 1)))))


def _dense(gradient: Any) -> np.ndarray:
    """Return a gradient as an array; an embedding's comes as rows."""
    return np.asarray(tf.cast(tf.convert_to_tensor(gradient), tf.float32))


def _is_of_one_step(weight: Any, x: Any) -> bool:
    """Whether a weight is a recurrent kernel and sequences have one step: their state before it is zero."""
    steps = [each.shape[1] for each in tf.nest.flatten(x) if len(each.shape) == 3]
    return weight.path.endswith("recurrent_kernel") and 1 in steps


def _is_kernel(weight: Any) -> bool:
    """Whether a weight is a matrix that has a size: biases and what starts at zero have none to compare with."""
    return len(weight.shape) > 1 and float(tf.norm(tf.cast(weight.value, tf.float32))) > 1e-6


def _size(gradient: np.ndarray, weight: Any) -> float:
    return float(np.linalg.norm(gradient)) / (float(tf.norm(tf.cast(weight.value, tf.float32))) + 1e-12)


def _is_finite(value: Any) -> bool:
    array = np.asarray(value)
    return (array.dtype.kind not in "fc" and array.dtype.name != "bfloat16") or bool(
        np.isfinite(array.astype(np.float32)).all()
    )


def _limits(x: Any) -> tuple[float, float]:
    arrays = [np.asarray(each) for each in tf.nest.flatten(x)]
    numbers = [each for each in arrays if each.dtype.kind in "fiub" and each.size]
    if not numbers:
        return math.nan, math.nan
    return float(min(each.min() for each in numbers)), float(max(each.max() for each in numbers))
