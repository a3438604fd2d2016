# expect: unusable digits.npz
import numpy as np

data = np.load("digit.npz")
