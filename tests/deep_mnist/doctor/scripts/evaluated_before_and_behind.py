# expect: unfit images.range
"""Evaluates the untrained network, fits on scaled pixels, and tests on raw ones: the fit is judged, and that test."""

import keras
import numpy as np

digits = np.load("digits.npz")
x_train, y_train = digits["x_train"] / 255, digits["y_train"]
x_test, y_test = digits["x_test"].astype("float32"), digits["y_test"]
model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
loss, accuracy = model.evaluate(x_train, y_train)
print(f"untrained: {loss:.2f}, {accuracy:.2f}")
model.fit(x_train, y_train, epochs=2)
print(model.evaluate(x_test, y_test))
