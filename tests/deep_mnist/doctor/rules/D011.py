"""batch() twice; batches that are taken apart before may be made anew."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS.batch(32).batch(2))


def silent():
    return checked(DIGITS.batch(32).unbatch().batch(16))
