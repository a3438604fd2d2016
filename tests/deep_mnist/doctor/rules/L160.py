"""The label written into a pixel; and a pixel that is set in every image."""

from tests.support.rule_examples import digits, judged


def fires():
    images, labels = digits().arrays["train_images"], digits().arrays["train_labels"]
    images[:, 2, 3, 0] = labels / 10
    return judged(digits().with_arrays(train_images=images))


def silent():
    images = digits().arrays["train_images"]
    images[:, 2, 3, 0] = 1
    return judged(digits().with_arrays(train_images=images))
