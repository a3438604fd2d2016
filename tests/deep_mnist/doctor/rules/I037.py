"""Images without a channel axis, which Keras adds."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x[..., 0]))


def silent():
    return judged(digits())
