"""The width of one axis, and the second of a pair."""

from tests.support.crashing import crashed


def fires():
    return crashed("import numpy as np\nx = np.zeros(3)\nx.shape[1]\n")


def silent():
    return crashed("import numpy as np\nx = (3,)\nx[1]\n")
