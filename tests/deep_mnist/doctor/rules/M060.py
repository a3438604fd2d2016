"""Nine of ten units dropped twice, and one of ten."""

from keras.layers import Dropout

from tests.support.live_examples import fitted, network


def fires():
    return fitted(network(hidden=(64, Dropout(0.9), 32, Dropout(0.9))))


def silent():
    return fitted(network(hidden=(64, Dropout(0.1), 32, Dropout(0.1))))
