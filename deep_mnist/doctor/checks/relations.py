"""Checks of what belongs together: labels with their images, one split's pictures with the other's.

A cheap classifier (probe.py) gives the evidence. Labels are told to be shuffled only when it does no
better than LUCK standard deviations above chance. Measured: of 480 intact random subsets of MNIST and
Fashion-MNIST (60 to 2,000 train images, 40 draws of each size) none raised an alarm of any kind.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor import probe
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.probe import Fit, Sample

FEWEST = 60  # pictures; with fewer the probe cannot tell ten classes from chance
FEWEST_PER_CLASS = 4.0
LUCK = 4.0  # standard deviations above chance; shuffled labels get there once in 30,000 draws
STRANGE = 0.6  # of the accuracy within train: below it, test pictures or labels are not those of train
RESTORED = 0.8  # of it: what a transform must bring back to be named
WORSE = 0.93  # of it: below, a transform is looked for that is clearly better
DRIFTED = 0.8  # of it: below, and not by luck, the splits' pictures differ in kind
CLEARLY = 5.0  # standard deviations of McNemar's test, over 15 transforms
NEAR_COPY = 0.18  # of the usual distance to the nearest other picture; intact digits have none or one below
COPIES, FEWEST_COPIES = 0.03, 4  # share and number of test pictures that near
TEST_IMAGES = 400  # of the test split
SHIFTS = 16  # examples by which labels may have slipped
FEWEST_OF_CLASS = 6  # test pictures; most of them guessed as one and the same other class is no luck
BLOCK = 30  # fewest pictures in a part of the split whose labels are off
DROP = 0.4  # of accuracy between the good part and the bad one
SURE_SHARE = 4  # the surest quarter of guesses; random labels are as frequent there as anywhere
SURE_WRONG = 0.12  # share of wrong labels among them; 0.12 at most with 256 digits shifted at random, 0.01 without
MANY_WRONG = 0.3  # of that share: a part of the labels was shuffled, not a few mistaken
OTHER_PICTURES = "Load test_images from the same data set as train_images, through the same preprocessing."
ALIKE, ALIKE_MEAN = 0.8, 0.25  # correlation of mean pictures, distance of means in deviations; MNIST to Fashion 0.5
UNLIKE = 0.3  # correlation of the splits' mean pictures; intact splits have 0.9 and more


def check_relations(case: Case) -> Iterator[Finding]:
    """Yield misaligned labels, and splits whose pictures or labels do not belong together."""
    sample = probe.draw(case.train, case.contract)
    fitted = probe.fit(sample) if sample is not None and len(sample.classes) >= FEWEST else None
    learned = fitted is not None and _is_learned(fitted)
    if fitted is not None and _is_telling(fitted):
        if not learned:
            yield _misaligned(case, case.train, fitted)
        else:
            yield from list(_check_parts(case.train, fitted)) or _check_noise(case.train, fitted)
    if case.test is not None and case.test.images is not None:
        yield from _check_test(case, fitted if learned else None)


def _is_telling(fitted: Fit) -> bool:
    return len(fitted.guesses) >= max(FEWEST, FEWEST_PER_CLASS * len(fitted.classes))


def _is_learned(fitted: Fit) -> bool:
    mean, deviation = fitted.chance()
    return fitted.accuracy > mean + LUCK * deviation


# --- labels within a split -------------------------------------------------------------------------


def _misaligned(case: Case, split: Split, fitted: Fit) -> Finding:
    mean, _ = fitted.chance()
    name = f"{split.name}_labels"
    shift = _slipped(case, split)
    if shift:
        note, fix = f": they slipped by {shift}", f"{name} = np.roll({name}, {-shift}, axis=0)"
    else:
        fix = f"Write {split.name}_images and {name} again, with one mask, one order and one shuffle for both."
        note = ": shuffled or filtered apart"
    return Finding(
        field="labels.alignment",
        severity="error",
        split=split.name,
        expected="labels that belong to their images",
        received=f"labels that a cheap classifier guesses {fitted.accuracy:.0%} right, "
        f"where chance is {mean:.0%}{note}",
        fix=fix,
        why="The network can only learn by heart: training accuracy creeps up, test accuracy is chance.",
        where=tuple(int(index) for index in fitted.sample.indices[~fitted.right][:MAX_WHERE]),
        kind=FaultKind.MISALIGNED,
    )


def _slipped(case: Case, split: Split) -> int:
    """Return by how many examples labels come late (positive) or early, 0 when no shift explains them."""
    sample = probe.draw(split, case.contract, window=True)
    fitted = probe.fit(sample) if sample is not None else None
    if fitted is None or sample is None:
        return 0
    mean, deviation = fitted.chance()
    shifts = [shift for shift in range(-SHIFTS, SHIFTS + 1) if shift]
    scores = [fitted.against(np.roll(sample.classes, -shift)) for shift in shifts]
    best = int(np.argmax(scores))
    return shifts[best] if scores[best] > mean + 2 * LUCK * deviation else 0


def _check_parts(split: Split, fitted: Fit) -> Iterator[Finding]:
    """Labels right up to an example and wrong from there on (or the reverse): a row lost in the middle."""
    right, count = fitted.right.astype(float), len(fitted.right)
    mean, _ = fitted.chance()
    sums, cuts = np.concatenate([[0], np.cumsum(right)]), np.arange(BLOCK, count - BLOCK)
    if not len(cuts):
        return
    before, after = sums[cuts] / cuts, (sums[-1] - sums[cuts]) / (count - cuts)
    best = int(np.argmax(np.abs(before - after) * np.sqrt(cuts * (count - cuts))))
    cut, low = int(cuts[best]), float(min(before[best], after[best]))
    size = cut if before[best] < after[best] else count - cut
    luck = 3 * np.sqrt(mean * (1 - mean) / size)
    if abs(before[best] - after[best]) < DROP or low > mean + luck or _few_classes(fitted, cut, before[best]):
        return
    at = int(fitted.sample.indices[cut])
    part = f"up to about image {at}" if before[best] < after[best] else f"from about image {at} on"
    yield Finding(
        field="labels.alignment",
        severity="error",
        split=split.name,
        expected="labels that belong to their images",
        received=f"labels {part} that a cheap classifier guesses {low:.0%} right, "
        f"against {before[best] + after[best] - low:.0%}",
        fix=f"Write {split.name}_images and {split.name}_labels again: "
        f"a row was lost or added near {at} in one of them.",
        why="Part of the training set teaches wrong classes.",
        where=(at,),
        kind=FaultKind.MISALIGNED_PART,
    )


def _few_classes(fitted: Fit, cut: int, before: float) -> bool:
    """Whether the bad part holds one or two classes only: sorted data with a hard class look like that."""
    bad = slice(0, cut) if before < 0.5 else slice(cut, None)
    return len(np.unique(fitted.sample.classes[bad])) <= 2


def _check_noise(split: Split, fitted: Fit) -> Iterator[Finding]:
    """Labels that contradict the classifier where it is surest."""
    sure = np.argsort(-fitted.sureness)[: len(fitted.guesses) // SURE_SHARE]
    wrong = sure[~fitted.right[sure]]
    share, luck = len(wrong) / max(1, len(sure)), 2 * np.sqrt(SURE_WRONG * (1 - SURE_WRONG) / max(1, len(sure)))
    if len(sure) < FEWEST or share <= SURE_WRONG + luck:
        return
    yield Finding(
        field="labels.alignment",
        severity="error" if share > MANY_WRONG else "warning",
        split=split.name,
        expected="labels that belong to their images",
        received=f"{share:.0%} of the labels contradict a cheap classifier where it is surest",
        fix=f"Write {split.name}_images and {split.name}_labels again: part of the labels was shuffled or overwritten.",
        why="Wrong labels cap the accuracy and are learned by heart late in training.",
        where=tuple(sorted(int(index) for index in fitted.sample.indices[wrong])[:MAX_WHERE]),
        kind=FaultKind.NOISY_LABELS,
    )


# --- one split against the other -------------------------------------------------------------------


def _check_test(case: Case, fitted: Fit | None) -> Iterator[Finding]:
    test = case.test
    if test is None:
        return
    sample = probe.draw(test, case.contract, TEST_IMAGES)
    if fitted is None or sample is None or sample.pictures.shape[1:] != fitted.sample.pictures.shape[1:]:
        yield from _check_mean_pictures(case, test)
        own = probe.fit(sample) if sample is not None and len(sample.classes) >= FEWEST else None
        if own is not None and _is_telling(own) and not _is_learned(own):
            yield _misaligned(case, test, own)
        return
    yield from _check_near_copies(fitted, sample)
    known = np.isin(sample.classes, fitted.classes)
    sample = Sample(sample.indices[known], sample.pictures[known], sample.classes[known])
    if len(sample.classes) < BLOCK:
        yield from _check_mean_pictures(case, test)
        return
    score = float((fitted.guess(sample.pictures) == sample.classes).mean())
    if score >= STRANGE * fitted.accuracy:
        if exchanged := _exchanged(fitted, sample):
            evidence = f"a cheap classifier is right on {score:.0%} of test"
            yield _mapped(test, exchanged, evidence)
        elif score < WORSE * fitted.accuracy and (found := _improving(fitted, sample)):
            evidence = f"turned back, a cheap classifier is right more often than on {score:.0%} of test"
            yield from _transformed(case, test, found, evidence)
        elif score < DRIFTED * fitted.accuracy and _luck_of(fitted, score, len(sample.classes)) > CLEARLY:
            yield _other_pictures(fitted, sample, _evidence(fitted, score), "warning")
        return
    yield from _explained(case, test, fitted, sample, score)


def _check_near_copies(fitted: Fit, sample: Sample) -> Iterator[Finding]:
    """Test pictures that are train pictures but for a little noise, brightness or another compression."""
    if len(sample.indices) < FEWEST_COPIES:
        return
    nearest, usual = probe.nearest_in(fitted, sample.pictures)
    copies = sample.indices[nearest < NEAR_COPY * usual]
    share = len(copies) / max(1, len(sample.indices))
    if share <= COPIES or len(copies) < FEWEST_COPIES:
        return
    yield Finding(
        field="splits.leakage",
        severity="error",
        split="test",
        expected="test images that training has not seen",
        received=f"{share:.0%} of the test images looked at differ hardly from a train image: altered copies",
        fix="Split first, then augment or convert: no copy of a train picture may go to test.",
        why="The test score counts what was learned by heart: it is too good.",
        where=tuple(int(index) for index in copies[:MAX_WHERE]),
        kind=FaultKind.NEAR_COPIES,
    )


def _luck_of(fitted: Fit, score: float, tested: int) -> float:
    """Return how many standard deviations a test score lies below the accuracy within train."""
    pooled = (fitted.accuracy * len(fitted.guesses) + score * tested) / (len(fitted.guesses) + tested)
    return (fitted.accuracy - score) / max(
        np.sqrt(pooled * (1 - pooled) * (1 / len(fitted.guesses) + 1 / tested)), 1e-9
    )


def _evidence(fitted: Fit, score: float) -> str:
    return f"a cheap classifier right on {fitted.accuracy:.0%} of train is right on {score:.0%} of test"


def _explained(case: Case, test: Split, fitted: Fit, sample: Sample, score: float) -> Iterator[Finding]:
    """Say why a classifier that is right within train is wrong in test."""
    evidence = _evidence(fitted, score)
    if found := _transform(fitted, sample):
        yield from _transformed(case, test, found, evidence)
        return
    mapped = _mapping(fitted, sample)
    if mapped is not None:
        yield _mapped(test, mapped, evidence)
        return
    own = probe.fit(sample) if len(sample.classes) >= FEWEST else None
    if _are_alike(case.train, test) and (own is None or not _is_learned(own)):
        yield _misaligned_test(case, test, fitted, sample, evidence)
    else:
        yield _other_pictures(fitted, sample, evidence, "error")


def _misaligned_test(case: Case, test: Split, fitted: Fit, sample: Sample, evidence: str) -> Finding:
    slipped = _slipped_test(case, test, fitted)
    fix = (
        f"test_labels = np.roll(test_labels, {-slipped}, axis=0)"
        if slipped
        else "Write test_images and test_labels again, with one mask, one order and one shuffle for both."
    )
    return Finding(
        field="labels.alignment",
        severity="error",
        split="test",
        expected="labels that belong to their images",
        received=evidence + (f": they slipped by {slipped}" if slipped else ""),
        fix=fix,
        why="Training looks fine and the test accuracy is chance.",
        where=_wrong(fitted, sample),
        kind=FaultKind.MISALIGNED,
    )


def _other_pictures(fitted: Fit, sample: Sample, evidence: str, severity: str) -> Finding:
    return Finding(
        field="images.distribution",
        severity=severity,
        split="test",
        expected="test pictures of the same kind as the train pictures",
        received=evidence,
        fix=OTHER_PICTURES,
        why="Training looks fine and the test accuracy is lower: another set, size, position, stroke or noise.",
        where=_wrong(fitted, sample),
        kind=FaultKind.OTHER_IMAGES,
    )


def _wrong(fitted: Fit, sample: Sample) -> tuple[int, ...]:
    wrong = sample.indices[fitted.guess(sample.pictures) != sample.classes]
    return tuple(int(index) for index in wrong[:MAX_WHERE])


def _transform(fitted: Fit, sample: Sample) -> tuple[str, str, bool] | None:
    """Return (orientation or "", what was done, inverted?) of the transform that brings the accuracy back."""
    best, found = RESTORED * fitted.accuracy, None
    for option, right in _tried(fitted, sample):
        if right.mean() > best:
            best, found = float(right.mean()), option
    return found


def _improving(fitted: Fit, sample: Sample) -> tuple[str, str, bool] | None:
    """Return the transform under which clearly more pictures are recognized: shoes do not look alike mirrored."""
    plain, best, found = fitted.guess(sample.pictures) == sample.classes, CLEARLY, None
    for option, right in _tried(fitted, sample):
        gained, lost = int((right & ~plain).sum()), int((plain & ~right).sum())
        score = (gained - lost) / np.sqrt(gained + lost + 1)  # McNemar's test
        if score > best:
            best, found = score, option
    return found


def _tried(fitted: Fit, sample: Sample) -> Iterator[tuple[tuple[str, str, bool], np.ndarray]]:
    """Yield every orientation and polarity with which pictures it makes right."""
    plain: probe.Transform = ("", "", lambda pictures: pictures)
    for inverted in (False, True):
        for name, told, turn in (plain, *probe.ORIENTATIONS):
            pictures = turn(sample.pictures)
            if pictures.shape == sample.pictures.shape and (name or inverted):
                guesses = fitted.guess(-pictures if inverted else pictures)
                yield (name, told, inverted), guesses == sample.classes


def _transformed(case: Case, test: Split, found: tuple[str, str, bool], evidence: str) -> Iterator[Finding]:
    name, told, inverted = found
    parts = [part for part in (told, "inverted (dark on light)" if inverted else "") if part]
    steps = ([_turned(test, case.contract, name)] if name else []) + ([_inverted(test)] if inverted else [])
    fix, why = "; ".join(steps), "Training looks fine and the test accuracy is near chance: other pictures are tested."
    received = f"test pictures {' and '.join(parts)}: {evidence}"
    expected = "test pictures like the train pictures"
    yield Finding(
        field="images.distribution",
        severity="error",
        split="test",
        expected=expected,
        received=received,
        fix=fix,
        why=why,
        kind=FaultKind.TRANSFORMED,
    )
    if name:
        yield Finding(
            field="images.orientation",
            severity="error",
            split="test",
            expected="the train split's orientation",
            received=received,
            fix=fix,
            why=why,
            kind=FaultKind.ROTATED,
        )
    if inverted:
        yield Finding(
            field="images.polarity",
            severity="error",
            split="test",
            expected="the train split's polarity",
            received=received,
            fix=fix,
            why=why,
            kind=FaultKind.INVERTED,
        )


def _inverted(test: Split) -> str:
    seen = test.survey
    total = (seen.low + seen.high) if seen is not None else 1
    return f"test_images = {total:.8g} - test_images"


def _turned(test: Split, contract: Contract, name: str) -> str:
    shape = test.images.shape if test.images is not None else ()
    flat = len(shape) == 2
    rows, columns = (2, 3) if len(shape) == 4 and contract.layout == "channels_first" else (1, 2)
    call = {
        "transposed": f"swapaxes({{}}, {rows}, {columns})",
        "mirrored": f"flip({{}}, {columns})",
        "flipped": f"flip({{}}, {rows})",
        "half turn": f"flip({{}}, ({rows}, {columns}))",
        "turned left": f"rot90({{}}, 1, ({rows}, {columns}))",
        "turned right": f"rot90({{}}, -1, ({rows}, {columns}))",
        "anti-transposed": f"rot90(np.swapaxes({{}}, {rows}, {columns}), 2, ({rows}, {columns}))",
    }[name]
    if not flat:
        return "test_images = np." + call.format("test_images")
    side = round(shape[1] ** 0.5)
    return "test_images = np." + call.format(f"test_images.reshape(-1, {side}, {side})") + f".reshape(-1, {shape[1]})"


def _mapping(fitted: Fit, sample: Sample) -> dict[int, int] | None:
    """Return {label in test: class in train} when test labels are train's under other numbers."""
    guesses = fitted.guess(sample.pictures)
    table = {int(label): _most(guesses[sample.classes == label]) for label in np.unique(sample.classes)}
    right = np.array([table[int(label)] for label in sample.classes]) == guesses
    one_to_one = len(set(table.values())) >= 0.9 * len(table)
    return table if one_to_one and len(table) > 1 and right.mean() >= RESTORED * fitted.accuracy else None


