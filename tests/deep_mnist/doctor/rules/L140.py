"""A label lost at the end; and its image as well."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda labels: labels[:-1], "train_labels"))


def silent():
    return judged(digits().change(lambda array: array[:-1], "train_images", "train_labels"))
