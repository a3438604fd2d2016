"""A layer of another Keras, and one of this."""

from tests.support.crashing import crashed

FAILING = """\
import types
import keras
legacy = type("Layer", (), {"__module__": "tf_keras.src.engine.base_layer"})
dense = type("Dense", (legacy,), {"__module__": "tf_keras.src.layers.core.dense"})()
keras.Sequential().add(dense)
"""
MENDED = """\
import keras
keras.Sequential().add(keras.layers.Dense(3))
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
