"""A dataset without an end; with steps_per_epoch it is usual."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS.batch(32).repeat())


def silent():
    return checked(DIGITS.batch(32).repeat(), steps_per_epoch=4)
