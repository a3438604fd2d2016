"""A column that counts the rows of the table it came from: an index that was saved, an id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import COLUMNS, Follows, Need, On, Rule, Scope, check

FEWEST_ROWS, MOST_ROWS = 50, 200_000
MOST_COLUMNS = 512
SAMPLE = 200  # rows looked at first
SHARE = 0.5  # of the whole numbers from the least to the greatest that occur
UNEVEN = 0.02  # of a step between neighbours, as float32 rounds numbers that were scaled
STRETCHES = 3  # of one class along the column, for each class

ROW_NUMBERS = Rule(
    code="S175",
    name="rows-numbered-in-a-column",
    field="splits.leakage",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.SURVEY, Need.LABELS),
    inputs=COLUMNS,
    summary="A column counts the rows of the table that all splits come from.",
    why="It says nothing of new rows; where the file is sorted by class, the score is read off it and means nothing.",
    follows=(Follows(rules=("D046",), on=On.ANY_SPLIT),),
)


@check(ROW_NUMBERS)
def check_row_numbers(case: Case) -> Iterator[Finding]:
    """Yield the only column whose values are different whole numbers without gaps, or all equally far apart."""
    train, labels = case.train.images, case.train.labels
    if train is None or labels is None or train.ndim != 2 or not case.task.has_classes or len(train) != len(labels):
        return
    splits = [each.images for each in case.splits.values()
              if each.images is not None and each.images.shape[1:] == train.shape[1:]]  # fmt: skip
    rows = sum(map(len, splits))
    if not FEWEST_ROWS <= rows <= MOST_ROWS or not 2 <= train.shape[1] <= MOST_COLUMNS or train.dtype.kind not in "iuf":
        return
    first = take(train, sample_indices(len(train), SAMPLE))
    varied = [column for column in range(train.shape[1]) if len(np.unique(first[:, column])) == len(first)]
    counting = [column for column in varied if _counts(np.concatenate([each[:, column] for each in splits]))]
    if len(counting) != 1:
        return
    column = train[:, counting[0]]
    stretch = ", and each class is a stretch of it" if _are_stretches(column, labels) else ""
    yield ROW_NUMBERS.found(
        "train",
        expected="columns that say something of a row that is new",
        received=f"column {counting[0]} numbers the {rows} rows, {column.min():g} to {column.max():g}{stretch}",
        fix=f"Leave out the column {counting[0]} in every split, and in the network's input.",
        where=(counting[0],),
    )


def _counts(values: np.ndarray) -> bool:
    """Whether values are different whole numbers, few of them left out, or equally far apart, as scaled ones are."""
    ordered = np.sort(values.astype(np.float64))
    steps = np.diff(ordered)
    if not np.isfinite(ordered).all() or not (steps > 0).all():
        return False
    width = ordered[-1] - ordered[0]
    if not (ordered % 1).any():
        return bool(len(ordered) > SHARE * width)
    return bool(np.abs(steps - width / len(steps)).max() < UNEVEN * width / len(steps))


def _are_stretches(column: np.ndarray, labels: Sequence[int] | np.ndarray) -> bool:
    """Whether the labels, along a column, change no more often than there are classes, or little more."""
    classes = np.argmax(labels, axis=1) if np.ndim(labels) == 2 and np.shape(labels)[1] > 1 else np.ravel(labels)
    along = np.asarray(classes)[np.argsort(column)]
    return bool((along[1:] != along[:-1]).sum() < STRETCHES * len(np.unique(along)))
