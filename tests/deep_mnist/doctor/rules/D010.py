"""A dataset without batch(), and with it."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS)


def silent():
    return checked(DIGITS.batch(32))
