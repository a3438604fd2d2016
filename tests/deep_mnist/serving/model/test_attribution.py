"""Gradient × input: by hand for a linear network, and refused where there is no gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_mnist.serving.model.attribution import Attribution
from tests.support.trained import make_record, write_trained

pytestmark = pytest.mark.usefixtures("fresh_processes")


def test_a_linear_softmax_is_attributed_as_by_hand(tmp_path: Path) -> None:
    """d log p / dx is the winner's weights less their mean under the probabilities, times the pixels; uint8 or not."""
    import keras

    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1), dtype="uint8"), *layers])
    image = np.random.default_rng(1).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    probabilities = model.predict(image[..., None], verbose=0)[0]
    found = Attribution(write_trained(tmp_path / "softmax", model, make_record())).of(image)

    weights = model.get_weights()[0]
    by_hand = (weights[:, probabilities.argmax()] - weights @ probabilities) * image.ravel() / 255
    assert found.shape == (28, 28, 1)
    np.testing.assert_allclose(found.ravel(), by_hand, atol=1e-4)


def test_a_network_without_a_gradient_is_told(tmp_path: Path) -> None:
    """A threshold has none."""
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Discretization([128.0]), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    folder = write_trained(tmp_path / "steps", model, make_record(dtype="float32", scale=1 / 255))
    with pytest.raises(ValueError, match="Expected a network with a gradient"):
        Attribution(folder).of(np.zeros((1, 28, 28), np.uint8))
