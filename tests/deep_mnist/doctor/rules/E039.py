"""A row beyond the last of one-hot rows, and an item of a list."""

from tests.support.crashing import crashed


def fires():
    return crashed("import numpy as np\ny = np.array([1, 2])\nnp.eye(2)[y]\n")


def silent():
    return crashed("import numpy as np\n[1, 2][5]\n")
