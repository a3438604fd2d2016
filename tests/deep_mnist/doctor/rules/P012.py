"""AUC of logits, and AUC that is told of them."""

import keras

from tests.support.live_examples import fitted, network, table

ANSWERS = table(2)[1]


def judged(metric):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return fitted(network(1, None), ANSWERS, loss=loss, metrics=[metric])


def fires():
    return judged(keras.metrics.AUC())


def silent():
    return judged(keras.metrics.AUC(from_logits=True))
