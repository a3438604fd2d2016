"""shuffle() behind batch(), and before it."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS.batch(32).shuffle(100))


def silent():
    return checked(DIGITS.shuffle(100).batch(32))
