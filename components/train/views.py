"""Test-time augmentation as a part of the saved network: its scores are the mean over some moved copies of an image.

About one in ten of a trained network's errors goes (bench/README.md), for the work of a prediction of each view. The
layers are Keras' own and share their weights, so whatever reads a network file reads this one.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from keras import layers


def with_views(network: keras.Model, views: Iterable[tuple[int, int]]) -> keras.Model:
    """Return a network of the same layers that predicts from the image and from moved copies of it.

    Args:
        network: A compiled Sequential model of images (rows, columns, channels) that begins with a Rescaling without
            an offset, so that black stays 0, and ends in a softmax.
        views: Of each copy, by how many pixels the image is moved down and to the right; what it leaves is 0.
            Without any, the network itself is returned.

    Raises:
        ValueError: The network begins or ends otherwise.
    """
    views = tuple(views)
    if not views:
        return network
    first, *middle, last = network.layers
    if not isinstance(first, layers.Rescaling) or np.any(first.offset):
        raise ValueError(f"Expected a Rescaling without an offset first. Received: {first.name}. Fix: leave views out.")
    if getattr(last, "activation", None) is not keras.activations.softmax:
        raise ValueError(f"Expected a network that ends in a softmax. Received: {last.name}. Fix: leave views out.")
    scoring = type(last).from_config({**last.get_config(), "activation": "linear"})
    images = keras.Input(network.input_shape[1:], dtype=network.inputs[0].dtype, name=network.inputs[0].name)
    scaled = first(images)  # and moved as floats: LiteRT does not pad bytes
    scores = []
    for seen in (scaled, *(_moved(scaled, *view, name=f"view{number}") for number, view in enumerate(views, 2))):
        for layer in (*middle, scoring):
            seen = layer(seen)
        scores.append(seen)
    scoring.set_weights(last.get_weights())
    probabilities = layers.Softmax(name="probabilities")(layers.Average(name="mean_of_views")(scores))
    model = keras.Model(images, probabilities, name=network.name)
    model.compile_from_config(network.get_compile_config())
    return model


def _moved(images: keras.KerasTensor, down: int, right: int, *, name: str) -> keras.KerasTensor:
    """Return images moved by some pixels, zeros where they leave."""
    added = (max(down, 0), max(-down, 0)), (max(right, 0), max(-right, 0))
    cut = (added[0][::-1], added[1][::-1])
    return layers.Cropping2D(cut, name=name)(layers.ZeroPadding2D(added, name=f"{name}_padded")(images))
