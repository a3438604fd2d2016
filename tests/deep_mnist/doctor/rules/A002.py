"""One reason for a field, where pixels are not scaled and one image is corrupted too; and a reason for one rule."""

from tests.support.doctor_cases import digits
from tests.support.rule_examples import judged


def corrupted(images):
    images[3, 5, 5, 0] = 3e8
    return images


CASE = digits().images(lambda images: images * 255).change(corrupted, "test_images")


def fires():
    return judged(CASE.with_settings(accept=[{"field": "images.range", "because": "the old loader"}]))


def silent():
    return judged(CASE.with_settings(accept=[{"rule": "I103", "because": "the old loader"}]))
