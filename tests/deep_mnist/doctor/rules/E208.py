"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [])
if x > 1:
    x = x / 2
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [])
x = tf.where(x > 1, x / 2, x)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
