"""Checks for examples that were repeated before the split: rows copied to balance classes, mirrored images added.

A table of few values repeats itself by nature. Its rows count as copies only where they could hardly be equal by
chance (the product of the columns' collision rates, its root for safety, over all pairs), or where the rows of some
classes are nearly all there twice and those of others hardly ever. Mirrored copies are counted byte for byte, of
images that are not their own mirror image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.splits.split_text import MIRRORED, SAME, TURNED, UPSIDE_DOWN, split_by_groups
from deep_mnist.doctor.evidence.hashes import hash_rows
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding, first_of
from deep_mnist.doctor.rule import IMAGES, Follows, Need, On, Rule, Scope, check

MOST_ROWS = 100_000  # of train that are looked in
TESTED = 2000  # test examples looked for
FEWEST = 20
SHARE = 0.05  # of test examples that have a copy in train
WITHIN = 0.5  # of that share: the least that train's own examples must have among themselves
BY_CHANCE = 0.05  # copies that a test example may have in train by chance
NEARLY_ALL, HARDLY_ANY = 0.5, 0.05  # share of a class's rows that are there twice
LEVELS = 3  # distinct values of pixels: boards of fewer are mirrored by chance
SMALLEST = 64  # pixels

SPLIT_FOLLOWS = (Follows(rules=("S160", "S161"), on=On.ANY_SPLIT), Follows(rules=("S122",), on=On.ANY_SPLIT))

REPEATED = Rule(
    code="S162",
    name="rows-repeated-before-the-split",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=SPLIT_FOLLOWS,
    summary="Examples were repeated (to balance classes, to have more) and split afterwards: copies on both sides.",
    why="The test score counts what was learned by heart: it is too good.",
)
MIRRORS = Rule(
    code="S163",
    name="mirrors-added-before-the-split",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    inputs=IMAGES,
    follows=SPLIT_FOLLOWS,
    summary="Mirrored or turned copies were added and split afterwards: the mirror image of a test image is in train.",
    why="The test score counts what was learned by heart: it is too good.",
)
WAYS: tuple[tuple[str, str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("mirrored left to right", MIRRORED, lambda images: images[:, :, ::-1]),
    ("mirrored upside down", UPSIDE_DOWN, lambda images: images[:, ::-1]),
    ("turned by half", TURNED, lambda images: images[:, ::-1, ::-1]),
    ("turned by a quarter", TURNED, lambda images: np.rot90(images, 1, (1, 2))),
    ("turned by a quarter", TURNED, lambda images: np.rot90(images, -1, (1, 2))),
)


@check(REPEATED)
def check_repeated_rows(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, on rows that stand on both sides and within train as often."""
    train, test = rows_of(case.train), rows_of(case.test)
    if train is None or test is None or train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        return
    ours, theirs = hash_rows(_bytes(train)), hash_rows(_bytes(test))
    ours, theirs = ours[_vary(train)], np.where(_vary(test), theirs, 0)
    shared = np.isin(theirs, ours) & _vary(test)
    unique, inverse, counts = np.unique(ours, return_inverse=True, return_counts=True)
    twice = counts[inverse] > 1
    if len(theirs) < FEWEST or shared.mean() < SHARE or twice.mean() < WITHIN * shared.mean() or len(unique) < FEWEST:
        return
    words = _by_class(case, twice, _vary(train))
    if not words and not _could_hardly_be_equal(train, test, case.input_kind):
        return
    yield REPEATED.found(
        "test",
        expected=f"test {case.example}s that training has not seen: split first, then repeat train's alone",
        received=f"{shared.mean():.0%} of the test {case.example}s are in train too, and {twice.mean():.0%} of train's "
        f"own are there more than once{words}: they were repeated before the split",
        fix=split_by_groups(case, SAME) or "Split first; then repeat, oversample or augment the train part alone.",
        where=first_of(shared),
    )


