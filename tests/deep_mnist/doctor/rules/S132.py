"""Every test image transposed; and every image of both splits."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda images: images.swapaxes(1, 2), "test_images"))


def silent():
    return judged(digits().images(lambda images: images.swapaxes(1, 2)))
