"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import tensorflow as tf
x = keras.Input((8, 8, 3))
y = tf.image.adjust_hue(x, 0.1)
"""
MENDED = """\
import keras
import tensorflow as tf
x = keras.Input((8, 8, 3))
y = keras.layers.Lambda(lambda t: tf.image.adjust_hue(t, 0.1))(x)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
