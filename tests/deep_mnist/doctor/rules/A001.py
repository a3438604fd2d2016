"""An acceptance of what is not found, and of what is."""

from tests.support.doctor_cases import digits
from tests.support.rule_examples import judged

ENTRY = {"field": "images.range", "because": "the old loader"}


def fires():
    return judged(digits().with_settings(accept=[ENTRY]))


def silent():
    return judged(digits().images(lambda images: images * 255).with_settings(accept=[ENTRY]))
