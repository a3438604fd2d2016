"""A list of a hundred images; a list of one array stands for one input."""

from tests.support.live_examples import checked, drawn

images, labels = drawn()


def fires():
    return checked(list(images), labels)


def silent():
    return checked([images], labels)
