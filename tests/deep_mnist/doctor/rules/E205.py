"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
W = tf.Variable(tf.ones([4, 3]))
logits, y = tf.matmul(x, W), tf.placeholder(tf.float32, [None, 3])
loss = tf.reduce_mean(tf.cast(tf.argmax(logits, 1), tf.float32))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
"""
MENDED = """\
import numpy as np
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 4])
W = tf.Variable(tf.ones([4, 3]))
logits, y = tf.matmul(x, W), tf.placeholder(tf.float32, [None, 3])
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
