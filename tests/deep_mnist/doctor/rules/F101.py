"""The test split's labels are missing; a folder without a test split lacks nothing."""

from tests.support.rule_examples import digits, judged


def fires():
    case = digits()
    del case.arrays["test_labels"]
    return judged(case)


def silent():
    case = digits()
    del case.arrays["test_images"], case.arrays["test_labels"]
    return judged(case)
