"""Forty train images, mirrored and made darker, among the test images; and forty mirrored ones of its own."""

from tests.support.rule_examples import digits, judged

TRAIN = digits().arrays


def fires():
    images, labels = digits().arrays["test_images"], digits().arrays["test_labels"]
    copies = 0.9 * TRAIN["train_images"][:40, :, ::-1]
    images[:40], labels[:40] = copies.astype(images.dtype), TRAIN["train_labels"][:40]
    return judged(digits().with_arrays(test_images=images, test_labels=labels))


def silent():
    images = digits().arrays["test_images"]
    images[:40] = images[:40, :, ::-1].copy()
    return judged(digits().with_arrays(test_images=images))
