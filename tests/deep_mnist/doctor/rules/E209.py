"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
graph = tf.Graph()
with graph.as_default():
    c = tf.constant(1)
with tf.Session() as sess:
    sess.run(c)
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
graph = tf.Graph()
with graph.as_default():
    c = tf.constant(1)
with tf.Session(graph=c.graph) as sess:
    sess.run(c)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
