"""Checks for labels inside the inputs: one pixel, one column or a small patch that tells the class.

An element tells the class when its value leaves nothing open (99 % of its variance lies between the classes), or when
it tells one class from all others as well. In images whose class is a colour many do; reported are only a few that
stand alone, whose neighbours do not.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes;
none in 85 more of each since marks are looked for; three in 73 of digits in black and white, a lit pixel in all of one
class: silent since an element must have a value of its own in each class, or mark nearly all of them. Two in 300 pairs
of clothes, one of which was black where the other was not: silent since background marks nothing, and in 700 more.
Found, in 100 to 3,000 digits, clothes, photos, textures and two classes: one pixel, a row, a column, a patch, one-hot
pixels, noisy ones, in all 126 sets; the place of one bright pixel in 12 of 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.statistical import NOTHING_LEFT
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import COLUMNS, IMAGES, Follows, Need, On, Rule, Scope, check

FEWEST, MOST = 60, 400  # examples looked at
MOST_VALUES = 4_000_000  # elements looked at
CHUNK_COLUMNS = 2048
GREATEST = 1e15  # element: squares of larger ones, and sums of NaN, say nothing
FEWEST_OF_CLASS, MOST_CLASSES = 4, 200
FEWEST_LEFT = 40  # examples of common classes
FEWEST_MARKED, MOST_SHARED = 6, 0.02  # of a class, all with one value; share of the others that may have it too
TELLS = 0.99  # share of an element's variance between classes; the best pixels of digits have 0.7
COVERED = 0.9  # share of the classes that the elements must tell
SMALL, SMALLEST = 0.04, 32  # share of an image that a shortcut may take; elements at least
NEIGHBOURS_TELL = 0.8  # share of the variance: neighbours that tell as much are the image's own
VALUES_OF_CLASS = 3  # of a column that holds the label
SHOWN = 12  # elements listed in a fix

SHORTCUT = Rule(
    code="L160",
    name="label-in-the-input",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS,),
    inputs=IMAGES | COLUMNS,
    follows=(Follows(rules=NOTHING_LEFT, on=On.ANY_SPLIT),),
    summary="A pixel, a column or a small patch of the input tells the class by itself: a shortcut.",
    why="The network reads the label off the input: perfect scores here, chance on inputs without it.",
)


class Told(NamedTuple):
    """What elements tell of the classes.

    Attributes:
        between: float32 (elements,), the share of an element's variance that lies between all classes.
        one: float32 (elements,), the share that lies between the class that it tells best and the others; 1 where all
            of a class have a value of their own.
        classes: bool (classes,), which are told by some element.
    """

    between: np.ndarray
    one: np.ndarray
    classes: np.ndarray


@check(SHORTCUT)
def check_shortcut(case: Case) -> Iterator[Finding]:
    """Yield at most one finding on train: the elements of its inputs that tell the class."""
    split = case.train
    values, classes = _sample(split)
    if values is None or classes is None:
        return
    common = _of_common_classes(classes)
    values, classes = _chosen(values, common), classes[common]
    indicators = _indicators(classes)
    if indicators is None:
        return
    told = _told(values, indicators)
    most = np.maximum(told.between, told.one)
    telling = np.flatnonzero(most > TELLS)
    if not case.input_kind.shows_images:
        telling = telling[_of_few_values(values[:, telling], len(indicators))]
    if not 0 < len(telling) <= _most_telling(most.size):
        return
    all_told = _tell_all(values[:, telling[told.between[telling] > TELLS]].astype(np.float32), indicators)
    covered = 1.0 if all_told else float(told.classes.mean())
    shape = split.images.shape[1:] if split.images is not None else ()
    if covered > COVERED and _stands_alone(most, telling, shape, case):
        yield _found(case, split, telling, shape, float(told.between[telling].max()))


def _of_few_values(columns: np.ndarray, classes: int) -> np.ndarray:
    """Return which columns hold few values: what varies within the classes was measured, and is no copy of a label."""
    return np.array([len(np.unique(each)) <= VALUES_OF_CLASS * classes for each in columns.T], bool)


def _sample(split: Split) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return some examples as rows, and their classes; None where there is nothing to look for."""
    images, classes = split.images, split.classes
    if images is None or classes is None or images.dtype.kind not in REAL_KINDS:
        return None, None
    count = min(MOST, len(images), MOST_VALUES // max(1, int(np.prod(images.shape[1:]))))
    if count < FEWEST:
        return None, None
    indices = sample_indices(len(images), count, seed=2)
    values = take(images, indices).reshape(count, -1)
    fine = (values.max(axis=1) < GREATEST) & (values.min(axis=1) > -GREATEST)
    return (_chosen(values, fine), classes.at(indices[fine])) if fine.sum() >= FEWEST else (None, None)


def _chosen(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return values if rows.all() else values[rows]


def _of_common_classes(classes: np.ndarray) -> np.ndarray:
    """Return which examples are of classes that have enough."""
    values, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    common: np.ndarray = (counts >= FEWEST_OF_CLASS)[inverse] & bool(len(values))
    return common


def _indicators(classes: np.ndarray) -> np.ndarray | None:
    """Return float32 (classes, n): which examples are of each class; None when there are too few or many."""
    values = np.unique(classes)
    if not 2 <= len(values) <= MOST_CLASSES or len(classes) < FEWEST_LEFT:
        return None
    indicators: np.ndarray = (classes[None] == values[:, None]).astype(np.float32)
    return indicators


def _told(values: np.ndarray, indicators: np.ndarray) -> Told:
    """Return what the columns of values tell; some at a time, as what that takes is not to be held for all."""
    starts = range(0, values.shape[1], CHUNK_COLUMNS)
    totals = [np.square(each - each.mean(axis=0)).sum(axis=0) for each in (_columns(values, at) for at in starts)]
    least = 1e-6 * max(*(float(each.max()) for each in totals), 1e-30)
    between, one, classes = [], [], np.zeros(len(indicators), bool)
    for at, total in zip(starts, totals, strict=True):
        shares = _shares(_columns(values, at), indicators) / np.where(total > least, total, np.inf)
        best = shares * (len(values) / (len(values) - indicators.sum(axis=1, keepdims=True)))
        between.append(shares.sum(axis=0))
        one.append(best.max(axis=0))
        classes |= (best > TELLS).any(axis=1)
    told = Told(np.concatenate(between), np.concatenate(one), classes)
    for index, members in enumerate(indicators > 0):
        marks = _marks(values, members)
        told.one[marks] = 1
        told.classes[index] |= bool(len(marks))
    return told


def _columns(values: np.ndarray, start: int) -> np.ndarray:
    """Return CHUNK_COLUMNS columns from one on, float32."""
    return values[:, start : start + CHUNK_COLUMNS].astype(np.float32)


def _marks(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the columns in which all members of a class have one value that hardly any other example has.

    A value that they have in more columns than a shortcut takes is their background: where that of two kinds of clothes
    ends, the one is black and the other is not.
    """
    if int(members.sum()) < FEWEST_MARKED:
        return np.zeros(0, np.int64)
    own = values[members]
    same = np.flatnonzero((own == own[0]).all(axis=0))
    _, which, counts = np.unique(own[0, same], return_inverse=True, return_counts=True)
    same = same[counts[which] <= _most_telling(values.shape[1])]
    shared = (values[:, same][~members] == own[0, same]).mean(axis=0)
    marks: np.ndarray = same[shared <= MOST_SHARED]
    return marks


def _most_telling(elements: int) -> float:
    """Return how many elements of an example a shortcut takes at most."""
    return max(SMALLEST, SMALL * elements)


def _shares(values: np.ndarray, indicators: np.ndarray) -> np.ndarray:
    """Return float32 (classes, elements): of each element's sum of squares the part between a class and the others."""
    squares: np.ndarray = np.square(indicators @ (values - values.mean(axis=0))) / indicators.sum(axis=1, keepdims=True)
    return squares


def _tell_all(values: np.ndarray, indicators: np.ndarray) -> bool:
    """Whether some element (examples, elements) has a value of its own in each class, not only in one or some."""
    means = (indicators @ values) / indicators.sum(axis=1, keepdims=True)
    within = np.sqrt(np.square(values - indicators.T @ means).mean(axis=0))
    gaps = np.diff(np.sort(means, axis=0), axis=0).min(axis=0)
    return bool((gaps > np.maximum(within, 1e-3 * values.std(axis=0))).any())


def _stands_alone(explained: np.ndarray, telling: np.ndarray, shape: tuple[int, ...], case: Case) -> bool:
    """Whether what surrounds the telling elements (of columns: most others) does not tell the class as well."""
    if not case.input_kind.shows_images or len(shape) < 2:
        rest = np.delete(explained, telling)
        return bool(len(rest)) and float(np.median(rest)) < NEIGHBOURS_TELL
    mask = np.zeros(shape, bool)
    mask.reshape(-1)[telling] = True
    wide = mask.copy()
    for axis in range(len(shape)):
        for step in (-1, 1):
            wide |= np.roll(mask, step, axis) | np.roll(np.roll(mask, step, axis), step, axis)
    neighbours = explained.reshape(shape)[wide & ~mask]
    return bool(len(neighbours)) and float(np.median(neighbours)) < NEIGHBOURS_TELL


def _found(case: Case, split: Split, telling: np.ndarray, shape: tuple[int, ...], share: float) -> Finding:
    places = [tuple(int(each) for each in np.unravel_index(index, shape)) for index in telling[:3]]
    named = ", ".join(str(place if len(place) > 1 else place[0]) for place in places)
    more = f" and {len(telling) - 3} more" if len(telling) > 3 else ""
    what = "elements" if case.input_kind.shows_images else "columns"
    return SHORTCUT.found(
        split.name,
        severity="error" if case.input_kind.shows_images else "warning",
        expected="inputs that do not hold the label",
        received=f"{len(telling)} {what} that tell the class by themselves: {named}{more} "
        f"({share:.1%} of the variance lies between the classes), while their neighbours do not",
        fix=_without(case, telling),
    )


def _without(case: Case, telling: np.ndarray) -> str:
    if len(telling) > SHOWN:
        return f"Write the inputs again without the labels in elements {int(telling[0])} to {int(telling[-1])}."
    listed = [int(each) for each in telling]
    names = [f"{split.name}_images" for split in case.splits.values() if split.images is not None]
    blank = "; ".join(
        f"{name} = np.array({name}); {name}.reshape(len({name}), -1)[:, {listed}] = 0  # not their label"
        if index == len(names) - 1
        else f"{name} = np.array({name}); {name}.reshape(len({name}), -1)[:, {listed}] = 0"
        for index, name in enumerate(names)
    )
    return blank