def _exchanged(fitted: Fit, sample: Sample) -> dict[int, int] | None:
    """Return the whole mapping when a few classes' numbers went round in test and the others are as in train."""
    guesses, table = fitted.guess(sample.pictures), {}
    for label in map(int, np.unique(sample.classes)):
        mine = guesses[sample.classes == label]
        clear = len(mine) >= FEWEST_OF_CLASS and (mine == _most(mine)).mean() >= STRANGE
        learned = fitted.right[fitted.sample.classes == label].mean() >= STRANGE
        table[label] = _most(mine) if clear and learned else label
    moved = {label for label, real in table.items() if label != real}
    return table if moved and moved == {table[label] for label in moved} else None


def _most(guesses: np.ndarray) -> int:
    values, counts = np.unique(guesses, return_counts=True)
    return int(values[counts.argmax()])


def _mapped(test: Split, table: dict[int, int], evidence: str) -> Finding:
    changed = ", ".join(f"{label} for {real}" for label, real in table.items() if label != real)
    rows = test.labels is not None and test.labels.ndim == 2 and test.labels.shape[1] > 1
    order = [label for label, _ in sorted(table.items(), key=lambda pair: pair[1])]
    fix = (
        f"test_labels = test_labels[:, {order}]"
        if rows
        else f"test_labels = np.vectorize({table}.get)(test_labels)  # number the classes alike in every split"
    )
    return Finding(
        field="labels.mapping",
        severity="error",
        split="test",
        expected="the train split's class numbers",
        received=f"other numbers ({changed[:120]}): {evidence}",
        fix=fix,
        why="Training looks fine and the test accuracy is chance: the names of the classes were exchanged.",
        kind=FaultKind.MAPPING,
    )


