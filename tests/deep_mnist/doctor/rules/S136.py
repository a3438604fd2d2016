"""Test images in BGR, train images in RGB; and all of them in BGR."""

import numpy as np

from tests.support.keras_models import classifier
from tests.support.rule_examples import digits, judged

CASE = (
    digits().with_net(classifier(shape=(28, 28, 3))).images(lambda images: images * np.array([1, 0.7, 0.35], "float32"))
)


def fires():
    return judged(CASE.change(lambda images: images[..., ::-1], "test_images"))


def silent():
    return judged(CASE.images(lambda images: images[..., ::-1]))
