"""A softmax over axis 0, the batch's."""

from keras import layers

from tests.support.example_networks import blobs, rehearsed


def over(axis):
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dense(4), layers.Softmax(axis=axis)])
    model.compile("adam", "sparse_categorical_crossentropy")
    return rehearsed(model, *blobs())


def fires():
    return over(0)


def silent():
    return over(-1)
