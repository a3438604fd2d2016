"""Test images of half the size, for a network that takes any; and of train's size."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged

CASE = digits().with_net(sequential(conv(), layer("GlobalMaxPooling2D"), dense(), shape=(None, None, 1)))


def fires():
    return judged(CASE.change(lambda images: images[:, ::2, ::2], "test_images"))


def silent():
    return judged(CASE)
