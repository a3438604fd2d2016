"""Checks of labels that are wrong in part: from one example on, or scattered over the split.

A cheap classifier learned from the other labels is the witness (`alignment.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.statistical import STATISTICAL
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.probe import clusters
from deep_mnist.doctor.probe.classifier import Fit
from deep_mnist.doctor.rule import Need, Rule, Scope

BLOCK = 30  # fewest images in a part of the split whose labels are off
DROP = 0.3  # of accuracy between the good part and the bad one
BREAK = 6.0  # deviations of the sum up to the break
SURE_SHARE, SURE_WRONG = 4, 0.12  # the surest quarter of guesses; share of wrong labels among them worth a note
BETTER = 0.12  # of accuracy, by which the other split's labels must be the better ones
CLEARLY = 5.0  # deviations
EXPECTED = "labels that belong to their {}s"

MISALIGNED_IN_PART = Rule(
    code="L151",
    name="labels-misaligned-in-part",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS,),
    follows=STATISTICAL,
    summary="From one example on (or up to it) the labels belong to other examples: a row was lost or added there.",
    why="Part of the training set teaches wrong classes.",
)
NOISY = Rule(
    code="L152",
    name="labels-noisy",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS,),
    follows=STATISTICAL,
    summary="Many labels, scattered over the split, contradict what the rest of them teaches.",
    why="Wrong labels cap the accuracy and are learned by heart late in training.",
)


def break_found(case: Case, split: Split, fitted: Fit) -> Iterator[Finding]:
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
    at = int(fitted.sample.indices[cut])
    part = f"up to about {case.example} {at}" if bad == parts[0] else f"from about {case.example} {at} on"
    yield MISALIGNED_IN_PART.found(
        split.name,
        expected=EXPECTED.format(case.example),
        received=f"labels {part} that a cheap classifier predicts {low:.0%} correctly (chance {chance:.0%}), "
        f"against {high:.0%} in the rest",
        fix=f"Write {split.name}_images and {split.name}_labels again: "
        f"a row was lost or added near {at} in one of them.",
        where=(at,),
    )


def noise_found(case: Case, split: Split, fitted: Fit, other: tuple[float, int] | None) -> Iterator[Finding]:
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
    yield NOISY.found(
        split.name,
        severity="error" if proven else "note",
        expected=EXPECTED.format(case.example),
        received=f"{share:.0%} of the labels contradict a cheap classifier where it is surest, {evidence}",
        fix=f"Write {split.name}_images and {split.name}_labels again: part of the labels was shuffled or overwritten."
        if proven
        else f"Look at these {case.example}s and their labels in the report: are the labels correct? "
        f"python -m deep_mnist.labels names and shows every suspect.",
        where=tuple(sorted(int(index) for index in fitted.sample.indices[wrong])[:MAX_WHERE]),
    )


def _is_better(fitted: Fit, accuracy: float, count: int) -> bool:
    """Whether a classifier that learned from these labels is correct on the other split's far more often than here."""
    own, here = fitted.accuracy, len(fitted.guesses)
    pooled = (own * here + accuracy * count) / (here + count)
    luck = math.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / here + 1 / count))
    return accuracy - own > max(BETTER, CLEARLY * luck)
