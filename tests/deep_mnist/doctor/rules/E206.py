"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
W = tf.Variable(tf.ones([3]), name="weights")
with tf.Session() as session:
    session.run(W)
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
W = tf.Variable(tf.ones([3]), name="weights")
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    session.run(W)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
