"""A check of tables: a number such as -999 that stands for a missing value, among the values themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import COLUMNS, Need, Rule, Scope, check

SAMPLE = 2000  # rows looked at
FEWEST_ROWS = 50
SHARES = (0.02, 0.6)  # of the rows that hold the number
APART = 2.0  # widths of all others, by which it lies beyond them
FEWEST_VALUES = 20  # different ones of the others: no flags, no codes

STAND_IN = Rule(
    code="I112",
    name="stand-in-for-missing-values",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="A column holds one number far beyond all its others in many rows, as -999 is written for a missing value.",
    why="The network takes it for a measurement, far beyond all others: what tells them apart drowns in it.",
)


@check(STAND_IN)
def check_stand_ins(_: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on columns of train."""
    images = split.images
    if split.name != "train" or images is None or images.ndim != 2 or images.dtype.kind not in REAL_KINDS:
        return
    values = take(images, sample_indices(len(images), SAMPLE)).astype(np.float64)
    found = [(column, *each) for column in range(values.shape[1]) if (each := _stand_in(values[:, column]))]
    if not found:
        return
    column, number, share, low, high = found[0]
    alike = [each for each, other, *_ in found if other == number]
    yield STAND_IN.found(
        "train",
        expected="missing values filled by what is usual in their column, or left out",
        received=f"{number:g} in {share:.0%} of the rows of column {column}, whose others are {low:.4g}..{high:.4g}"
        + (f", and in {len(alike) - 1} more" if len(alike) > 1 else ""),
        fix=f"gaps = (train_images == {number:g}) & np.isin(np.arange(train_images.shape[1]), {alike}); train_images = "
        "np.where(gaps, np.nanmedian(np.where(gaps, np.nan, train_images), axis=0), train_images)"
        "  # in every split, by train's medians",
        where=tuple(alike[:MAX_WHERE]),
    )


def _stand_in(column: np.ndarray) -> tuple[float, float, float, float] | None:
    """Return the number, its share of the rows, and the range of all others; None where there is no such number."""
    finite = column[np.isfinite(column)]
    if len(finite) < FEWEST_ROWS:
        return None
    for number in (float(finite.min()), float(finite.max())):
        others = finite[finite != number]
        share = 1 - len(others) / len(finite)
        if not SHARES[0] <= share <= SHARES[1] or not _is_written_so(number) or len(np.unique(others)) < FEWEST_VALUES:
            continue
        low, high = float(others.min()), float(others.max())
        if max(low - number, number - high) >= APART * (high - low):
            return number, share, low, high
    return None


def _is_written_so(number: float) -> bool:
    """Whether a number is one that people write for what they do not have: -99, 999, -9999, -200 …"""
    if number != int(number):
        return False
    digits = str(abs(int(number)))
    nines = len(digits) > 1 and set(digits) == {"9"}
    return nines or (number <= -100 and set(digits[1:]) == {"0"})
