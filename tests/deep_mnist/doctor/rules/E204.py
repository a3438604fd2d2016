"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
i = tf.constant(0)
rows = tf.zeros([1, 3])
tf.while_loop(lambda i, rows: i < 3, lambda i, rows: (i + 1, tf.concat([rows, rows], 0)), [i, rows])
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
i = tf.constant(0)
rows = tf.zeros([1, 3])
tf.while_loop(lambda i, rows: i < 3, lambda i, rows: (i + 1, tf.concat([rows, rows], 0)), [i, rows], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 3])])
"""  # noqa: E501


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
