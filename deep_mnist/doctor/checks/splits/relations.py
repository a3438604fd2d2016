"""Checks of what belongs together: labels with their images, one split's images and labels with the other's.

A cheap classifier (`probe/classifier.py`) gives the evidence, once for all of these rules; the modules that declare
them say when it is proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels import alignment, partial_alignment
from deep_mnist.doctor.checks.splits import distribution_shift, mapping, near_duplicates, transforms
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.probe.classifier import Fit, Sample
from deep_mnist.doctor.rule import check

TEST_IMAGES = 300  # of the test split
ORIGINALS, MOST_SEARCHED = 1600, 24_000  # train images searched for duplicates; of a larger split they are too few
FEWEST_TESTED = 30  # images of classes that train has
STRANGE, DRIFTED = 0.6, 0.8  # of the accuracy to be expected: below, test is not like train, or has drifted
CLEARLY = 5.0  # standard errors
LOOKS_FINE = "Training looks fine and the test accuracy is chance."
LOPSIDED = 0.4  # share of guesses that fall on other classes than within train: the inputs have moved
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
    def is_lopsided(self) -> bool:
        """The guesses fall on other classes than within train, as where every test input is taken for one class."""
        ours, theirs = self.fitted.guesses, self.guesses
        apart = sum(abs((ours == each).mean() - (theirs == each).mean()) for each in self.fitted.classes)
        return bool(apart / 2 > LOPSIDED)

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


ALIGNMENT_RULES = (
    alignment.MISALIGNED, alignment.NOT_RECOGNIZED, alignment.OFFSET,
    partial_alignment.MISALIGNED_IN_PART, partial_alignment.NOISY,
)  # fmt: skip
SHIFT_RULES = (
    distribution_shift.TRANSFORMED, distribution_shift.OTHER_ORIENTATION, distribution_shift.INVERTED,
    distribution_shift.OTHER_IMAGES, distribution_shift.CHANNELS_REVERSED,
)  # fmt: skip


@check(near_duplicates.NEAR_DUPLICATES, mapping.OTHER_NUMBERS, *SHIFT_RULES, *ALIGNMENT_RULES)
def check_relations(case: Case) -> Iterator[Finding]:
    """Yield misaligned labels, and splits whose images or labels do not belong together."""
    sample = probe.draw(case.train, case.contract)
    other = _other(case, sample)
    fitted = probe.fit(sample) if sample is not None else None
    learned = fitted is not None and alignment.is_learned(fitted)
    tested = _tested(fitted, other) if learned else None
    if fitted is not None and learned:
        proof = (tested.accuracy, len(tested.sample)) if tested is not None else None
        broken = list(partial_alignment.break_found(case, case.train, fitted))
        yield from broken or partial_alignment.noise_found(case, case.train, fitted, proof)
    elif fitted is not None:
        witness = probe.fit(other) if other is not None else None
        yield from alignment.unlearned_found(case, case.train, fitted, witness)
    if case.test is not None and sample is not None and other is not None:
        yield from near_duplicates.near_duplicates_found(case, _originals(case, sample), other)
        yield from _test_found(case, case.test, sample, other, tested)
        own = probe.fit(other) if not learned else None
        if own is not None and not alignment.is_learned(own):
            yield from alignment.unlearned_found(case, case.test, own, None)


def _other(case: Case, sample: Sample | None) -> Sample | None:
    """Return test images on the scale of train's, None where there are none of train's shape."""
    other = probe.draw(case.test, case.contract, TEST_IMAGES) if case.test is not None else None
    if sample is None or other is None:
        return other
    if sample.images.shape[1:] != other.images.shape[1:]:
        return None
    return other.on_scale_of(sample) if len(sample) and len(other) else other


def _originals(case: Case, sample: Sample) -> Sample:
    """Return the train images that test's are compared with, more than the classifier's where that finds more."""
    images = case.train.images
    if images is None or not len(sample) < len(images) <= MOST_SEARCHED:
        return sample
    return probe.draw(case.train, case.contract, ORIGINALS, side=near_duplicates.SIDE) or sample


def _tested(fitted: Fit | None, other: Sample | None) -> Tested | None:
    if fitted is None or other is None or not other.labelled:
        return None
    known = np.isin(other.classes, fitted.classes)
    return Tested(fitted, other.where(known)) if known.sum() >= FEWEST_TESTED else None


def _test_found(case: Case, test: Split, sample: Sample, other: Sample, tested: Tested | None) -> Iterator[Finding]:
    in_time = case.input_kind is InputKind.SEQUENCES  # a forecast's test lies later: other levels are no fault
    found = transforms.find_change(sample, other) if not in_time else None
    if found is not None and (tested is None or _is_no_worse(tested, found.change)):
        yield from distribution_shift.change_found(case, test, found)
        return
    strange = transforms.is_of_another_kind(sample, other)
    if tested is None:
        if strange:
            seen = "nearly all look less like train than train's strangest"
            yield distribution_shift.other_images(case, "note" if in_time else "error", seen, other.indices)
        return
    table = mapping.find_mapping(tested.fitted, tested.sample, tested.guesses)
    if table is not None:
        yield mapping.mapped(test, table, tested.evidence)
    elif tested.shortfall > CLEARLY and tested.accuracy < STRANGE * tested.expected:
        if in_time and tested.is_lopsided:  # other subjects or levels, which the network may see through
            yield distribution_shift.other_images(case, "note", tested.evidence, tested.wrong)
        elif not strange and tested.is_chance:
            shift = alignment.slipped(case, test)
            yield alignment.misaligned(case, test, tested.evidence, tested.wrong, shift=shift, why=LOOKS_FINE)
        else:
            yield distribution_shift.other_images(case, "error", tested.evidence, tested.wrong)
    elif tested.shortfall > CLEARLY and tested.accuracy < DRIFTED * tested.expected and strange:
        yield distribution_shift.other_images(case, "warning", tested.evidence, tested.wrong)


def _is_no_worse(tested: Tested, change: transforms.Change) -> bool:
    """Whether the classifier is correct at least as often on the test images changed back."""
    images, (mean, width) = tested.sample.images, tested.sample.scale or tested.sample.own_scale
    restored = replace(tested.sample, images=change.apply(images - np.float32(mean)), scale=(0.0, width))
    correct = tested.fitted.guess(restored.blocks) == tested.sample.classes
    return float(correct.mean()) >= tested.accuracy
