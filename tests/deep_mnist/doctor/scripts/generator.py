# expect: fit
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
x_train, x_test = (x.astype("float32") / 255 for x in (x_train, x_test))

model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


def batches():
    random = np.random.default_rng(0)
    while True:
        chosen = random.permutation(len(x_train))[:32]
        yield x_train[chosen], y_train[chosen]


model.fit(batches(), steps_per_epoch=20, epochs=2)
