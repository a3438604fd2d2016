"""A pixel whose exponent was overwritten; an image ten times brighter than the others is one."""

from tests.support.rule_examples import digits, judged


def with_pixel(images, value):
    images = images.copy()
    images[5, 14, 14] = value
    return images


def fires():
    return judged(digits().change(lambda x: with_pixel(x, 1e30), "train_images"))


def silent():
    return judged(digits().change(lambda x: with_pixel(x, 10), "train_images"))
