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


def session_run(fetches: Any, feed_dict: Mapping[Any, Any]) -> Diagnosis:
    """Return the diagnosis of session.run(fetches, feed_dict), which is not made."""
    from deep_mnist.doctor.tensorflow1.graph_mode import fed_run, judge_run

    run = fed_run(fetches.graph, fetches, feed_dict)
    assert run is not None, "the feed holds no examples"
    return judge_run(run, None)
