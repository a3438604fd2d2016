"""What a finding of the cheap classifier, or of a comparison of images, follows from."""

from __future__ import annotations

from deep_mnist.doctor.rule import AXES_UNSOUND, LABELS_UNSOUND, Follows, On

NOTHING_LEFT = ("I100", "I101", "I192")  # of images
STATISTICAL = (  # labels or images that are damaged are not each other's, nor like those of the other split
    Follows(fields=LABELS_UNSOUND, least="error"),
    AXES_UNSOUND,
    Follows(rules=NOTHING_LEFT),
    Follows(rules=("I110",), on=On.ANY_SPLIT),
    Follows(rules=("I120",)),
)
