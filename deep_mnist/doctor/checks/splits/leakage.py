"""Checks for test examples that are train examples, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.statistical import NOTHING_LEFT
from deep_mnist.doctor.checks.rows_of_both import alike_by_nature, comparable
from deep_mnist.doctor.evidence.hashes import may_be_among
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.sampling import release
from deep_mnist.doctor.evidence.survey import Survey
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

LEAK_ERROR = 0.01  # share of test images found in train; Fashion-MNIST has 0.1 % by itself, MNIST none
LEAK_WARNING = 0.004  # 3 to 4 times what a published set has by itself
NEARLY_ALL = 0.99  # share above which the test split is the train split
CHUNK_HASHES = 1 << 16
COMPARED_BYTES = 16 << 20  # of these images, where they lie in shards
COMPARED = 1000  # pairs of equal hashes whose images are compared; what holds for them holds for the rest
FEWEST_ROWS, REPEATED = 50, 0.01  # of a table, for duplicates to mean anything; share of rows that are there twice
FEW_DUPLICATES = 2  # in a small split one image alone may be a share above these
UNSEEN = 0.75  # a set of which p pairs were seen holds (sqrt(p + 1) + this)**2 at most, in 19 of 20 cases
MOST_BY_NATURE = 0.05  # share of test images in train that the set's own repetitions may explain
WITHOUT_SEEN = (
    "seen = {row.tobytes() for row in train_images}; keep = np.array([row.tobytes() not in seen "
    "for row in test_images]); test_images, test_labels = test_images[keep], test_labels[keep]"
)
EACH_ONCE = (
    "once = np.sort(np.unique([hash(row.tobytes()) for row in train_images], return_index=True)[1]); "
    "train_images, train_labels = train_images[once], train_labels[once]  # before fit, which takes the last"
)
IN_ALL_INPUTS = "Keep each example once, in all inputs and targets alike, before they are split."

BY_THE_FILES = Follows(rules=("S160", "S161"))  # the cause itself, named
BY_THE_SPLIT = Follows(rules=("S160", "S161", "S162", "S163", "S166"))

DUPLICATES = Rule(
    code="S120",
    name="test-holds-train-examples",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.SURVEY, Need.TEST),
    follows=(Follows(rules=NOTHING_LEFT, on=On.ANY_SPLIT), BY_THE_SPLIT),
    summary="Some test examples are exact duplicates of train examples.",
    why="The test score counts what was learned by heart: it is too good.",
)
TRAIN_AS_TEST = Rule(
    code="S122",
    name="test-is-the-train-split",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.SURVEY, Need.TEST),
    follows=(Follows(rules=NOTHING_LEFT, on=On.ANY_SPLIT), BY_THE_FILES),
    summary="Nearly every test example is a train example: the test split was read from the training data.",
    why="The test score counts what was learned by heart: it is too good.",
)


@check(DUPLICATES, TRAIN_AS_TEST)
def check_leakage(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, on test."""
    train, test = case.train, case.test
    if test is None or (case.input_kind is InputKind.COLUMNS and _repeats_itself(train)):
        return
    ours, theirs = train.survey, test.survey
    if ours is None or theirs is None or train.images is None or test.images is None:
        return
    if not comparable(case) or alike_by_nature(case):
        return
    shared, looked = _shared(train, test.images, ours, theirs)
    if not len(shared):
        return
    share, example = len(shared) / looked, case.example
    due = len(shared) <= _by_nature(ours, theirs) and (share < MOST_BY_NATURE or _holds_tokens(case))
    few = due or len(shared) <= FEW_DUPLICATES or len(train.inputs) > 1  # whose other inputs may differ
    whole = "the test loader reads the training data" if share > NEARLY_ALL else "splits were made after copies were"
    yield (TRAIN_AS_TEST if share > NEARLY_ALL else DUPLICATES).found(
        "test",
        severity="note" if few or share <= LEAK_WARNING else "error" if share > LEAK_ERROR else "warning",
        expected=f"test {example}s that training has not seen",
        received=f"{len(shared)} of {looked} test {example}s ({share:.1%}) are in train as well: {whole}",
        fix=f"Load the real test files: every test {example} is a training {example}."
        if share > NEARLY_ALL
        else _without_seen(case),
        where=tuple(int(index) for index in shared[:MAX_WHERE]),
    )


