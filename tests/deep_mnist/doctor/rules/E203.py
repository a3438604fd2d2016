"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
batch = tf.ones([2, 4])
with tf.Session() as sess:
    sess.run(x + 1, feed_dict={x: batch})
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
batch = tf.ones([2, 4])
with tf.Session() as sess:
    sess.run(x + 1, feed_dict={x: sess.run(batch)})
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
