# expect: unfit images.range images.dtype
import argparse

import numpy as np
from tensorflow import keras


def build(units):
    layers = [keras.layers.Flatten(), keras.layers.Dense(units, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def train(model, images, labels, epochs):
    return model.fit(images, labels, epochs=epochs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    with np.load("digits.npz") as data:
        digits, classes = data["x_train"], data["y_train"]
    train(build(10), digits, classes, options.epochs)
