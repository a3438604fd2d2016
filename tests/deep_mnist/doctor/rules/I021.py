"""What an inverse Fourier transform returns, and its real part."""

import numpy as np

from tests.support.rule_examples import digits, judged


def there_and_back(images):
    return np.fft.ifft2(np.fft.fft2(images, axes=(1, 2)), axes=(1, 2)).astype("complex64")


def fires():
    return judged(digits().images(there_and_back))


def silent():
    return judged(digits().images(lambda x: there_and_back(x).real.astype("float32")))
