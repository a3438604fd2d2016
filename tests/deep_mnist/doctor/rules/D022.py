"""cache() behind a random map(), and before it."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def flipped(image, label):
    return tf.image.random_flip_left_right(image), label


def fires():
    return checked(DIGITS.map(flipped).cache().batch(32))


def silent():
    return checked(DIGITS.cache().map(flipped).batch(32))
