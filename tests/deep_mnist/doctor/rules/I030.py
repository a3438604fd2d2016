"""Images as MATLAB saves them, (rows, columns, n)."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x[..., 0].transpose(1, 2, 0)))


def silent():
    return judged(digits())
