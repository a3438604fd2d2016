"""A sigmoid for targets of 20 to 40, under squared error."""

from keras import layers

from tests.support.example_networks import line, regressor, rehearsed


def fires():
    return rehearsed(regressor(layers.Dense(16, activation="relu"), activation="sigmoid"), *line(30.0))


def silent():
    return rehearsed(regressor(layers.Dense(16, activation="relu"), activation="sigmoid"), *line(0.5, scale=0.1))
