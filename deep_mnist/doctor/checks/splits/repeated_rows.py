"""Checks for examples that were repeated before the split: rows copied to balance classes, mirrored images added.

A table of few values repeats itself by nature. Its rows count as copies only where they could hardly be equal by
chance (the product of the columns' collision rates, its root for safety, over all pairs), or where the rows of some
classes are nearly all there twice and those of others hardly ever. Mirrored copies are counted byte for byte, of
images that are not their own mirror image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.rows_of_both import alike_by_nature, comparable, hashes_of_both
from deep_mnist.doctor.checks.splits.split_text import MIRRORED, SAME, TURNED, UPSIDE_DOWN, split_by_groups
from deep_mnist.doctor.evidence.hashes import are_among, begin_with_zeros, hash_rows
from deep_mnist.doctor.evidence.sampling import CHUNK_BYTES, sample_chunks, sample_indices, take
from deep_mnist.doctor.evidence.survey import Survey
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import IMAGES, Follows, Need, On, Rule, Scope, check

TESTED = 400  # test images whose mirror images are looked for
MOST_BYTES = 1 << 27  # of these images
MOST_VALUES = 1 << 20  # of the rows that tell how often columns repeat a value
MOST_BLANK = 64  # rows, the commonest, that are looked at for being blank
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
    needs=(Need.SURVEY, Need.TEST),
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
    needs=(Need.SURVEY, Need.TEST),
    inputs=IMAGES,
    follows=SPLIT_FOLLOWS,
    summary="Mirrored or turned copies were added and split afterwards: the mirror image of a test image is in train.",
    why="The test score counts what was learned by heart: it is too good.",
)


class Turn(NamedTuple):
    """How copies were turned: its name, the key of its line in split_text, what it does to (n, rows, columns, …)."""

    name: str
    key: str
    turn: Callable[[np.ndarray], np.ndarray]
    is_quarter: bool = False


WAYS = (
    Turn("mirrored left to right", MIRRORED, lambda images: images[:, :, ::-1]),
    Turn("mirrored upside down", UPSIDE_DOWN, lambda images: images[:, ::-1]),
    Turn("turned by half", TURNED, lambda images: images[:, ::-1, ::-1]),
    Turn("turned by a quarter", TURNED, lambda images: np.rot90(images, 1, (1, 2)), True),
    Turn("turned by a quarter", TURNED, lambda images: np.rot90(images, -1, (1, 2)), True),
)


@check(REPEATED)
def check_repeated_rows(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, on rows that stand on both sides and within train as often."""
    (hashes, trained), (others, tested) = hashes_of_both(case)
    if len(others) < FEWEST or are_among(others, hashes).mean() < SHARE or alike_by_nature(case):
        return
    blank = _blank_among(case.train, hashes, trained)
    varied = ~np.isin(hashes, blank)
    hashes, trained = hashes[varied], trained[varied]
    unique, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    shared, twice = are_among(others, hashes), counts[inverse] > 1
    if shared.mean() < SHARE or twice.mean() < WITHIN * shared.mean() or len(unique) < FEWEST:
        return
    words = _by_class(case, twice, trained)
    if not words and not _could_hardly_be_equal(case):
        return
    yield REPEATED.found(
        "test",
        expected=f"test {case.example}s that training has not seen: split first, then repeat train's alone",
        received=f"{shared.mean():.0%} of the test {case.example}s are in train too, and {twice.mean():.0%} of train's "
        f"own are there more than once{words}: they were repeated before the split",
        fix=split_by_groups(case, SAME) or "Split first; then repeat, oversample or augment the train part alone.",
        where=tuple(int(index) for index in tested[shared][:MAX_WHERE]),
    )


