"""A layer within a functional network that is made anew by the size of its batch, and by what a graph has of it."""

from tests.support.crashing import crashed

LAYER = """import keras
import tensorflow as tf
class Flat(keras.layers.Layer):
    def call(self, x):
        return tf.reshape(x, ({size}, 12))
out = Flat()(keras.Input((3, 4)))
"""


def fires():
    return crashed(LAYER.format(size="x.shape[0]"))


def silent():
    return crashed(LAYER.format(size="tf.shape(x)[0]"))
