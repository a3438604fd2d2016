"""A metric of one's own, of which Keras cannot tell whether higher is better, and the same with a mode."""

import keras

from tests.support.live_examples import fitted


def confidence(_, predicted):
    return keras.ops.mean(keras.ops.max(predicted, axis=-1))


def judged(mode):
    stop = keras.callbacks.EarlyStopping("val_confidence", mode=mode, patience=3)
    return fitted(metrics=[confidence], validation_split=0.2, callbacks=[stop])


def fires():
    return judged("auto")


def silent():
    return judged("max")
