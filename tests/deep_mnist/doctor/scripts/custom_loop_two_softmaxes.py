# expect: unfit contract.from_logits
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
x_train, x_test = (x.astype("float32") / 255 for x in (x_train, x_test))

import tensorflow as tf

model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.Adam()
batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(600).batch(32)


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = loss_fn(y, model(x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


for epoch in range(2):
    for x, y in batches:
        train_step(x, y)
