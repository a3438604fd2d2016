"""The network that is saved predicts from several views of an image, with the weights of the one that was trained."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from components.train.networks import NETWORKS
from components.train.views import with_views
from deep_mnist.contract.load import load_contract

FAST = NETWORKS["fast"]


def moved(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return images moved by pixels, by numpy: what is outside of them is 0."""
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return wide[:, 2 - down : 30 - down, 2 - right : 30 - right]


def test_the_scores_are_the_mean_over_the_views() -> None:
    """Its probabilities are the softmax of the mean of what the trained network says of each view."""
    network = FAST.build()
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
    views = ((2, 0), (0, -1), (-1, 1))

    found = np.asarray(with_views(network, views)(images, training=False))

    logs = [np.log(np.asarray(network(moved(images, *view), training=False))) for view in ((0, 0), *views)]
    expected = np.exp(np.mean(logs, axis=0))
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-6)


def test_it_is_the_trained_network_in_all_else(tmp_path) -> None:
    """The same weights in the same order, and a file of which the doctor reads the same contract."""
    network = FAST.build()
    seen = with_views(network, FAST.recipe.views)
    network.save(tmp_path / "one.keras")
    seen.save(tmp_path / "views.keras")
    one, several = (load_contract(tmp_path / f"{name}.keras").to_dict() for name in ("one", "views"))

    assert all(map(np.array_equal, seen.get_weights(), network.get_weights()))
    assert {**one, "name": ""} == {**several, "name": ""} and seen.name == network.name


def test_a_network_without_views_stays_as_it_is() -> None:
    network = NETWORKS["example2"].build()

    assert with_views(network, NETWORKS["example2"].recipe.views) is network


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (layers.Rescaling(1 / 255), layers.Dense(10, name="scores"), r"ends in a softmax\. Received: scores"),
        (
            layers.Rescaling(1 / 127.5, -1, name="signed"),
            layers.Softmax(),
            r"without an offset first\. Received: signed",
        ),
        (layers.Flatten(name="flat"), layers.Softmax(), r"without an offset first\. Received: flat"),
    ],
)
def test_what_begins_or_ends_otherwise_is_refused(first: layers.Layer, last: layers.Layer, message: str) -> None:
    network = keras.Sequential([keras.Input((28, 28, 1)), first, layers.Flatten(), last])
    network.compile("adam", "sparse_categorical_crossentropy")

    with pytest.raises(ValueError, match=message):
        with_views(network, ((1, 1),))
