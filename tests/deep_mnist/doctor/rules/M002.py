"""A Normalization layer before and after adapt()."""

import keras

from deep_mnist.doctor import check
from tests.support.live_examples import drawn

images, labels = drawn()


def network(normalization):
    model = keras.Sequential([keras.Input((28, 28, 1)), normalization, keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fires():
    return check(network(keras.layers.Normalization()), images, labels)


def silent():
    normalization = keras.layers.Normalization()
    normalization.adapt(images)
    return check(network(normalization), images, labels)
