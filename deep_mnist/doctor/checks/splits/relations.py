"""Checks of what belongs together: labels with their images, one split's images and labels with the other's.

A cheap classifier (probe.py) gives the evidence; alignment.py, likeness.py and copies.py say when it is proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels import alignment, mapping
from deep_mnist.doctor.checks.splits import distribution_shift as likeness
from deep_mnist.doctor.checks.splits import near_duplicates as copies
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.probe.classifier import Fit, Sample

TEST_IMAGES = 300  # of the test split
ORIGINALS, MOST_SEARCHED = 1600, 24_000  # train images searched for copies; of a larger split they are too few
FEWEST_TESTED = 30  # images of classes that train has
STRANGE, DRIFTED = 0.6, 0.8  # of the accuracy to be expected: below, test is not like train, or has drifted
CLEARLY = 5.0  # standard errors
NOT_BETTER = 3.0  # standard errors above chance: below, labels have nothing to do with the images


@dataclass
class Tested:
    """The test split in the eyes of the classifier that learned from train.

    Attributes:
        fitted: Of train.
        sample: Of test, of classes that train has.
    """

    fitted: Fit
    sample: Sample

    @cached_property
    def guesses(self) -> np.ndarray:
        return self.fitted.guess(self.sample.blocks)

    @cached_property
    def accuracy(self) -> float:
        return float((self.guesses == self.sample.classes).mean())

    @cached_property
    def expected(self) -> float:
        """Accuracy to be expected: within train, of each class as often as it is in test."""
        correct, classes = self.fitted.correct, self.fitted.sample.classes
        recall = {int(each): correct[classes == each].mean() for each in self.fitted.classes}
        return float(np.mean([recall[int(each)] for each in self.sample.classes]))

    @property
    def shortfall(self) -> float:
        """By how many standard errors the accuracy lies below the expected one."""
        here, there = len(self.sample), len(self.fitted.sample)
        pooled = (self.expected * there + self.accuracy * here) / (here + there)
        return (self.expected - self.accuracy) / max(math.sqrt(pooled * (1 - pooled) * (1 / here + 1 / there)), 1e-9)

    @property
    def is_chance(self) -> bool:
        """The labels have nothing to do with the guesses."""
        chance = probe.chance_of(self.guesses, self.sample.classes)
        return self.accuracy < chance + NOT_BETTER * math.sqrt(chance * (1 - chance) / len(self.sample))

    @property
    def wrong(self) -> np.ndarray:
        wrong: np.ndarray = self.sample.indices[self.guesses != self.sample.classes]
        return wrong

    @property
    def evidence(self) -> str:
        return (
            f"a cheap classifier is correct on {self.fitted.accuracy:.0%} of train, on {self.accuracy:.0%} of test: "
            f"{self.shortfall:.0f} standard errors below what is due"
        )


def check_relations(case: Case) -> Iterator[Finding]:
    """Yield misaligned labels, and splits whose images or labels do not belong together."""
    sample = probe.draw(case.train, case.contract)
    other = probe.draw(case.test, case.contract, TEST_IMAGES) if case.test is not None else None
    if sample is not None and other is not None and sample.images.shape[1:] != other.images.shape[1:]:
        other = None
    if sample is not None and other is not None and len(sample) and len(other):
        other = other.on_scale_of(sample)
    fitted = probe.fit(sample) if sample is not None else None
    learned = fitted is not None and alignment.is_learned(fitted)
    tested = _tested(fitted, other) if learned else None
    if fitted is not None and learned:
        proof = (tested.accuracy, len(tested.sample)) if tested is not None else None
        parts = list(alignment.check_parts(case.train, fitted))
        yield from parts or alignment.check_noise(case.train, fitted, proof)
    elif fitted is not None:
        yield from alignment.check_unlearned(case, case.train, fitted, probe.fit(other) if other is not None else None)
    if case.test is not None and sample is not None and other is not None:
        yield from copies.check_copies(_originals(case, sample), other)
        yield from _check_test(case, case.test, sample, other, tested)
        own = probe.fit(other) if not learned else None
        if own is not None and not alignment.is_learned(own):
            yield from alignment.check_unlearned(case, case.test, own, None)


def _originals(case: Case, sample: Sample) -> Sample:
    """Return the train images that test's are compared with, more than the classifier's where that finds more."""
    images = case.train.images
    if images is None or not len(sample) < len(images) <= MOST_SEARCHED:
        return sample
    return probe.draw(case.train, case.contract, ORIGINALS, side=copies.SIDE) or sample


def _tested(fitted: Fit | None, other: Sample | None) -> Tested | None:
    if fitted is None or other is None or not other.labelled:
        return None
    known = np.isin(other.classes, fitted.classes)
    return Tested(fitted, other.where(known)) if known.sum() >= FEWEST_TESTED else None


def _check_test(case: Case, test: Split, sample: Sample, other: Sample, tested: Tested | None) -> Iterator[Finding]:
    found = likeness.find_change(sample, other)
    if found is not None and (tested is None or _is_no_worse(tested, found.change)):
        yield from likeness.changed(case, test, found.change, likeness.words_for(found))
        return
    strange = likeness.is_of_another_kind(sample, other)
    if tested is None:
        if strange:
            yield likeness.other_images(
                "error", "nearly all look less like train than train's strangest", other.indices
            )
        return
    table = mapping.find_mapping(tested.fitted, tested.sample, tested.guesses)
    if table is not None:
        yield mapping.mapped(test, table, tested.evidence)
    elif tested.shortfall > CLEARLY and tested.accuracy < STRANGE * tested.expected:
        yield _misaligned(case, test, tested) if not strange and tested.is_chance else _other(tested, "error")
    elif tested.shortfall > CLEARLY and tested.accuracy < DRIFTED * tested.expected and strange:
        yield _other(tested, "warning")


def _is_no_worse(tested: Tested, change: likeness.Change) -> bool:
    """Whether the classifier is correct at least as often on the test images changed back."""
    images, (mean, width) = tested.sample.images, tested.sample.scale or tested.sample.own_scale
    restored = replace(tested.sample, images=change.apply(images - np.float32(mean)), scale=(0.0, width))
    correct = tested.fitted.guess(restored.blocks) == tested.sample.classes
    return float(correct.mean()) >= tested.accuracy


def _other(tested: Tested, severity: str) -> Finding:
    return likeness.other_images(severity, tested.evidence, tested.wrong)


def _misaligned(case: Case, test: Split, tested: Tested) -> Finding:
    shift = alignment.slipped(case, test)
    fix = (
        f"test_labels = np.roll(test_labels, {-shift}, axis=0)"
        if shift
        else "Write test_images and test_labels again, with one mask, one order and one shuffle for both."
    )
    return Finding(
        field="labels.alignment",
        severity="error",
        split="test",
        expected="labels that belong to their images",
        received=tested.evidence + (f": they slipped by {shift}" if shift else ""),
        fix=fix,
        why="Training looks fine and the test accuracy is chance.",
        where=tuple(int(index) for index in tested.wrong[:MAX_WHERE]),
        kind=FaultKind.MISALIGNED,
    )
