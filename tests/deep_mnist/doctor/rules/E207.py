"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
def layer(x):
    return x * tf.get_variable("w", [3])
a = layer(tf.ones([2, 3]))
b = layer(tf.ones([2, 3]))
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
def layer(x):
    return x * tf.get_variable("w", [3])
a = layer(tf.ones([2, 3]))
with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
    b = layer(tf.ones([2, 3]))
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
