"""Checks of the classes that the splits hold: each in train and in test, and all of the network's.

A class may be absent by luck of a random split; that chance, from the sizes of the splits,
decides how loud a finding is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.classes import Classes
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import LABELS_UNSOUND, Follows, Need, On, Rule, Scope, check

ABSENT_BY_LUCK = 0.001  # chance that any class is absent by luck of the draw; below it absence is reported
MOST_LABEL = 100_000  # a class number; larger ones are reported as values
UNSOUND = (  # sorted examples are cut into parts of some classes each; labels that are none are of no class
    Follows(fields=("splits.order",), least="error", on=On.ANY_SPLIT),
    Follows(fields=LABELS_UNSOUND, least="error", on=On.ANY_SPLIT),
    Follows(rules=("S170",), on=On.ANY_SPLIT),  # each split's classes are numbered by themselves
)
# Both splits together, shuffled, and cut where they were.
SPLIT_AGAIN = (
    "images, labels = (np.concatenate([train_images, test_images]), np.concatenate([train_labels, test_labels])); "
    "order, cut = np.random.default_rng(0).permutation(len(labels)), len(train_labels); "
    "train_images, test_images = images[order[:cut]], images[order[cut:]]; "
    "train_labels, test_labels = labels[order[:cut]], labels[order[cut:]]  # or stratify"
)

UNSEEN = Rule(
    code="S140",
    name="test-classes-not-in-train",
    field="splits.class_coverage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS, Need.TEST, Need.WHOLE),
    follows=UNSOUND,
    summary="The test split has classes that the train split lacks.",
    why="The network cannot name a class it never saw, nor be measured on one it is never shown.",
)
UNTESTED = Rule(
    code="S141",
    name="train-classes-not-in-test",
    field="splits.class_coverage",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.PAIRS, Need.TEST, Need.WHOLE),
    follows=UNSOUND,
    summary="The train split has classes that the test split lacks, more than luck would leave out.",
    why="The network cannot name a class it never saw, nor be measured on one it is never shown.",
)
MISSING = Rule(
    code="S142",
    name="classes-without-examples",
    field="splits.class_coverage",
    severity="note",  # training is none the worse: alphabets miss letters, heads have spare units
    scope=Scope.CASE,
    needs=(Need.LABELS, Need.CLASSES, Need.WHOLE),
    follows=UNSOUND,
    summary="The network has classes that no split has an example of, though there would be enough examples.",
    why="Units without examples learn only to stay silent; was a class filtered out, or renumbered?",
)


@check(UNSEEN, UNTESTED)
def check_coverage(case: Case) -> Iterator[Finding]:
    """Classes that only one of the splits has."""
    train, test = case.train, case.test
    if test is None or train.classes is None or test.classes is None or not test.paired:
        return
    counts = _counts(train.classes, test.classes)
    if counts is None:
        return
    ours, theirs = counts
    there = int(np.count_nonzero(ours + theirs))
    unseen = np.flatnonzero((ours == 0) & (theirs > 0))
    if len(unseen):
        luck = _luck(theirs[unseen], int(theirs.sum()), int(ours.sum()), there)
        yield UNSEEN.found(
            "both",
            severity="error" if luck < ABSENT_BY_LUCK / 10 else "warning" if luck < ABSENT_BY_LUCK else "note",
            expected="every class of the test split in the train split",
            received=f"class {listed(unseen)} only in test ({int(theirs[unseen].sum())} {case.example}s)",
            fix=SPLIT_AGAIN,
            where=_first_of(test.classes, unseen),
        )
    absent = np.flatnonzero((theirs == 0) & (ours > 0))
    if len(absent) and _luck(ours[absent], int(ours.sum()), int(theirs.sum()), there) < ABSENT_BY_LUCK:
        few = 2 * len(absent) >= np.count_nonzero(ours)
        yield UNTESTED.found(
            "both",
            severity="error" if few else "warning",
            expected="every class of the train split in the test split",
            received=f"class {listed(absent)} not in test",
            fix=SPLIT_AGAIN,
        )


def _luck(counts: np.ndarray, mine: int, other: int, classes: int) -> float:
    """Return the chance that a random split puts all examples of some class into its part of `mine` examples.

    Args:
        counts: Examples of the classes that only this part has; the largest counts.
        mine, other: Sizes of the parts.
        classes: Any of which might have been the one.
    """
    return float(classes * (mine / (mine + other)) ** int(counts.max()))


def _counts(ours: Classes, theirs: Classes) -> tuple[np.ndarray, np.ndarray] | None:
    tallies = ours.tally, theirs.tally
    least, most = min(int(each.values[0]) for each in tallies), max(int(each.values[-1]) for each in tallies)
    if least < 0 or most > MOST_LABEL or not all(each.complete for each in tallies):
        return None
    counts = np.zeros((2, most + 1), np.int64)
    for row, each in zip(counts, tallies, strict=True):
        row[each.values] = each.counts
    return counts[0], counts[1]


def _first_of(classes: Classes, some: np.ndarray) -> tuple[int, ...]:
    """Return the first examples of some classes."""
    found: list[int] = []
    for first, chunk in classes.chunks():
        found += (first + np.flatnonzero(np.isin(chunk, some))).tolist()
        if len(found) >= MAX_WHERE:
            break
    return tuple(found[:MAX_WHERE])


def listed(classes: np.ndarray) -> str:
    """Return the first ten of some classes, in words."""
    return ", ".join(map(str, classes[:10])) + (" …" if len(classes) > 10 else "")


@check(MISSING)
def check_missing_classes(case: Case) -> Iterator[Finding]:
    """A class of the network that no split has, though there would be enough examples."""
    classes, train = case.contract.num_classes, case.train
    if not classes or classes < 2 or train.classes is None or not len(train.classes):
        return
    present = train.classes.tally.values
    if not train.classes.tally.complete or len(present) < 2 or present[0] < 0 or present[-1] >= classes:
        return
    missing = np.setdiff1d(np.arange(classes), present)
    tested = case.test.classes if case.test is not None else None
    in_test = tested is not None and np.isin(missing, tested.tally.values).any()
    if len(missing) and not in_test and classes * (1 - 1 / classes) ** len(train.classes) < ABSENT_BY_LUCK:
        yield MISSING.found(
            "both" if case.test is not None else "train",
            expected=f"examples of all {classes} classes",
            received=f"none of class {listed(missing)}",
            fix="Add examples of the missing classes, or give the last layer one unit for each class there is.",
        )
