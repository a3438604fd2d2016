"""Validation data without an end; with validation_steps they are fine."""

import tensorflow as tf

from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS.batch(32), validation_data=DIGITS.batch(32).repeat())


def silent():
    return checked(DIGITS.batch(32), validation_data=DIGITS.batch(32).repeat(), validation_steps=4)
