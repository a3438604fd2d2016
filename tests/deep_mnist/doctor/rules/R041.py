"""First weights of tens in every layer, which a run of small steps does not bring down."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed

LARGE = {"class_name": "RandomNormal", "config": {"stddev": 10.0, "seed": 0}}


def fires():
    x, y = blobs()
    hidden = layers.Dense(16, activation="relu", kernel_initializer=LARGE)
    return rehearsed(network(hidden, kernel_initializer=LARGE), x, y)


def silent():
    x, y = blobs()
    return rehearsed(network(layers.Dense(16, activation="relu")), x, y)
