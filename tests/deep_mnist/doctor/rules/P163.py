"""A callback whose method takes the epoch alone, and one that takes the logs, too."""

import keras

from tests.support.live_examples import fitted


class EpochAlone(keras.callbacks.Callback):
    def on_epoch_end(self, epoch):
        """Say nothing."""


class EpochAndLogs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        """Say nothing."""


def fires():
    return fitted(callbacks=[EpochAlone()])


def silent():
    return fitted(callbacks=[EpochAndLogs()])
