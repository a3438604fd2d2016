# expect: fit
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))


def build():
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


history = build().fit(x_train.astype("float32") / 255, y_train, epochs=2)
print(max(history.history["accuracy"]))
model = build()
model.fit(x_train.astype("float32"), y_train)
loss, accuracy = model.evaluate(x_test.astype("float32") / 255, y_test)
build().fit(x_train / np.float32(255), y_train)
