"""Checks of a split's labels against its own images, with a cheap classifier as the witness.

A verdict needs proof that the classifier is able on these images: it learns the labels at another offset, it learns
the other split's labels, or the images fall into clusters of their own (seen alike in pixels and in edges) that the
labels of three classes or more have nothing to do with. Without proof there is a note, for a person to look.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.probe import clusters
from deep_mnist.doctor.probe.classifier import Fit

LEARNED = 5.0  # deviations above shuffled labels: one draw in three million
PROVEN = 10.0  # deviations that a witness must show; 60 digits have 15
SILENT = 3.0  # deviations below which labels say nothing about the images
SHIFTS = 16  # examples by which labels may have slipped
CROSSING = 200  # images; with fewer even digits at any place in the frame are not learned
LONGEST_SPLIT = 1.5  # a witness split may be larger than the judged one by this factor
FEWEST_OF_CLASS = 10  # examples, of two classes; five rare ones are learned in one split by luck
FEWEST_CLASSES = 3  # two classes (with a scratch or without) may cut across any clusters
BLOCK = 30  # fewest images in a part of the split whose labels are off
DROP = 0.3  # of accuracy between the good part and the bad one
BREAK = 6.0  # deviations of the sum up to the break
SURE_SHARE, SURE_WRONG = 4, 0.12  # the surest quarter of guesses; share of wrong labels among them worth a note
BETTER = 0.12  # of accuracy, by which the other split's labels must be the better ones
CLEARLY = 5.0  # deviations
WRITE_AGAIN = "Write {0}_images and {0}_labels again, with one mask, one order and one shuffle for both."
EXPECTED = "labels that belong to their images"


def is_learned(fitted: Fit | None) -> bool:
    """Whether a cheap classifier finds the labels in the images."""
    return fitted is not None and fitted.strength >= LEARNED


def check_unlearned(case: Case, split: Split, fitted: Fit, witness: Fit | None) -> Iterator[Finding]:
    """Yield a verdict on labels that the classifier does not learn, where there is proof, else a note.

    Args:
        fitted: Of this split.
        witness: Of the other split, if there is one.
    """
    if not _has_two_classes(fitted):
        return  # a few rare examples: nothing could be learned of them, correct labels or wrong
    seen = f"labels that a cheap classifier predicts {fitted.accuracy:.0%} correctly (chance {fitted.chance:.0%})"
    if shift := slipped(case, split):
        yield _misaligned(split, fitted, f"{seen}: they slipped by {shift}", _rolled(split, shift))
    elif fitted.strength < SILENT and _is_able_there(fitted, witness):
        words = f"{seen}, though it learns the other split's fewer examples ({_named(witness)})"
        yield _misaligned(split, fitted, f"{words}: shuffled or filtered apart", WRITE_AGAIN.format(split.name))
    elif fitted.strength < SILENT and (found := _contradicted(fitted)):
        words = f"{seen}, though the images fall into clusters of their own ({found})"
        yield _misaligned(split, fitted, f"{words}: shuffled or filtered apart", WRITE_AGAIN.format(split.name))
    else:
        yield _could_not_judge(split, fitted, seen)


def _is_able_there(fitted: Fit, witness: Fit | None) -> bool:
    if witness is None or len(witness.sample) > LONGEST_SPLIT * len(fitted.sample):
        return False
    return witness.strength >= PROVEN and _has_two_classes(witness)


def _has_two_classes(fitted: Fit) -> bool:
    """Whether two classes have enough examples for a cheap classifier to tell them apart."""
    return int((np.unique(fitted.sample.classes, return_counts=True)[1] >= FEWEST_OF_CLASS).sum()) > 1


def _named(witness: Fit | None) -> str:
    return f"{witness.accuracy:.0%} correct, chance {witness.chance:.0%}" if witness is not None else ""


def _contradicted(fitted: Fit) -> str:
    """Return what clusters the labels contradict, "" when there are none or the images need a closer look."""
    sample = fitted.sample
    if len(sample) < CROSSING or len(fitted.classes) < FEWEST_CLASSES:
        return ""
    found = clusters.agreement(sample.blocks, len(fitted.classes))
    if not found:
        return ""
    centred = probe.fit(clusters.centred(sample))
    return found if centred is None or centred.strength < SILENT else ""


def _misaligned(split: Split, fitted: Fit, received: str, fix: str) -> Finding:
    return Finding(
        field="labels.alignment",
        severity="error",
        split=split.name,
        expected=EXPECTED,
        received=received,
        fix=fix,
        why="The network can only learn by heart: training accuracy creeps up, test accuracy is chance.",
        where=tuple(int(index) for index in fitted.sample.indices[~fitted.correct][:MAX_WHERE]),
        kind=FaultKind.MISALIGNED,
    )


def _could_not_judge(split: Split, fitted: Fit, seen: str) -> Finding:
    return Finding(
        field="labels.alignment",
        severity="note",
        split=split.name,
        expected="labels that a cheap classifier finds in the images",
        received=f"{seen} ({fitted.strength:.1f} deviations): could not judge whether they belong together",
        fix="Look at the images and their labels in the report: do they belong together?",
        why="Some tasks are too hard for a cheap classifier; shuffled labels look the same to it.",
        where=tuple(int(index) for index in fitted.sample.indices[:MAX_WHERE]),
        kind=FaultKind.MISALIGNED,
    )


def slipped(case: Case, split: Split) -> int:
    """Return by how many examples labels come late (positive) or early, 0 when no shift explains them.

    Windows over one sequence hold what is the label of another window: there a shift proves nothing.
    """
    if case.input_kind is InputKind.SEQUENCES:
        return 0
    sample = probe.draw(split, case.contract, window=True)
    fitted = probe.fit(sample) if sample is not None else None
    if fitted is None or sample is None:
        return 0
    shifts = [shift for shift in range(-SHIFTS, SHIFTS + 1) if shift]
    strengths = [fitted.strength_of(np.roll(sample.classes, -shift)) for shift in shifts]
    best = int(np.argmax(strengths))
    return shifts[best] if strengths[best] > PROVEN + max(0.0, fitted.strength) else 0


def _rolled(split: Split, shift: int) -> str:
    return f"{split.name}_labels = np.roll({split.name}_labels, {-shift}, axis=0)"


# --- labels that are wrong in part -----------------------------------------------------------------


def check_parts(split: Split, fitted: Fit) -> Iterator[Finding]:
    """Labels correct up to an example and wrong from there on (or the reverse): a row lost in the middle."""
    correct, classes = fitted.correct.astype(float), fitted.sample.classes
    count, cuts = len(correct), np.arange(BLOCK, len(correct) - BLOCK)
    if not len(cuts):
        return
    _, place, counts = np.unique(classes, return_inverse=True, return_counts=True)
    usual = (np.bincount(place, weights=correct) / counts)[place]  # sorted data have hard classes
    sums = np.concatenate([[0], np.cumsum(correct - usual)])[cuts]
    spread = np.sqrt(cuts * (count - cuts) / count) * max(float((correct - usual).std()), 1e-9)
    best = int(np.argmax(np.abs(sums) / spread))
    cut = int(cuts[best])
    parts = (slice(None, cut), slice(cut, None))
    bad, good = parts if sums[best] < 0 else parts[::-1]
    low, high = float(correct[bad].mean()), float(correct[good].mean())
    chance = probe.chance_of(fitted.guesses[bad], classes[bad])
    luck = 3 * np.sqrt(max(chance * (1 - chance), 0.01) / len(correct[bad]))
    if np.abs(sums[best]) / spread[best] < BREAK or high - low < DROP or low > chance + luck:
        return
    yield _broken(split, int(fitted.sample.indices[cut]), bad == parts[0], (low, high, chance))


def _broken(split: Split, at: int, before: bool, shares: tuple[float, float, float]) -> Finding:
    low, high, chance = shares
    part = f"up to about image {at}" if before else f"from about image {at} on"
    return Finding(
        field="labels.alignment",
        severity="error",
        split=split.name,
        expected=EXPECTED,
        received=f"labels {part} that a cheap classifier predicts {low:.0%} correctly (chance {chance:.0%}), "
        f"against {high:.0%} in the rest",
        fix=f"Write {split.name}_images and {split.name}_labels again: "
        f"a row was lost or added near {at} in one of them.",
        why="Part of the training set teaches wrong classes.",
        where=(at,),
        kind=FaultKind.MISALIGNED_PART,
    )


def check_noise(split: Split, fitted: Fit, other: tuple[float, int] | None) -> Iterator[Finding]:
    """Labels that contradict the classifier where it is surest; the other split's labels are the proof.

    Args:
        other: Accuracy on the other split of the classifier fitted here, and number of its images.
    """
    sure = np.argsort(-fitted.sureness)[: len(fitted.guesses) // SURE_SHARE]
    wrong = sure[~fitted.correct[sure]]
    share = len(wrong) / max(1, len(sure))
    luck = 2 * np.sqrt(SURE_WRONG * (1 - SURE_WRONG) / max(1, len(sure)))
    if len(sure) < BLOCK or share <= SURE_WRONG + luck:
        return
    proven = other is not None and _is_better(fitted, *other)
    if not proven and not clusters.agreement(fitted.sample.blocks, len(fitted.classes)):
        return  # the classifier is weak on such images
    evidence = (
        f"while it is correct on {other[0]:.0%} of the test split and on {fitted.accuracy:.0%} here"
        if proven and other is not None
        else f"could not judge whether the labels or the classifier ({fitted.accuracy:.0%} correct) are at fault"
    )
    yield Finding(
        field="labels.alignment",
        severity="error" if proven else "note",
        split=split.name,
        expected=EXPECTED,
        received=f"{share:.0%} of the labels contradict a cheap classifier where it is surest, {evidence}",
        fix=f"Write {split.name}_images and {split.name}_labels again: part of the labels was shuffled or overwritten."
        if proven
        else "Look at these images and their labels in the report: are the labels correct?",
        why="Wrong labels cap the accuracy and are learned by heart late in training.",
        where=tuple(sorted(int(index) for index in fitted.sample.indices[wrong])[:MAX_WHERE]),
        kind=FaultKind.NOISY_LABELS,
    )


def _is_better(fitted: Fit, accuracy: float, count: int) -> bool:
    """Whether a classifier that learned from these labels is correct on the other split's far more often than here."""
    own, here = fitted.accuracy, len(fitted.guesses)
    pooled = (own * here + accuracy * count) / (here + count)
    luck = math.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / here + 1 / count))
    return accuracy - own > max(BETTER, CLEARLY * luck)
