"""cache() behind shuffle(), and before it."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS.shuffle(100).cache().batch(32))


def silent():
    return checked(DIGITS.cache().shuffle(100).batch(32))
