"""Checks that both splits were scaled alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.statistical import NOTHING_LEFT
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding, first_of
from deep_mnist.doctor.rule import COLUMNS, Follows, Need, On, Rule, Scope, check

SPAN_RATIO = 1.6  # of the splits' pixel ranges; -1..1 against 0..1 has 2, /255 against /256 has 1.004
SPREAD_RATIO = 1.3  # of their deviations: one odd image widens the range and not this
SHIFT = 0.15  # of the splits' lowest pixels, in units of their range; 0..1 against -0.5..0.5 has 0.5
IN_TIME = 5.0  # of sequences' ranges and deviations: what comes later lies elsewhere by nature, but not by so much
ALL_BUT_COLUMNS = frozenset(set(InputKind) - {InputKind.COLUMNS})  # a table's splits differ by their outliers
SAMPLE = 2000  # rows of a table looked at
FEWEST_COLUMNS = 3  # of which more than half must lie apart in the two splits
ALIKE = 0.8  # correlation of neighbouring columns, on the mean; a table's columns have 0.3 at most
NARROW = 100.0  # times narrower than train's
OUT_OF_RANGE = ("I103", "I104", "I105", "I106", "I107", "I108", "I109", "I140", "I141")  # of images, of tokens

SCALES_DIFFER = Rule(
    code="S110",
    name="splits-on-different-scales",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.SURVEY, Need.TEST),
    inputs=ALL_BUT_COLUMNS,
    follows=(
        Follows(rules=OUT_OF_RANGE, on=On.ONE_SPLIT),
        Follows(rules=("D041", "D042", "D043", "D044"), on=On.ANY_SPLIT),
        Follows(rules=(*NOTHING_LEFT, "I110"), on=On.ANY_SPLIT),
    ),
    summary="One split was scaled or shifted, and the other was not.",
    why="Training looks fine and the test accuracy is chance: the network never saw such pixels.",
)

APART = Rule(
    code="I152",
    name="columns-on-other-scale-than-train",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=COLUMNS,
    summary="Most columns of a split lie outside train's: only one of the two was standardized.",
    why="The network is judged on inputs that it has never seen the like of: its scores there mean nothing.",
)


@check(SCALES_DIFFER)
def check_scales(case: Case) -> Iterator[Finding]:
    """One split scaled or shifted and the other not."""
    ours, theirs = case.train.survey, case.test.survey if case.test is not None else None
    if ours is None or theirs is None or not ours.span or not theirs.span or ours.standardized_by_pixel:
        return
    ratio = max(ours.span / theirs.span, theirs.span / ours.span)
    shift = abs(ours.low - theirs.low) / max(ours.span, theirs.span)
    spread = max(ours.deviation, theirs.deviation) / max(min(ours.deviation, theirs.deviation), 1e-12 * ours.span)
    moved_by = abs(ours.mean - theirs.mean) / max(ours.deviation, theirs.deviation, 1e-12 * ours.span)
    rescaled, shifted = ratio > SPAN_RATIO and spread > SPREAD_RATIO, shift > SHIFT and moved_by > SHIFT
    if case.input_kind is InputKind.SEQUENCES and case.contract.vocabulary is None:
        rescaled, shifted = rescaled and min(ratio, spread) > IN_TIME, shifted and moved_by > IN_TIME
    if not (rescaled or shifted):
        return
    factor = ours.span / theirs.span
    offset = ours.low - theirs.low * factor
    moved = f" + {offset:.8g}" if abs(offset) > 1e-6 * ours.span else ""
    yield SCALES_DIFFER.found(
        "test",
        expected=f"the train split's range, {ours.low:.4g}..{ours.high:.4g}",
        received=f"{theirs.low:.4g}..{theirs.high:.4g}",
        fix=f'test_images = (test_images * {factor:.8g}{moved}).astype("float32")  # or treat both splits alike',
    )


def _are_lags(rows: np.ndarray) -> bool:
    """Whether each column nearly repeats the one before: windows of a series, whose later ones may lie elsewhere."""
    if rows.shape[1] < FEWEST_COLUMNS or len(rows) < FEWEST_COLUMNS:
        return False
    scaled = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-12)
    return float((scaled[:, 1:] * scaled[:, :-1]).mean()) > ALIKE


@check(APART)
def check_columns_apart(case: Case, split: Split) -> Iterator[Finding]:
    """Yield columns of a split that lie wholly outside train's, as when only one of the two was standardized."""
    train, images = case.train.images, split.images
    if split.name == "train" or train is None or images is None or images.dtype.kind not in REAL_KINDS:
        return
    if train.ndim != 2 or images.shape[1:] != train.shape[1:] or min(len(train), len(images)) < 2:
        return
    ours, theirs = (take(each, sample_indices(len(each), SAMPLE)).astype(np.float64) for each in (train, images))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return
    if _are_lags(ours):
        return
    low, high = ours.min(axis=0), ours.max(axis=0)
    width, middle = high - low, np.median(theirs, axis=0)
    apart = (middle < low - width) | (middle > high + width)
    apart |= np.ptp(theirs, axis=0) * NARROW < width
    used = width > 0
    if used.sum() < FEWEST_COLUMNS or (apart & used).sum() <= used.sum() / 2:
        return
    first = int(np.flatnonzero(apart & used)[0])
    yield APART.found(
        split.name,
        expected="columns on train's scale",
        received=f"{int((apart & used).sum())} of {int(used.sum())} columns on another: column {first} has the median "
        f"{middle[first]:.4g}, train's lie in {low[first]:.4g}..{high[first]:.4g}",
        fix=f"Scale {split.name}_images as train_images, with train's mean and deviation, before fit.",
        where=first_of(apart & used),
    )
