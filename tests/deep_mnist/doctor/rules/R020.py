"""A base that was frozen as a whole, its head included."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    model = network(layers.Dense(16, activation="relu"))
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    return rehearsed(model, *blobs())


def silent():
    model = network(layers.Dense(16, activation="relu"))
    model.layers[0].trainable = False  # the head learns
    model.compile("adam", "sparse_categorical_crossentropy")
    return rehearsed(model, *blobs())
