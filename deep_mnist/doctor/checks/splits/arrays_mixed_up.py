"""Checks whether the splits' arrays were exchanged: unpacked in the wrong order, or labels of the other split."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

UNPACKED = Rule(
    code="S101",
    name="arrays-unpacked-in-the-wrong-order",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.LABELS, Need.TEST),
    follows=(Follows(rules=("S103",), on=On.ANY_SPLIT),),
    summary="What load_data() returned was unpacked in the wrong order: train_labels holds images.",
    why="Keras stops: the numbers of examples and labels differ.",
)
SWAPPED = Rule(
    code="S102",
    name="labels-of-the-other-split",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.LABELS, Need.TEST),
    follows=(Follows(rules=("S103",), on=On.ANY_SPLIT),),
    summary="Each split has as many labels as the other one has examples: they were exchanged.",
    why="Keras stops: the numbers of examples and labels differ.",
)


@check(UNPACKED, SWAPPED)
def check_mixed_up_arrays(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, on both splits."""
    train, test = case.train, case.test
    if test is None:
        return
    images, labels, others, other_labels = train.images, train.labels, test.images, test.labels
    if images is None or labels is None or others is None or other_labels is None:
        return
    if not (images.ndim and labels.ndim and others.ndim and other_labels.ndim):
        return
    holds_images = labels.ndim >= 2 and labels.shape[1:] == images.shape[1:] != others.shape[1:]
    of_each_other = len(others) == len(images) and len(other_labels) == len(labels)
    if holds_images and others.ndim <= 2 and (labels.ndim >= 3 or of_each_other):
        yield UNPACKED.found(
            "both",
            expected="labels of train_images in train_labels",
            received=f"{case.example}s of shape {labels.shape} there, and labels of shape {others.shape} "
            "in test_images",
            fix="train_labels, test_images = test_images, train_labels  "
            "# unpack load_data() as (x_train, y_train), (x_test, y_test)",
        )
    elif len(images) == len(other_labels) != len(labels) == len(others):
        yield SWAPPED.found(
            "both",
            expected=f"labels of the same split as the {case.example}s",
            received=f"{len(images)} train {case.example}s with {len(labels)} labels, and the reverse in test",
            fix="train_labels, test_labels = test_labels, train_labels",
        )
