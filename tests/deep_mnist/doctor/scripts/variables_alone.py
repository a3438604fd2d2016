# expect: unusable variables
import numpy as np
import tensorflow as tf

digits = np.load("digits.npz")
rows = digits["x_train"].reshape(len(digits["x_train"]), -1).astype("float32") / 255
classes = digits["y_train"].astype("int64")
slopes = tf.Variable(tf.zeros((rows.shape[1], 10)))
start = tf.Variable(tf.zeros(10))
for epoch in range(10_000_000):
    with tf.GradientTape() as tape:
        scores = rows @ slopes + start
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=scores))
    of_slopes, of_start = tape.gradient(loss, [slopes, start])
    slopes.assign_sub(0.5 * of_slopes)
    start.assign_sub(0.5 * of_start)
