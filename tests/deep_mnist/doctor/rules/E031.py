"""A scaler that is used before it is fitted, and one that is given a missing value."""

from tests.support.crashing import crashed

SCALER = """import sysconfig
import numpy as np
code = "class Scaler:\\n    def transform(self, x):\\n        raise ValueError(SAYS)"
exec(compile(code, sysconfig.get_paths()["purelib"] + "/scalers/scaling.py", "exec"))
x = np.zeros((4, 2))
scaler = Scaler()
"""


def fires():
    return crashed(f'{SCALER}SAYS = "This Scaler instance is not fitted yet."\ny = scaler.transform(x)\n')


def silent():
    return crashed(f'{SCALER}SAYS = "Input contains NaN."\ny = scaler.transform(x)\n')