def _blank_among(train: Split, hashes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the hashes, of the commonest, whose rows are one value throughout: those are alike by nature."""
    images = train.images
    if images is None or not len(hashes) or images[0].size < 2:
        return hashes[:0]
    unique, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    commonest = np.argsort(-counts, kind="stable")[:MOST_BLANK]
    commonest = commonest[np.argsort(at[first[commonest]])]
    chosen = at[first[commonest]]
    rows = sample_chunks(images, chosen) if train.whole_images is None else iter([train.whole_images(chosen)])
    flat = [bool(row.min() == row.max()) for some in rows for row in some]
    blank: np.ndarray = unique[commonest[np.array(flat, bool)]]
    return blank


def _by_class(case: Case, twice: np.ndarray, at: np.ndarray) -> str:
    """Return which classes' rows are nearly all there twice, where others' hardly ever are; "" else."""
    classes = case.train.classes
    if classes is None or case.train.images is None or len(classes) != len(case.train.images):
        return ""
    if case.train.whole_images is not None:  # the labels at hand are of some rows only
        return ""
    numbers = classes.at(at)
    shares = {int(each): float(twice[numbers == each].mean()) for each in np.unique(numbers)[:1000]}
    if not shares or max(shares.values()) < NEARLY_ALL or min(shares.values()) > HARDLY_ANY:
        return ""
    most = max(shares, key=lambda each: shares[each])
    return f" ({shares[most]:.0%} of class {most})"


def _could_hardly_be_equal(case: Case) -> bool:
    """Whether rows equal by chance are so rare that a test row has next to none among train's."""
    images = case.train.images
    if case.input_kind.shows_images or images is None:
        return case.input_kind.shows_images
    rows = take(images, np.arange(min(len(images), MOST_VALUES // max(1, images[0].size))))
    unique = np.unique(rows.reshape(len(rows), -1).astype(np.float64), axis=0)
    if len(unique) < FEWEST:
        return False
    rates = [float(np.square(np.unique(column, return_counts=True)[1] / len(unique)).sum()) for column in unique.T[:64]]
    return float(np.sqrt(np.prod(rates))) * len(unique) < BY_CHANCE


@check(MIRRORS)
def check_mirrors(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: the way in which most test images have a turned copy in train, byte for byte."""
    ours = case.train.survey
    images = _as_images(case, case.test.images) if case.test and case.test.images is not None else None
    if ours is None or images is None or not comparable(case) or images[0].size < SMALLEST:
        return
    size = min(TESTED, MOST_BYTES // images[0].nbytes)
    chosen = sample_indices(len(images), size)
    if size < FEWEST or all(len(np.unique(some)) <= LEVELS for some in sample_chunks(images, chosen[:50])):
        return
    ways = [each for each in WAYS if not each.is_quarter or images.shape[1] == images.shape[2]]
    found = _turned_copies(images, chosen, ways, ours)
    way = max(ways, key=lambda each: len(found[each][0]))
    near, looked = found[way]
    if len(near) <= SHARE * looked or len(near) < FEWEST:
        return
    yield MIRRORS.found(
        "test",
        expected="test images that training has not seen: split first, then add mirrored copies to train alone",
        received=f"{len(near)} of {looked} test images are in train {way.name}, byte for byte: "
        "the copies were added before the split",
        fix=split_by_groups(case, way.key) or "Split first; then add the mirrored copies to the train part alone.",
        where=tuple(int(index) for index in near[:MAX_WHERE]),
    )


def _turned_copies(
    images: np.ndarray, chosen: np.ndarray, ways: Sequence[Turn], ours: Survey
) -> dict[Turn, tuple[np.ndarray, int]]:
    """Return for each way the chosen images that train holds turned, and among how many they were looked for.

    An image that is its own mirror image does not count. Of a large train split only some hashes are kept: then only
    images whose turned hash would be among these are looked for.
    """
    parts: dict[Turn, list[np.ndarray]] = {way: [] for way in ways}
    rows = max(1, CHUNK_BYTES // images[0].nbytes)
    for start in range(0, len(chosen), rows):
        some = take(images, chosen[start : start + rows])
        as_they_are = _hashes(some)
        for way in ways:
            turned = _hashes(way.turn(some))
            parts[way].append(np.stack([turned, turned != as_they_are]))
    hashes, differs = np.array([np.concatenate(parts[way], axis=1) for way in ways]).swapaxes(0, 1)
    kept = begin_with_zeros(hashes.reshape(-1), ours.level).reshape(hashes.shape)
    near = kept & differs.astype(bool) & are_among(hashes.reshape(-1), ours.hashes).reshape(hashes.shape)
    return {way: (chosen[near[at]], int(kept[at].sum())) for at, way in enumerate(ways)}


def _hashes(images: np.ndarray) -> np.ndarray:
    return hash_rows(np.ascontiguousarray(images).reshape(len(images), -1))


def _as_images(case: Case, images: np.ndarray) -> np.ndarray | None:
    """Return images (n, rows, columns[, channels]), None where they are none or the channels come first."""
    if images.ndim == 2:
        side = round(images.shape[1] ** 0.5)
        return images.reshape(-1, side, side) if side * side == images.shape[1] else None
    return None if case.contract.layout == "channels_first" or images.ndim > 4 else images
