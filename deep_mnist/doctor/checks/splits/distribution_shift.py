"""Checks of the test split's images against train's: turned, inverted, channels reversed, or of another kind.

A transform is reported only when train proves that it matters: train's own images, transformed, look clearly less
like the rest of train; and the test images, transformed, look clearly more like it, by as much. In a random split of
a healthy set both move the same way. Where transforms make no difference (textures), nothing is reported.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes;
none in 85 more of each since the simplest change is named.
Found, of 100 to 4,000 images: digits turned four ways and inverted, all 20; clothes, 16 of 20 (a mirror and a
transposition from 1,000 on); photos inverted, 3 of 4, in BGR, 3 of 4, never mirrored; textures never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.orientations import orientations
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.probe.classifier import Sample, is_channels_first
from deep_mnist.doctor.probe.features import distances, to_side

FEWEST = 20  # images of each split
COARSE_SIDE = 8  # pixels a side of the images compared
CLEARLY = 5.0  # standard errors
AS_GOOD = 0.85  # of the best change's gain: the simplest of such is the likeliest
AS_MUCH = 0.5  # of what the transform costs train: the least that it must bring the test split
STRANGE_SHARE, STRANGE_RANK = 0.9, 0.01  # share of test images that are stranger than the strangest of train's
OTHER_IMAGES = "Load test_images from the same data set as train_images, through the same preprocessing."
LOOKS_FINE = "Training looks fine and the test accuracy is near chance: other images are tested."


@dataclass(frozen=True)
class Change:
    """What may have been done to every test image.

    Attributes:
        turn: Name of an orientation, "" for none.
        description: In words.
        inverted, reversed: Polarity, order of the channels.
        apply: To images (n, rows, columns, channels) of mean 0.
    """

    turn: str
    description: str
    inverted: bool
    reversed: bool
    apply: Callable[[np.ndarray], np.ndarray]

    @property
    def parts(self) -> int:
        """How much was done."""
        return bool(self.turn) + self.inverted + self.reversed


@dataclass(frozen=True)
class LikenessEvidence:
    """What a change does to the likeness with train's images, in standard errors of the difference.

    Attributes:
        cost: Of train's own images.
        gain: Of the test images.
        share: The gain as a part of the cost.
    """

    change: Change
    cost: float
    gain: float
    share: float


def changes(square: bool, channels: int) -> list[Change]:
    """Return every change that such images can have undergone."""
    turns = [("", "", lambda images: images), *orientations(square)]
    found = []
    for inverted in (False, True):
        for name, description, turn in turns:
            if name or inverted:
                words = [part for part in (description, "inverted (dark on light)" if inverted else "") if part]
                found.append(Change(name, " and ".join(words), inverted, False, _both(turn, inverted)))
    if channels == 3:
        found.append(Change("", "with their channels in reverse order", False, True, lambda each: each[..., ::-1]))
    return found


def _both(turn: Callable[[np.ndarray], np.ndarray], inverted: bool) -> Callable[[np.ndarray], np.ndarray]:
    return (lambda images: -turn(images)) if inverted else turn


def find_change(train: Sample, test: Sample) -> LikenessEvidence | None:
    """Return the change that was made to the test images, None when there is none or train cannot tell."""
    if min(len(train), len(test)) < FEWEST:
        return None
    own, others = _coarse(train.images), _coarse(test.images)
    flat = own.reshape(len(own), -1)
    width = float(np.median(distances(flat[::2], flat))) or 1.0
    before = _closeness(own, flat, width, same=True), _closeness(others, flat, width, same=False)
    found = []
    for change in changes(own.shape[1] == own.shape[2], own.shape[3]):
        gain = _closeness(change.apply(others), flat, width, same=False) - before[1]
        if _in_errors(gain) <= CLEARLY:
            continue
        cost = before[0] - _closeness(change.apply(own), flat, width, same=True)
        evidence = LikenessEvidence(
            change, _in_errors(cost), _in_errors(gain), float(gain.mean() / max(cost.mean(), 1e-9))
        )
        if evidence.cost > CLEARLY and evidence.share > AS_MUCH:
            found.append((float(gain.mean()), evidence))
    most = max((gain for gain, _ in found), default=0.0)
    as_good = [(gain, evidence) for gain, evidence in found if gain >= AS_GOOD * most]
    simplest = min(as_good, key=lambda each: (each[1].change.parts, -each[0]), default=None)
    return simplest[1] if simplest else None


def _coarse(images: np.ndarray) -> np.ndarray:
    small = to_side(images, COARSE_SIDE)
    standardized: np.ndarray = (small - small.mean()) / (small.std() or 1.0)
    return standardized


def _closeness(images: np.ndarray, train: np.ndarray, width: float, *, same: bool) -> np.ndarray:
    """Return each image's mean likeness to train's images, leaving out the one that it was made from."""
    likeness = distances(images.reshape(len(images), -1), train)
    likeness *= -1 / width
    np.exp(likeness, out=likeness)
    own, others = (np.diag(likeness), len(train) - 1) if same else (0.0, len(train))
    means: np.ndarray = (likeness.sum(axis=1) - own) / others
    return means


def _in_errors(values: np.ndarray) -> float:
    return float(values.mean() / max(float(values.std()) / np.sqrt(len(values)), 1e-9))


def is_of_another_kind(train: Sample, test: Sample) -> bool:
    """Whether nearly all test images look less like train than the strangest of train's own."""
    if min(len(train), len(test)) < FEWEST:
        return False
    among = train.kernel.among
    usual = (among.sum(axis=1) - np.diag(among)) / (len(train) - 1)
    seen = train.kernel.to(test.blocks).mean(axis=1)
    return bool((seen < np.quantile(usual, STRANGE_RANK)).mean() > STRANGE_SHARE)