def _slipped_test(case: Case, test: Split, fitted: Fit) -> int:
    sample = probe.draw(test, case.contract, TEST_IMAGES, window=True)
    if sample is None:
        return 0
    guesses = fitted.guess(sample.pictures)
    shifts = [shift for shift in range(-SHIFTS, SHIFTS + 1) if shift]
    scores = [float((guesses == np.roll(sample.classes, -shift)).mean()) for shift in shifts]
    best = int(np.argmax(scores))
    return shifts[best] if scores[best] >= STRANGE * fitted.accuracy else 0


def _check_mean_pictures(case: Case, test: Split) -> Iterator[Finding]:
    """Without labels to go by, compare what the splits look like on average."""
    likeness = _correlation(case.train, test)
    if likeness >= UNLIKE:
        return
    why = "Training looks fine and the test accuracy is near chance: other pictures are tested."
    received = f"mean pictures that correlate by {likeness:.2f}"
    if likeness < -UNLIKE:
        yield Finding(
            field="images.polarity",
            severity="error",
            split="test",
            expected="the train split's polarity",
            received=f"inverted: {received}",
            fix=_inverted(test),
            why=why,
            kind=FaultKind.INVERTED,
        )
    fix = _inverted(test) if likeness < -UNLIKE else OTHER_PICTURES
    yield Finding(
        field="images.distribution",
        severity="error",
        split="test",
        expected="test pictures like the train pictures",
        received=received,
        fix=fix,
        why=why,
        kind=FaultKind.UNLIKE,
    )


def _are_alike(train: Split, test: Split) -> bool:
    """Whether the splits' pictures look the same on average: then it is the labels that are strange."""
    ours, theirs = train.survey, test.survey
    if ours is None or theirs is None:
        return False
    apart = abs(ours.mean - theirs.mean) / max(ours.deviation, theirs.deviation, 1e-12)
    return apart < ALIKE_MEAN and _correlation(train, test) > ALIKE


def _correlation(train: Split, test: Split) -> float:
    """Correlation of the splits' mean images, 1.0 when it cannot be told."""
    ours, theirs = train.survey, test.survey
    if ours is None or theirs is None or ours.pixels != theirs.pixels or min(ours.count, theirs.count) < FEWEST:
        return 1.0
    one, other = ours.mean_image, theirs.mean_image
    if not one.std() > 0 or not other.std() > 0:
        return 1.0
    return float(np.corrcoef(one, other)[0, 1])
