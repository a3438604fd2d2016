# expect: fit
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))

model = keras.Sequential(
    [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

import tensorflow as tf


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten, self.out = keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")

    def call(self, x, training=False):
        return self.out(self.flatten(x))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


net = Net()
net.compile("adam", "sparse_categorical_crossentropy")
net.fit(x_train / np.float32(255), y_train)
