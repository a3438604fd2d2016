"""Checks that both splits were scaled alike."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.labels.statistical import NOTHING_LEFT
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

SPAN_RATIO = 1.6  # of the splits' pixel ranges; -1..1 against 0..1 has 2, /255 against /256 has 1.004
SPREAD_RATIO = 1.3  # of their deviations: one odd image widens the range and not this
SHIFT = 0.15  # of the splits' lowest pixels, in units of their range; 0..1 against -0.5..0.5 has 0.5
IN_TIME = 5.0  # of sequences' ranges and deviations: what comes later lies elsewhere by nature, but not by so much
ALL_BUT_COLUMNS = frozenset(set(InputKind) - {InputKind.COLUMNS})  # a table's splits differ by their outliers
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
