# expect: unfit images.range
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))

model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return len(x_train) // 32

    def __getitem__(self, index):
        part = slice(32 * index, 32 * index + 32)
        return x_train[part].astype("float32"), y_train[part]


model.fit(Batches(), epochs=2)
