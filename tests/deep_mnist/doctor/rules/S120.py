"""Twenty train images among the test images; and none."""

from tests.support.rule_examples import digits, judged


def fires():
    case, images, labels = digits(), digits().arrays["test_images"], digits().arrays["test_labels"]
    images[:20], labels[:20] = case.arrays["train_images"][:20], case.arrays["train_labels"][:20]
    return judged(case.with_arrays(test_images=images, test_labels=labels))


def silent():
    return judged(digits())
