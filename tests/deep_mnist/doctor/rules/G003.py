"""Adam at 0 and at 0.0001."""

import numpy as np
import tensorflow.compat.v1 as tf

from tests.support.live_examples import drawn, session_run


def training(rate):
    images, labels = drawn()
    with tf.Graph().as_default():
        x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
        logits = tf.matmul(x, tf.Variable(tf.zeros([784, 10])))
        loss = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits)
        step = tf.train.AdamOptimizer(rate).minimize(loss)
        return session_run(step, {x: images.reshape(-1, 784), y_: np.eye(10)[labels]})


def fires():
    return training(rate=0.0)


def silent():
    return training(rate=1e-4)
