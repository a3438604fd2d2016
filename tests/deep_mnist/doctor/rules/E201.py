"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
y_ = tf.placeholder(tf.float32, [None, 10])
labels = np.arange(5)
with tf.Session() as sess:
    sess.run(y_ * 2, {y_: labels})
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
y_ = tf.placeholder(tf.float32, [None, 10])
labels = np.arange(5)
with tf.Session() as sess:
    sess.run(y_ * 2, {y_: np.eye(10)[labels]})
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
