"""A scaler of a library that is given one axis, and one that is given a missing value."""

from tests.support.crashing import crashed

SCALER = """import sysconfig
import numpy as np
code = "class Scaler:\\n    def fit_transform(self, x):\\n        raise ValueError(SAYS)"
exec(compile(code, sysconfig.get_paths()["purelib"] + "/scalers/scaling.py", "exec"))
x = np.zeros(4)
"""


def fires():
    return crashed(f'{SCALER}SAYS = "Expected 2D array, got 1D array instead:"\nScaler().fit_transform(x)\n')


def silent():
    return crashed(f'{SCALER}SAYS = "Input contains NaN."\nScaler().fit_transform(x)\n')
