"""Checks of a split's labels against its own images, with a cheap classifier as the witness.

A verdict needs proof that the classifier is able on these images: it learns the labels at another offset, it learns
the other split's labels, or the images fall into clusters of their own (seen alike in pixels and in edges) that the
labels of three classes or more have nothing to do with. Without proof there is a note, for a person to look.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.statistical import STATISTICAL
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.probe import clusters
from deep_mnist.doctor.probe.classifier import Fit
from deep_mnist.doctor.rule import Need, Rule, Scope

LEARNED = 5.0  # deviations above shuffled labels: one draw in three million
PROVEN = 10.0  # deviations that a witness must show; 60 digits have 15
SILENT = 3.0  # deviations below which labels say nothing about the images
SHIFTS = 16  # examples by which labels may have slipped
CROSSING = 200  # images; with fewer even digits at any place in the frame are not learned
LONGEST_SPLIT = 1.5  # a witness split may be larger than the judged one by this factor
FEWEST_OF_CLASS = 10  # examples, of two classes; five rare ones are learned in one split by luck
FEWEST_CLASSES = 3  # two classes (with a scratch or without) may cut across any clusters
WRITE_AGAIN = "Write {0}_images and {0}_labels again, with one mask, one order and one shuffle for both."
SHUFFLED_APART = "shuffled or filtered apart"

MISALIGNED = Rule(
    code="L150",
    name="labels-misaligned",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES,),
    follows=STATISTICAL,
    summary="The labels have nothing to do with the examples at their places: they were shuffled or filtered apart.",
    why="The network can only learn by heart: training accuracy creeps up, test accuracy is chance.",
)
NOT_RECOGNIZED = Rule(
    code="L153",
    name="labels-not-recognized",
    field="labels.alignment",
    severity="note",
    scope=Scope.CASE,
    needs=(Need.IMAGES,),
    follows=STATISTICAL,
    summary="A cheap classifier does not find the labels in the examples; whether they belong together is open.",
    why="Some tasks are too hard for a cheap classifier; shuffled labels look the same to it.",
)
OFFSET = Rule(
    code="L154",
    name="labels-offset",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES,),
    follows=STATISTICAL,
    summary="Every label stands a fixed number of examples before or after the one that it belongs to.",
    why="The network can only learn by heart: training accuracy creeps up, test accuracy is chance.",
)


def is_learned(fitted: Fit | None) -> bool:
    """Whether a cheap classifier finds the labels in the images."""
    return fitted is not None and fitted.strength >= LEARNED


def unlearned_found(case: Case, split: Split, fitted: Fit, witness: Fit | None) -> Iterator[Finding]:
    """Yield a verdict on labels that the classifier does not learn, where there is proof, else a note.

    Args:
        case: Of both splits.
        split: The one that is judged.
        fitted: Of this split.
        witness: Of the other split, if there is one.
    """
    if not _has_two_classes(fitted):
        return  # a few rare examples: nothing could be learned of them, correct labels or wrong
    seen = f"labels that a cheap classifier predicts {fitted.accuracy:.0%} correctly (chance {fitted.chance:.0%})"
    wrong = fitted.sample.indices[~fitted.correct]
    if shift := slipped(case, split):
        yield misaligned(case, split, seen, wrong, shift=shift)
    elif fitted.strength < SILENT and _is_able_there(fitted, witness):
        proof = f"though it learns the other split's fewer examples ({_named(witness)})"
        yield misaligned(case, split, f"{seen}, {proof}: {SHUFFLED_APART}", wrong)
    elif fitted.strength < SILENT and (found := _contradicted(fitted)):
        proof = f"though the {case.example}s fall into clusters of their own ({found})"
        yield misaligned(case, split, f"{seen}, {proof}: {SHUFFLED_APART}", wrong)
    elif not _are_compared(case):
        yield _not_recognized(case, split, fitted, seen)


def _are_compared(case: Case) -> bool:
    """Whether the network takes several inputs of one kind, of which none alone tells the label."""
    shapes = [each.input_shape for each in case.contract.inputs]
    return len(set(shapes)) < len(shapes)


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


def misaligned(case: Case, split: Split, received: str, wrong: np.ndarray, *, shift: int = 0, why: str = "") -> Finding:
    """Return the finding on labels that are not their images'.

    Args:
        case: Of both splits.
        split: The one whose labels are off.
        received: The evidence.
        wrong: Indices of examples that contradict their labels.
        shift: By how many examples the labels slipped; 0 where they are in disorder.
        why: Where it differs from the rule's own.
    """
    name = f"{split.name}_labels"
    return (OFFSET if shift else MISALIGNED).found(
        split.name,
        expected=f"labels that belong to their {case.example}s",
        received=received + (f": they slipped by {shift}" if shift else ""),
        fix=f"{name} = np.roll({name}, {-shift}, axis=0)" if shift else WRITE_AGAIN.format(split.name),
        why=why,
        where=tuple(int(index) for index in wrong[:MAX_WHERE]),
    )


def _not_recognized(case: Case, split: Split, fitted: Fit, seen: str) -> Finding:
    return NOT_RECOGNIZED.found(
        split.name,
        expected=f"labels that a cheap classifier finds in the {case.example}s",
        received=f"{seen} ({fitted.strength:.1f} deviations): could not judge whether they belong together",
        fix=f"Look at the {case.example}s and their labels in the report: do they belong together? "
        "python -m deep_mnist.labels DATA --model FILE.keras asks your own network.",
        where=tuple(int(index) for index in fitted.sample.indices[:MAX_WHERE]),
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
