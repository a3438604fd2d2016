"""Grey digits under the mean and deviation of CIFAR, and under their own."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: (x - 0.4914) / 0.2023))


def silent():
    return judged(digits().images(lambda x: (x - x.mean()) / x.std()))
