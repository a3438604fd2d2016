"""load_data() unpacked as (x_train, x_test), (y_train, y_test); and as it returns them."""

from tests.support.rule_examples import digits, judged


def fires():
    images, labels = digits().arrays["test_images"], digits().arrays["train_labels"]
    return judged(digits().with_arrays(train_labels=images, test_images=labels))


def silent():
    return judged(digits())
