"""Only the test images brought to -1..1; and those of both splits."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda images: 2 * images - 1, "test_images"))


def silent():
    case = digits().images(lambda images: 2 * images - 1)
    return judged(case)