def _holds_tokens(case: Case) -> bool:
    """Whether the examples are rows of whole numbers: of short ones, or of few values, many are equal by nature."""
    images = case.train.images
    tokens = case.example == "text" or (case.input_kind is InputKind.SEQUENCES and images is not None)
    return tokens and images is not None and images.dtype.kind in "iu" and images.ndim == 2


def _without_seen(case: Case) -> str:
    """Return the line that leaves out what both splits hold; fit's own split is of what it is given."""
    if len(case.train.inputs) > 1:
        return IN_ALL_INPUTS
    call = case.call
    facts = case.fit if call is None else call.facts if call.validation is None else {}
    return EACH_ONCE if facts.get("validation_split") else WITHOUT_SEEN


def _repeats_itself(split: Split) -> bool:
    """Whether rows of few values come again within a split: then they do in the other one by chance."""
    if split.survey is None:
        return False
    count = len(split.survey.hashes)
    return count < FEWEST_ROWS or len(np.unique(split.survey.hashes)) < (1 - REPEATED) * count


def _by_nature(ours: Survey, theirs: Survey) -> float:
    """Return how many test images train may hold in a random split of a set that repeats itself as often as train."""
    pairs = (len(ours.hashes) - len(np.unique(ours.hashes))) << ours.level
    most = float(np.sqrt(pairs + 1) + UNSEEN) ** 2
    due = 2 * most * theirs.count / max(1, ours.count)
    return due + 3 * float(np.sqrt(due))


def _shared(train: Split, others: np.ndarray, ours: Survey, theirs: Survey) -> tuple[np.ndarray, int]:
    """Return the indices of test images that are train images too, and among how many they were looked for.

    Bytes are compared; blank images do not count. The test split's hashes are sorted and train's looked up in them a
    chunk at a time: n log m, in little memory.
    """
    level = max(ours.level, theirs.level)
    (hashes, trained), (other_hashes, tested) = ours.hashes_at(level), theirs.hashes_at(level)
    if not len(other_hashes):
        return np.zeros(0, np.int64), 0
    order = np.argsort(other_hashes, kind="stable")
    ranked = other_hashes[order]
    likely = may_be_among(hashes, ranked)
    hashes, trained = hashes[likely], trained[likely]
    twin = np.full(len(ranked), -1, np.int64)  # of each test hash, one train image that has it
    for start in range(0, len(hashes), CHUNK_HASHES):
        chunk = hashes[start : start + CHUNK_HASHES]
        place = np.minimum(np.searchsorted(ranked, chunk), len(ranked) - 1)
        hits = np.flatnonzero(ranked[place] == chunk)
        twin[place[hits]] = trained[start + hits]
    first = np.searchsorted(ranked, ranked)  # equal hashes within test share the first one's twin
    found = np.flatnonzero(twin[first] >= 0)
    indices, twins = tested[order[found]], twin[first[found]]
    rising = np.argsort(indices)
    indices, twins = indices[rising], twins[rising]
    most = COMPARED
    images, places = train.images, twins[:most]
    if train.whole_images is not None:  # brought from where they lie
        most = min(COMPARED, max(1, COMPARED_BYTES // max(1, others[:1].nbytes)))
        images, places = train.whole_images(twins[:most]), np.arange(len(twins[:most]))
    checked = [
        index
        for index, place in zip(indices[:most].tolist(), places.tolist(), strict=True)
        if images is not None and _same(others, index, images, place)
    ]
    return np.concatenate([np.array(checked, np.int64), indices[most:] if checked else indices[:0]]), len(ranked)


def _same(others: np.ndarray, index: int, images: np.ndarray, train: int) -> bool:
    """Whether two images are the same and not blank; their pages are given back."""
    one, other = others[index], images[train]
    same = bool(one.size) and bool(one.min() < one.max()) and one.tobytes() == other.tobytes()
    for array in (others, images):
        release(array, 0, len(array))
    return same
