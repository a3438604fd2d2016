"""fit before compile(), and after."""

import keras

from deep_mnist.doctor import check
from tests.support.live_examples import drawn

images, labels = drawn()


def network():
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])


def fires():
    return check(network(), images, labels)


def silent():
    model = network()
    model.compile(loss="sparse_categorical_crossentropy")
    return check(model, images, labels)
