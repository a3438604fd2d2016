"""A test split of no example, and one of a single example."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda x: x[:0], "test_images", "test_labels"))


def silent():
    return judged(digits().change(lambda x: x[:1], "test_images", "test_labels"))
