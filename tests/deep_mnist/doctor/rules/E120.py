"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
import os, tempfile
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
os.chdir(tempfile.mkdtemp())
model.save_weights("mine.h5")
"""
MENDED = """\
import keras
import numpy as np
import os, tempfile
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
os.chdir(tempfile.mkdtemp())
model.save_weights("mine.weights.h5")
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
