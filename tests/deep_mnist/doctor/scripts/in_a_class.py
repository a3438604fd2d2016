# expect: unfit images.range images.dtype
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))

model = keras.Sequential(
    [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


class Trainer:
    def __init__(self, net, images, labels):
        self.net = net
        self.images, self.labels = images[..., None], labels

    def run(self):
        return self.net.fit(self.images, self.labels, epochs=2)


Trainer(model, x_train, y_train).run()
