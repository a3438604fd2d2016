"""Sequences of several lengths made one array, and one whose sequences are alike and end by another error."""

from tests.support.crashing import crashed


def fires():
    return crashed("import numpy as np\nrows = [[1, 2], [3]]\nx = np.array(rows)\n")


def silent():
    return crashed("import numpy as np\nrows = [[1, 'a'], [3, 'b']]\nx = np.array(rows).astype('float32')\n")
