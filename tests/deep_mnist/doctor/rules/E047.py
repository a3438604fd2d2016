"""An array that is asked for its first rows as a table is, and a table."""

from tests.support.crashing import crashed


def fires():
    return crashed("import numpy as np\nimport pandas\nx = np.ones((8, 2))\nfirst = x.iloc[:6]\n")


def silent():
    return crashed("import pandas as pd\nx = pd.DataFrame({'a': [1, 2]})\nfirst = x.iloc[:6]\n")
