# expect: fit
import keras
import numpy as np
import tensorflow as tf

digits = np.load("digits.npz")
x_train, y_train = digits["x_train"].astype("float32") / 255, digits["y_train"]

slope = tf.Variable(0.0)
for _ in range(5):
    with tf.GradientTape() as tape:
        loss = (3 * slope - 6) ** 2
    slope.assign_sub(0.05 * tape.gradient(loss, slope))

model = keras.Sequential(
    [
        keras.Input(x_train.shape[1:]),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2)
