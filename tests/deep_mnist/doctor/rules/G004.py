"""Accuracy measured with half of the units left out, and with all of them."""

import numpy as np
import tensorflow.compat.v1 as tf

from tests.support.live_examples import drawn, session_run


def accuracy(keep):
    images, labels = drawn()
    with tf.Graph().as_default():
        x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
        keep_prob = tf.placeholder(tf.float32)
        y = tf.matmul(tf.nn.dropout(x, keep_prob), tf.Variable(tf.zeros([784, 10])))
        correct = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
        measured = tf.reduce_mean(tf.cast(correct, tf.float32))
        return session_run(measured, {x: images.reshape(-1, 784), y_: np.eye(10)[labels], keep_prob: keep})


def fires():
    return accuracy(keep=0.5)


def silent():
    return accuracy(keep=1.0)
