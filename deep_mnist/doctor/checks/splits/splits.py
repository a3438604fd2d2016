"""Checks of the splits against each other: scale, shape, leakage, order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.splits.coverage import check_coverage, check_missing_classes, listed
from deep_mnist.doctor.evidence.classes import Classes
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.sampling import release
from deep_mnist.doctor.evidence.survey import Survey
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding

SPAN_RATIO = 1.6  # of the splits' pixel ranges; -1..1 against 0..1 has 2, /255 against /256 has 1.004
SPREAD_RATIO = 1.3  # of their deviations: one odd image widens the range and not this
SHIFT = 0.15  # of the splits' lowest pixels, in units of their range; 0..1 against -0.5..0.5 has 0.5
LEAK_ERROR = 0.01  # share of test images found in train; Fashion-MNIST has 0.1 % by itself, MNIST none
LEAK_WARNING = 0.004  # 3 to 4 times what a published set has by itself
HASHES_AT_ONCE = 1 << 16
COMPARED = 1000  # pairs of equal hashes whose images are compared; what holds for them holds for the rest
FEWEST_ROWS, REPEATED = 50, 0.01  # of a table, for copies to mean anything; share of rows that are there twice
FEW_DUPLICATES = 2  # in a small split one image alone may be a share above these
UNSEEN = 0.75  # a set of which p pairs were seen holds (sqrt(p + 1) + this)**2 at most, in 19 of 20 cases
MOST_BY_NATURE = 0.05  # share of test images in train that the set's own repetitions may explain
TAIL_EXAMPLES = 7  # due in the last part: with 10 classes, none at all then has a chance below 0.01
ORDERED = 0.5  # changes of label from one example to the next, relative to a shuffled set's


def check_splits(case: Case) -> Iterator[Finding]:
    """Yield what is wrong between the splits."""
    test = case.test
    if test is not None:
        yield from _check_swapped_parts(case.train, test)
        yield from _check_example_shapes(case, case.train, test)
        table = case.input_kind is InputKind.COLUMNS
        if not table:  # a table's splits differ by its outliers and its order
            yield from _check_scales(case.train, test)
        if not (table and _repeats_itself(case.train)):
            yield from _check_leakage(case.train, test)
        for split in (case.train, test):
            if split.survey is not None:
                split.survey.drop_hashes()  # of no more use
        yield from check_coverage(case.train, test)
    yield from check_missing_classes(case)
    yield from _check_order(case)


def _repeats_itself(split: Split) -> bool:
    """Whether rows of few values come again within a split: then they do in the other one by chance."""
    if split.survey is None:
        return False
    count = len(split.survey.hashes)
    return count < FEWEST_ROWS or len(np.unique(split.survey.hashes)) < (1 - REPEATED) * count


def _check_swapped_parts(train: Split, test: Split) -> Iterator[Finding]:
    """load_data() unpacked in the wrong order, or labels of the other split."""
    images, labels, others, other_labels = train.images, train.labels, test.images, test.labels
    if images is None or labels is None or others is None or other_labels is None:
        return
    if not (images.ndim and labels.ndim and others.ndim and other_labels.ndim):
        return
    why = "Keras stops: the numbers of images and labels differ."
    if labels.ndim >= 3 and labels.shape[1:] == images.shape[1:] and others.ndim <= 2:
        yield Finding(
            field="labels.alignment",
            severity="error",
            split="both",
            expected="labels of train_images in train_labels",
            received=f"images of shape {labels.shape} there, and labels of shape {others.shape} in test_images",
            fix="train_labels, test_images = test_images, train_labels  "
            "# unpack load_data() as (x_train, y_train), (x_test, y_test)",
            why=why,
            kind=FaultKind.UNPACKED,
        )
    elif len(images) == len(other_labels) != len(labels) == len(others):
        yield Finding(
            field="labels.alignment",
            severity="error",
            split="both",
            expected="labels of the same split as the images",
            received=f"{len(images)} train images with {len(labels)} labels, and the reverse in test",
            fix="train_labels, test_labels = test_labels, train_labels",
            why=why,
            kind=FaultKind.SWAPPED,
        )


def _check_example_shapes(case: Case, train: Split, test: Split) -> Iterator[Finding]:
    """A network that takes any size does not notice a split of another one."""
    if train.images is None or test.images is None or train.images.ndim < 2 or test.images.ndim < 2:
        return
    ours, theirs = train.images.shape[1:], test.images.shape[1:]
    required = case.contract.input_shape
    free = required is None or (None in required and len(required) == len(theirs) == len(ours))
    if ours == theirs or not free or not len(test.images):
        return
    size = ", ".join(map(str, ours))
    yield Finding(
        field="images.shape",
        severity="error",
        split="test",
        expected=f"examples of shape {ours}, as in train",
        received=f"shape {theirs}",
        fix=_to_the_same(ours, theirs) or f"Bring the test split to the training resolution: (n, {size}).",
        why="The network accepts any size and says nothing; objects of another size are not recognized.",
        kind=FaultKind.RESOLUTION,
    )


def _to_the_same(ours: tuple[int, ...], theirs: tuple[int, ...]) -> str | None:
    steps = [(mine, its) for mine, its in zip(ours, theirs, strict=False)]
    if len(ours) == len(theirs) and all(its and mine % its == 0 for mine, its in steps):
        repeats = "".join(
            f".repeat({mine // its}, axis={axis + 1})" for axis, (mine, its) in enumerate(steps) if mine != its
        )
        return f"test_images = test_images{repeats}  # or resize with interpolation"
    return None


def _check_scales(train: Split, test: Split) -> Iterator[Finding]:
    """One split scaled or shifted and the other not."""
    ours, theirs = train.survey, test.survey
    if ours is None or theirs is None or not ours.span or not theirs.span or ours.standardized_by_pixel:
        return
    ratio = max(ours.span / theirs.span, theirs.span / ours.span)
    shift = abs(ours.low - theirs.low) / max(ours.span, theirs.span)
    spread = max(ours.deviation, theirs.deviation) / max(min(ours.deviation, theirs.deviation), 1e-12 * ours.span)
    moved_by = abs(ours.mean - theirs.mean) / max(ours.deviation, theirs.deviation, 1e-12 * ours.span)
    rescaled, shifted = ratio > SPAN_RATIO and spread > SPREAD_RATIO, shift > SHIFT and moved_by > SHIFT
    if not (rescaled or shifted):
        return
    factor = ours.span / theirs.span
    offset = ours.low - theirs.low * factor
    moved = f" + {offset:.8g}" if abs(offset) > 1e-6 * ours.span else ""
    yield Finding(
        field="images.range",
        severity="error",
        split="test",
        expected=f"the train split's range, {ours.low:.4g}..{ours.high:.4g}",
        received=f"{theirs.low:.4g}..{theirs.high:.4g}",
        fix=f'test_images = (test_images * {factor:.8g}{moved}).astype("float32")  # or treat both splits alike',
        why="Training looks fine and the test accuracy is chance: the network never saw such pixels.",
        kind=FaultKind.SCALES_DIFFER,
    )


# --- leakage ---------------------------------------------------------------------------------------


def _check_leakage(train: Split, test: Split) -> Iterator[Finding]:
    ours, theirs = train.survey, test.survey
    if ours is None or theirs is None or train.images is None or test.images is None:
        return
    if train.images.dtype != test.images.dtype or train.images.shape[1:] != test.images.shape[1:]:
        return
    shared, looked = _shared(train.images, test.images, ours, theirs)
    if not len(shared):
        return
    share = len(shared) / looked
    few = len(shared) <= FEW_DUPLICATES or (share < MOST_BY_NATURE and len(shared) <= _by_nature(ours, theirs))
    severity = "note" if few or share <= LEAK_WARNING else "error" if share > LEAK_ERROR else "warning"
    whole = "the test loader reads the training data" if share > 0.99 else "splits were made after copies were"
    yield Finding(
        field="splits.leakage",
        severity=severity,
        split="test",
        expected="test images that training has not seen",
        received=f"{len(shared)} of {looked} test images ({share:.1%}) are in train as well: {whole}",
        fix="seen = {row.tobytes() for row in train_images}; keep = np.array([row.tobytes() not in seen "
        "for row in test_images]); test_images, test_labels = test_images[keep], test_labels[keep]"
        if share < 0.99
        else "Load the real test files: every test image is a training image.",
        why="The test score counts what was learned by heart: it is too good.",
        where=tuple(int(index) for index in shared[:MAX_WHERE]),
        kind=FaultKind.LEAKAGE,
    )


def _by_nature(ours: Survey, theirs: Survey) -> float:
    """Return how many test images train may hold in a random split of a set that repeats itself as often as train."""
    pairs = (len(ours.hashes) - len(np.unique(ours.hashes))) << ours.level
    most = float(np.sqrt(pairs + 1) + UNSEEN) ** 2
    due = 2 * most * theirs.count / max(1, ours.count)
    return due + 3 * float(np.sqrt(due))


def _shared(images: np.ndarray, others: np.ndarray, ours: Survey, theirs: Survey) -> tuple[np.ndarray, int]:
    """Return the indices of test images that are train images too, and among how many they were looked for.

    Bytes are compared; blank images do not count. The test split's hashes are sorted and train's looked up in them a
    piece at a time: n log m, in little memory.
    """
    level = max(ours.level, theirs.level)
    (hashes, trained), (other_hashes, tested) = ours.hashes_at(level), theirs.hashes_at(level)
    if not len(other_hashes):
        return np.zeros(0, np.int64), 0
    order = np.argsort(other_hashes, kind="stable")
    ranked = other_hashes[order]
    twin = np.full(len(ranked), -1, np.int64)  # of each test hash, one train image that has it
    for start in range(0, len(hashes), HASHES_AT_ONCE):
        piece = hashes[start : start + HASHES_AT_ONCE]
        place = np.minimum(np.searchsorted(ranked, piece), len(ranked) - 1)
        hits = np.flatnonzero(ranked[place] == piece)
        twin[place[hits]] = trained[start + hits]
    first = np.searchsorted(ranked, ranked)  # equal hashes within test share the first one's twin
    found = np.flatnonzero(twin[first] >= 0)
    indices, twins = tested[order[found]], twin[first[found]]
    rising = np.argsort(indices)
    indices, twins = indices[rising], twins[rising]
    checked = [
        index
        for index, train in zip(indices[:COMPARED].tolist(), twins[:COMPARED].tolist(), strict=True)
        if _same(others, index, images, train)
    ]
    return np.concatenate([np.array(checked, np.int64), indices[COMPARED:] if checked else indices[:0]]), len(ranked)


def _same(others: np.ndarray, index: int, images: np.ndarray, train: int) -> bool:
    """Whether two images are the same and not blank; their pages are given back."""
    one, other = others[index], images[train]
    same = bool(one.size) and bool(one.min() < one.max()) and one.tobytes() == other.tobytes()
    for array in (others, images):
        release(array, 0, len(array))
    return same


# --- order -----------------------------------------------------------------------------------------


def _check_order(case: Case) -> Iterator[Finding]:
    """Sorted labels are harmful when fit does not shuffle, or takes the last part for validation."""
    classes = case.train.classes
    if classes is None or len(classes) < 20 or not case.train.paired:
        return
    stated = case.fit.get("validation_split")
    share = float(stated) if isinstance(stated, int | float) and 0 < stated < 1 else 0.0
    if share and (missing := _missing_in_tail(classes, share)):
        yield _order(
            "error",
            f"all classes in the last {share:.0%}, which validation_split takes before shuffling",
            f"class {listed(np.array(missing))} only before or only after it",
            "Validation measures classes that training never saw, and the other way round.",
        )
    if not _is_sorted(classes):
        return
    if case.fit.get("shuffle") is False:
        yield _order(
            "error",
            "examples in random order, or shuffle=True",
            "labels in runs of one class, shuffle=False",
            "Each batch holds one class: the network predicts the last class it was shown.",
        )
    elif not share:
        yield _order(
            "note",
            "examples in random order",
            "labels in runs of one class",
            "Harmless while fit shuffles the whole set; not with validation_split or a small shuffle buffer.",
        )


def _is_sorted(classes: Classes) -> bool:
    if not classes.tally.complete:
        return False  # hardly classes
    shares = classes.tally.counts / len(classes)
    due = 1 - float(np.square(shares).sum())
    return len(shares) > 1 and classes.changes / (len(classes) - 1) < ORDERED * due


def _missing_in_tail(classes: Classes, share: float) -> list[int]:
    cut = int(len(classes) * (1 - share))
    after_cut = len(classes) - cut
    if not cut or not after_cut or not classes.tally.complete:
        return []
    found, tail = [], classes.tally_of(cut)
    in_tail = dict(zip(tail.values.tolist(), tail.counts.tolist(), strict=True))
    for each, all_ in zip(classes.tally.values.tolist(), classes.tally.counts.tolist(), strict=True):
        after = in_tail.get(each, 0)
        before, due = all_ - after, all_ * after_cut / len(classes)
        if (before == 0 and after > 2) or (after == 0 and due > TAIL_EXAMPLES):
            found.append(each)
    return found


def _order(severity: str, expected: str, received: str, why: str) -> Finding:
    return Finding(
        field="splits.order",
        severity=severity,
        split="train",
        expected=expected,
        received=received,
        fix="order = np.random.default_rng(0).permutation(len(train_labels)); "
        "train_images, train_labels = train_images[order], train_labels[order]",
        why=why,
        kind=FaultKind.ORDER,
    )
