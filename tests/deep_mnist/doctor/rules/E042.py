"""A model without call, and one whose call fails by itself."""

from tests.support.crashing import crashed

HEAD = "import keras\nclass M(keras.Model):\n"
TAIL = "M()(keras.ops.ones((2, 3)))\n"


def fires():
    return crashed(f"{HEAD}    pass\n{TAIL}")


def silent():
    return crashed(f"{HEAD}    def call(self, x):\n        return missing\n{TAIL}")
