# expect: unfit images.range
import multiprocessing

import numpy as np
from tensorflow import keras


def train(seed):
    keras.utils.set_random_seed(seed)
    with np.load("digits.npz") as data:
        x_train, y_train = data["x_train"].astype("float32"), data["y_train"]
    model = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model.fit(x_train, y_train).history


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(train, [0, 1]))
