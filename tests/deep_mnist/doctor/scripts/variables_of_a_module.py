# expect: unusable variables
import numpy as np
import tensorflow as tf

digits = np.load("digits.npz")
rows = digits["x_train"].reshape(len(digits["x_train"]), -1).astype("float32") / 255


class Coder(tf.Module):
    def __init__(self, size, code):
        super().__init__()
        self.to_code = tf.Variable(tf.random.normal((size, code), stddev=0.1))
        self.back = tf.Variable(tf.random.normal((code, size), stddev=0.1))

    def __call__(self, given):
        return tf.sigmoid(tf.sigmoid(given @ self.to_code) @ self.back)


@tf.function
def learn(coder, optimizer, given):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((coder(given) - given) ** 2)
    gradients = tape.gradient(loss, coder.trainable_variables)
    optimizer.apply_gradients(zip(gradients, coder.trainable_variables, strict=True))
    return loss


def main(epochs=10_000_000):
    coder, optimizer = Coder(rows.shape[1], 32), tf.optimizers.Adam(0.01)
    for _ in range(epochs):
        for batch in tf.data.Dataset.from_tensor_slices(rows).batch(100):
            learn(coder, optimizer, batch)


main()
