"""Checks of the classes that the splits hold: each in train and in test, and all of the network's.

A class may be absent by luck of a random split; that chance, from the sizes of the splits,
decides how loud a finding is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.classes import Classes
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding

ABSENT_BY_LUCK = 0.001  # chance that any class is absent by luck of the draw; below it absence is reported
MOST_LABEL = 100_000  # a class number; larger ones are reported as values


def check_coverage(train: Split, test: Split) -> Iterator[Finding]:
    """Classes that only one of the splits has."""
    if train.classes is None or test.classes is None or not train.paired or not test.paired:
        return
    counts = _counts(train.classes, test.classes)
    if counts is None:
        return
    ours, theirs = counts
    unseen = np.flatnonzero((ours == 0) & (theirs > 0))
    if len(unseen):
        where = _first_of(test.classes, unseen)
        luck = _luck(theirs[unseen], int(theirs.sum()), int(ours.sum()), int(np.count_nonzero(ours + theirs)))
        severity = "error" if luck < ABSENT_BY_LUCK / 10 else "warning" if luck < ABSENT_BY_LUCK else "note"
        yield _coverage(
            severity,
            "every class of the test split in the train split",
            f"class {listed(unseen)} only in test ({int(theirs[unseen].sum())} images)",
            where,
            FaultKind.UNSEEN,
        )
    absent = np.flatnonzero((theirs == 0) & (ours > 0))
    there = int(np.count_nonzero(ours + theirs))
    if len(absent) and _luck(ours[absent], int(ours.sum()), int(theirs.sum()), there) < ABSENT_BY_LUCK:
        few = 2 * len(absent) >= np.count_nonzero(ours)
        yield _coverage(
            "error" if few else "warning",
            "every class of the train split in the test split",
            f"class {listed(absent)} not in test",
            (),
            FaultKind.UNTESTED,
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
    for first, piece in classes.pieces():
        found += (first + np.flatnonzero(np.isin(piece, some))).tolist()
        if len(found) >= MAX_WHERE:
            break
    return tuple(found[:MAX_WHERE])


# Both splits together, shuffled, and cut where they were.
SPLIT_AGAIN = (
    "images, labels = (np.concatenate([train_images, test_images]), np.concatenate([train_labels, test_labels])); "
    "order, cut = np.random.default_rng(0).permutation(len(labels)), len(train_labels); "
    "train_images, test_images = images[order[:cut]], images[order[cut:]]; "
    "train_labels, test_labels = labels[order[:cut]], labels[order[cut:]]  # or stratify"
)


def _coverage(severity: str, expected: str, received: str, where: tuple[int, ...], kind: FaultKind) -> Finding:
    return Finding(
        field="splits.class_coverage",
        severity=severity,
        split="both",
        expected=expected,
        received=received,
        fix=SPLIT_AGAIN,
        why="The network cannot name a class it never saw, nor be measured on one it is never shown.",
        where=where,
        kind=kind,
    )


def listed(classes: np.ndarray) -> str:
    return ", ".join(map(str, classes[:10])) + (" …" if len(classes) > 10 else "")


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
        yield Finding(
            field="splits.class_coverage",
            severity="note",  # training is none the worse: alphabets miss letters, heads have spare units
            split="both" if case.test is not None else "train",
            expected=f"examples of all {classes} classes",
            received=f"none of class {listed(missing)}",
            fix="Add examples of the missing classes, or give the last layer one unit for each class there is.",
            why="Units without examples learn only to stay silent; was a class filtered out, or renumbered?",
            kind=FaultKind.MISSING,
        )
