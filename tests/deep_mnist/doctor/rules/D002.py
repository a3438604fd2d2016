"""A list of labels, and an array of them."""

from tests.support.live_examples import checked, drawn

images, labels = drawn()


def fires():
    return checked(images, labels.tolist())


def silent():
    return checked(images, labels)
