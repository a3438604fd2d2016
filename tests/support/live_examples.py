"""What the examples of rules on live calls are written with: a Keras network, a TensorFlow 1 session's run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deep_mnist.doctor import check
from deep_mnist.doctor.diagnosis import Diagnosis
from tests.support.doctor_cases import digits


def drawn(count: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return digits in random order: float32 (count, 28, 28, 1) in 0..1, and their classes, int64 (count,)."""
    arrays = digits(train=400).arrays
    return arrays["train_images"][:count], arrays["train_labels"][:count].astype(np.int64)


def checked(x: Any, y: Any = None, **fit: Any) -> Diagnosis:
    """Return doctor.check(model, x, y, …) for a small compiled network that takes 28 x 28 digits."""
    import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return check(model, x, y, **fit)


def table(classes: int = 4, count: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in random order: float32 (count, 12), and their classes, int64 (count,)."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, count)
    centers = random.normal(size=(classes, 12)) * 2
    return (centers[labels] + random.normal(size=(count, 12))).astype(np.float32), labels


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return float32 (n, classes) of class numbers (n,)."""
    rows: np.ndarray = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    return rows


def network(units: int = 4, activation: str | None = "softmax", hidden: Any = (16,)) -> Any:
    """Return a network for the rows of table(), not compiled; `hidden` holds numbers of units, or layers."""
    import keras

    inner = [keras.layers.Dense(each, activation="relu") if isinstance(each, int) else each for each in hidden]
    return keras.Sequential([keras.Input((12,)), *inner, keras.layers.Dense(units, activation=activation)])


def fitted(
    model: Any = None, y: Any = None, *, loss: Any = None, metrics: Any = None, optimizer: Any = "adam", **fit: Any
) -> Diagnosis:
    """Return doctor.check of a fit of twenty epochs on table(), the network compiled first."""
    x, labels = table()
    model = network() if model is None else model
    model.compile(optimizer, loss or "sparse_categorical_crossentropy", metrics=metrics)
    return check(model, x, labels if y is None else y, **{"epochs": 20, **fit})


def linear_table(count: int = 80, columns: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of independent numbers, float32 (count, columns) of about -3..3, and a linear target (count,)."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(count, columns)).astype(np.float32)
    return rows, rows @ np.arange(1, columns + 1, dtype=np.float32)


def regressed(
    x: Any, y: Any = None, *, columns: int = 3, first: Any = None, optimizer: Any = "adam",
    loss: str = "mean_squared_error", **fit: Any,
) -> Diagnosis:  # fmt: skip
    """Return doctor.check(model, x, y, …) for a small network that predicts one number from some columns.

    Args:
        x, y: As fit takes them; y a linear target by default.
        columns: Length of the input.
        first: A layer in the place of Dense(8, "relu").
        optimizer, loss: As compile takes them.
        **fit: Arguments of fit.
    """
    import keras

    hidden = [first, keras.layers.Flatten()] if first is not None else [keras.layers.Dense(8, activation="relu")]
    model = keras.Sequential([keras.Input((columns,)), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer=optimizer, loss=loss)
    return check(model, x, linear_table(len(x))[1] if y is None else y, **{"epochs": 50, **fit})


def session_run(fetches: Any, feed_dict: Mapping[Any, Any]) -> Diagnosis:
    """Return the diagnosis of session.run(fetches, feed_dict), which is not made."""
    from deep_mnist.doctor.tensorflow1.graph_mode import fed_run, judge_run

    run = fed_run(fetches.graph, fetches, feed_dict)
    assert run is not None, "the feed holds no examples"
    return judge_run(run, None).diagnosis
