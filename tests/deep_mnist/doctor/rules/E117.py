"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
W = tf.Variable(np.zeros((4, 2)))
y = tf.matmul(x, W)
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
W = tf.Variable(np.zeros((4, 2)))
W = tf.cast(W, tf.float32)
y = tf.matmul(x, W)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
