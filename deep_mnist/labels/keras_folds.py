"""Out-of-fold predictions of a live Keras model: for each fold a fresh one, trained as the model was compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATCH = 32
SCORED = 1000  # examples at a time


class UnclonableModelError(ValueError):
    """A model of which no fresh copy can be made."""

    fix = "give a compiled Sequential or functional Keras model"


def predict_folds(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    fold: np.ndarray,
    *,
    epochs: int,
    seed: int = 0,
    each: Callable[[int, np.ndarray], None] = lambda _number, _found: None,
    known: Callable[[int], np.ndarray | None] = lambda _number: None,
) -> np.ndarray:
    """Return float32 (n, classes): each example's probabilities by a copy of the model that never saw its fold.

    The model itself is left as it is. A model that was not trained yet lends its weights to every copy, so that what
    was pretrained stays; one that was trained has seen every fold, and lends only what is not trained.

    Args:
        model: Compiled; one output of classes.
        x: As the model takes it, examples on the first axis.
        y: As its loss takes it.
        fold: int64 (n,).
        epochs: Passes of each training.
        seed: Of weights and order; set for the whole process.
        each: Receives every fold's number and predictions when they are there.
        known: Returns a fold's predictions when they are known already.
    """
    import keras

    found: dict[int, np.ndarray] = {}
    for number in range(int(fold.max()) + 1):
        part = known(number)
        if part is None:
            keras.utils.set_random_seed(seed)
            copy = fresh_copy(model)
            others, own = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            copy.fit(x[others], y[others], epochs=epochs, batch_size=BATCH, verbose=0)
            part = as_probabilities(np.asarray(copy.predict(x[own], batch_size=SCORED, verbose=0)))
            each(number, part)
        found[number] = part
    whole = np.zeros((len(fold), found[0].shape[1]), np.float32)
    for number, part in found.items():
        whole[fold == number] = part
    return whole


def fresh_copy(model: Any) -> Any:
    """Return a compiled copy that has learned nothing of the data.

    Raises:
        UnclonableModelError: It is a subclass without a configuration, or was not compiled.
    """
    import keras

    if not getattr(model, "compiled", False):
        raise UnclonableModelError(f"Expected a compiled model. Received: {model.name}, not compiled. Fix: Compile it.")
    try:
        copy = keras.models.clone_model(model)
        copy.compile_from_config(model.get_compile_config())
    except Exception as error:  # Keras raises nearly every kind on code of one's own
        raise UnclonableModelError(
            f"Expected a Sequential or functional model. Received: {model.name}: {str(error).splitlines()[0]}. "
            "Fix: Build it of layers, with a loss of Keras' own."
        ) from error
    if not int(model.optimizer.iterations.numpy() if hasattr(model.optimizer.iterations, "numpy") else 0):
        copy.set_weights(model.get_weights())
        return copy
    for old, new in zip(model.layers, copy.layers, strict=True):
        if old.weights and not old.trainable_weights:
            new.set_weights(old.get_weights())
    return copy


def as_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return float32 (n, classes >= 2) of a network's outputs: probabilities, logits, or one column for two classes.

    >>> as_probabilities(np.array([[0.25]])).tolist()
    [[0.75, 0.25]]
    """
    values = np.asarray(scores, np.float64).reshape(len(scores), -1)
    if values.shape[1] == 1:
        sure = values if 0 <= values.min() and values.max() <= 1 else 1 / (1 + np.exp(-values))
        return np.concatenate([1 - sure, sure], axis=1).astype(np.float32)
    if not (values.min() >= 0 and np.abs(values.sum(axis=1) - 1).max() < 1e-2):
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        values = powers / powers.sum(axis=1, keepdims=True)
    return values.astype(np.float32)
