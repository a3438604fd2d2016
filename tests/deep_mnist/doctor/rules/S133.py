"""Test images black on white, train images white on black; and all of them black on white."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda images: 1 - images, "test_images"))


def silent():
    return judged(digits().images(lambda images: 1 - images))
