"""Grey digits under the mean and deviation of CIFAR; under their own, and a few noisy images that are repeated."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: (x - 0.4914) / 0.2023))


def silent():
    return judged(digits().images(lambda x: (x - x.mean()) / x.std())) + judged(digits().images(_noisy))


def _noisy(images: np.ndarray) -> np.ndarray:
    few = np.random.default_rng(0).normal(1.0, 0.5, (len(images) // 4, *images.shape[1:]))
    return np.concatenate([few] * 4).astype("float32")[: len(images)]