# --- what is reported ----------------------------------------------------------------------------------


def changed(case: Case, test: Split, change: Change, evidence: str) -> Iterator[Finding]:
    """Yield what to say of test images that were transformed."""
    steps = [_turned(test, case.contract, change.turn)] if change.turn else []
    steps += [_inverted(test)] if change.inverted else []
    steps += [_reversed(test, case.contract)] if change.reversed else []
    fix, received = "; ".join(steps), f"test images {change.description}: {evidence}"
    yield _unlike(FaultKind.TRANSFORMED, "images.distribution", "test images like the train images", received, fix)
    if len(steps) == 1 and test.images is not None:
        fix = _once(fix, test.images)
    if change.turn:
        yield _unlike(FaultKind.ROTATED, "images.orientation", "the train split's orientation", received, fix)
    if change.inverted:
        yield _unlike(FaultKind.INVERTED, "images.polarity", "the train split's polarity", received, fix)
    if change.reversed:
        yield _unlike(FaultKind.TRANSFORMED, "images.layout", "the train split's order of channels", received, fix)


def _once(fix: str, images: np.ndarray) -> str:
    """Return a statement that does nothing where the images were put right already: a pixel of the first one tells."""
    first = np.asarray(images[0], np.float64)
    side = round(first.size**0.5)
    if side * side != first.size:
        return fix
    first = first.reshape(side, side)
    others = [np.rot90(each, turns) for each in (first, first.T) for turns in range(4)][1:]
    others.append(first.max() + first.min() - first)
    differs = np.min([np.abs(first - each) for each in others], axis=0)
    place = int(differs.argmax())
    if not differs.flat[place]:
        return fix
    value = np.asarray(images[0]).reshape(-1)[place]
    name, _, expression = fix.partition(" = ")
    return f"{name} = {expression} if {name}.flat[{place}] == {value.item()!r} else {name}  # once for both findings"


def words_for(evidence: LikenessEvidence) -> str:
    """Return how sure a change is."""
    return (
        f"changed back they look more like train's by {evidence.gain:.0f} standard errors, "
        f"while the same change takes train's own {evidence.cost:.0f} away"
    )


def _unlike(kind: FaultKind, field: str, expected: str, received: str, fix: str) -> Finding:
    return Finding(
        field=field,
        severity="error",
        split="test",
        expected=expected,
        received=received,
        fix=fix,
        why=LOOKS_FINE,
        kind=kind,
    )


def other_images(severity: str, received: str, where: np.ndarray) -> Finding:
    """Return the finding on test images that are not of train's kind."""
    return Finding(
        field="images.distribution",
        severity=severity,
        split="test",
        expected="test images of the same kind as the train images",
        received=received,
        fix=OTHER_IMAGES,
        why="Training looks fine and the test accuracy is lower: another set, size, position, stroke or noise.",
        where=tuple(int(index) for index in where[:MAX_WHERE]),
        kind=FaultKind.OTHER_IMAGES,
    )


def _inverted(test: Split) -> str:
    seen = test.survey
    total = (seen.low + seen.high) if seen is not None else 1
    return f"test_images = {total:.8g} - test_images"


def _reversed(test: Split, contract: Contract) -> str:
    first = test.images is not None and test.images.ndim == 4 and is_channels_first(test.images.shape, contract)
    return f"test_images = np.flip(test_images, {1 if first else -1})"


def _turned(test: Split, contract: Contract, name: str) -> str:
    shape = test.images.shape if test.images is not None else ()
    flat = len(shape) == 2
    rows, columns = (2, 3) if len(shape) == 4 and is_channels_first(shape, contract) else (1, 2)
    call = {
        "transposed": f"swapaxes({{}}, {rows}, {columns})",
        "mirrored": f"flip({{}}, {columns})",
        "flipped": f"flip({{}}, {rows})",
        "half turn": f"flip({{}}, ({rows}, {columns}))",
        "clockwise": f"rot90({{}}, 1, ({rows}, {columns}))",
        "anticlockwise": f"rot90({{}}, -1, ({rows}, {columns}))",
        "anti-transposed": f"rot90(np.swapaxes({{}}, {rows}, {columns}), 2, ({rows}, {columns}))",
    }[name]
    if not flat:
        return "test_images = np." + call.format("test_images")
    side = round(shape[1] ** 0.5)
    return "test_images = np." + call.format(f"test_images.reshape(-1, {side}, {side})") + f".reshape(-1, {shape[1]})"
