"""A file with a Lambda, and the same with leave to run what was made here."""

from tests.support.crashing import crashed

SAVED = """import os, tempfile, keras
path = os.path.join(tempfile.mkdtemp(), "halves.keras")
keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x / 2.0)]).save(path)
"""


def fires():
    return crashed(SAVED + "net = keras.models.load_model(path)\n")


def silent():
    return crashed(SAVED + "net = keras.models.load_model(path, safe_mode=False)\n")
