"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
keep_prob = tf.placeholder(tf.float32)
h = x * keep_prob
data = np.zeros((2, 4))
with tf.Session() as sess:
    sess.run(h, feed_dict={x: data})
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
keep_prob = tf.placeholder(tf.float32)
h = x * keep_prob
data = np.zeros((2, 4))
with tf.Session() as sess:
    sess.run(h, feed_dict={x: data, keep_prob: 1.0})
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
