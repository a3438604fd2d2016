"""The first keeps its layers under a name that only Keras sets; the second under another name."""

from tests.support.crashing import crashed

FAILING = """\
import keras

class Pair(keras.Model):
    def __init__(self):
        super().__init__()
        self.output = keras.layers.Dense(1)

    def call(self, x):
        return self.output(x)

model = Pair()
"""
MENDED = FAILING.replace("self.output", "self.head")


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
