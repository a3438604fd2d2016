"""The labels of train and test exchanged; and in their places."""

from tests.support.rule_examples import digits, judged


def fires():
    ours, theirs = digits().arrays["train_labels"], digits().arrays["test_labels"]
    return judged(digits().with_arrays(train_labels=theirs, test_labels=ours))


def silent():
    return judged(digits())