def _vary(rows: np.ndarray) -> np.ndarray:
    """Return bool (n,): rows that are not one value throughout; blank ones are alike by nature."""
    flat = rows.reshape(len(rows), -1)
    varied: np.ndarray = flat.min(axis=1) < flat.max(axis=1) if flat.shape[1] > 1 else np.ones(len(flat), bool)
    return varied


def rows_of(split: Split | None) -> np.ndarray | None:
    """Return at most MOST_ROWS of train or TESTED of another split, an array of numbers (n, …); None of others."""
    images = split.images if split is not None else None
    if images is None or images.ndim < 2 or images.dtype.kind not in "fiub" or not images[:1].size:
        return None
    limit = MOST_ROWS if split is not None and split.name == "train" else TESTED
    chosen = images if len(images) <= limit else take(images, sample_indices(len(images), limit))
    return np.ascontiguousarray(chosen)


def _bytes(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), -1).view(np.uint8)


def _by_class(case: Case, twice: np.ndarray, varied: np.ndarray) -> str:
    """Return which classes' rows are nearly all there twice, where others' hardly ever are; "" else."""
    classes = case.train.classes
    if classes is None or len(classes) != len(varied):
        return ""
    numbers = classes.at(np.arange(len(classes)))[varied]
    shares = {int(each): float(twice[numbers == each].mean()) for each in np.unique(numbers)[:1000]}
    if not shares or max(shares.values()) < NEARLY_ALL or min(shares.values()) > HARDLY_ANY:
        return ""
    most = max(shares, key=lambda each: shares[each])
    return f" ({shares[most]:.0%} of class {most})"


def _could_hardly_be_equal(train: np.ndarray, test: np.ndarray, kind: InputKind) -> bool:
    """Whether rows equal by chance are so rare that a test row has next to none among train's."""
    if kind.shows_images:
        return True
    rows = train.reshape(len(train), -1)
    unique = np.unique(rows[:20_000].astype(np.float64), axis=0)
    if len(unique) < FEWEST:
        return False
    rates = [float(np.square(np.unique(column, return_counts=True)[1] / len(unique)).sum()) for column in unique.T[:64]]
    chance = float(np.sqrt(np.prod(rates))) * len(unique)
    return chance < BY_CHANCE and len(test) > 0


@check(MIRRORS, in_background=True)
def check_mirrors(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: the way in which most test images have a turned copy in train, byte for byte."""
    train, test = _images(case, case.train), _images(case, case.test)
    if train is None or test is None or train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        return
    if len(np.unique(test[:50])) <= LEVELS or train[0].size < SMALLEST:
        return
    ours, theirs = hash_rows(_bytes(train)), hash_rows(_bytes(test))
    found = []
    for name, key, turn in WAYS:
        if name == "turned by a quarter" and test.shape[1] != test.shape[2]:
            continue
        turned = hash_rows(_bytes(np.ascontiguousarray(turn(test))))
        found.append((np.isin(turned, ours) & (turned != theirs), name, key))
    near, name, key = max(found, key=lambda each: int(each[0].sum()))
    if near.mean() <= SHARE or near.sum() < FEWEST:
        return
    yield MIRRORS.found(
        "test",
        expected="test images that training has not seen: split first, then add mirrored copies to train alone",
        received=f"{int(near.sum())} of {len(test)} test images are in train {name}, byte for byte: "
        "the copies were added before the split",
        fix=split_by_groups(case, key) or "Split first; then add the mirrored copies to the train part alone.",
        where=first_of(near),
    )


def _images(case: Case, split: Split | None) -> np.ndarray | None:
    """Return images (n, rows, columns[, channels]), None where they are none or the channels come first."""
    rows = rows_of(split)
    if rows is None:
        return None
    if rows.ndim == 2:
        side = round(rows.shape[1] ** 0.5)
        return rows.reshape(-1, side, side) if side * side == rows.shape[1] else None
    return None if case.contract.layout == "channels_first" or rows.ndim > 4 else rows
