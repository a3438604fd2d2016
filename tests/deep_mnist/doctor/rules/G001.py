"""log(softmax(...)) as it stands, and kept from 0."""

import numpy as np
import tensorflow.compat.v1 as tf

from tests.support.live_examples import drawn, session_run


def training(lowest):
    images, labels = drawn()
    with tf.Graph().as_default():
        x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
        logits = tf.matmul(x, tf.Variable(tf.zeros([784, 10])))
        y = tf.nn.softmax(logits)
        loss = -tf.reduce_sum(y_ * tf.log(tf.clip_by_value(y, lowest, 1.0) if lowest else y))
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        return session_run(step, {x: images.reshape(-1, 784), y_: np.eye(10)[labels]})


def fires():
    return training(lowest=0.0)


def silent():
    return training(lowest=1e-10)
