"""Labels divided by 255 together with the images; and images alone."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: (labels / 255).astype("float32")))


def silent():
    return judged(digits())
