# expect: unfit images.rank
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
x_train, x_test = (x.astype("float32") / 255 for x in (x_train, x_test))

import tensorflow as tf

model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(600)
model.fit(train, epochs=2)
