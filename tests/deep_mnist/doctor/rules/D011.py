"""batch() twice; batches that are taken apart before may be made anew, and a first one may cut a text into pieces."""

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.doctor import check
from tests.support.live_examples import checked, drawn

DIGITS = tf.data.Dataset.from_tensor_slices(drawn())


def fires():
    return checked(DIGITS.batch(32).batch(2))


def silent():
    text = tf.data.Dataset.from_tensor_slices(np.random.default_rng(0).integers(0, 40, 8000))
    pieces = text.batch(41, drop_remainder=True).map(lambda piece: (piece[:-1], piece[1:])).shuffle(100).batch(16)
    network = keras.Sequential([keras.layers.Embedding(40, 8), keras.layers.LSTM(8, return_sequences=True),
                                keras.layers.Dense(40)])  # fmt: skip
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return [*check(network, pieces).findings, *checked(DIGITS.batch(32).unbatch().batch(16)).findings]
