"""The first example of "Why is my Deep MNIST implementation failing?": raw pixels into a network that does not scale.

The images come as uint8 in 0..255 and go straight in. Flatten changes their shape alone, so the first Dense layer meets
numbers two hundred times too large. Nothing fails: training is slow and ends too low.

    python -m deep_mnist.doctor examples/example1_raw_pixels.py     # unfit, with both reasons
"""

import tensorflow as tf

(x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()

model = tf.keras.models.Sequential(
    [
        tf.keras.layers.Flatten(input_shape=(28, 28)),
        tf.keras.layers.Dense(128, activation="relu"),
        tf.keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

model.fit(x_train, y_train, epochs=5)
