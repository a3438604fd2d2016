"""The train images loaded as test images too; and a test split of its own."""

from tests.support.rule_examples import digits, judged


def fires():
    train = digits().arrays
    return judged(digits().with_arrays(test_images=train["train_images"], test_labels=train["train_labels"]))


def silent():
    return judged(digits())
