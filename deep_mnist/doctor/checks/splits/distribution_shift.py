"""Checks of the test split's images against train's: transformed (`transforms.py`), or of another kind.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes;
none in 85 more of each since the simplest change is named.
Found, of 100 to 4,000 images: digits in four orientations and inverted, all 20; clothes, 16 of 20 (a mirror and a
transposition from 1,000 on); photos inverted, 3 of 4, in BGR, 3 of 4, never mirrored; textures never.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.statistical import STATISTICAL
from deep_mnist.doctor.checks.splits.transforms import ShiftEvidence
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.probe.classifier import is_channels_first
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope

LOOKS_FINE = "Training looks fine and the test accuracy is near chance: other images are tested."
OTHER_CLASSES = Follows(rules=("S150",), on=On.ANY_SPLIT)  # of the last part: its images then are others, too
DISPLACED = (Follows(rules=("I120",)), Follows(rules=("I192",), on=On.ANY_SPLIT), OTHER_CLASSES)

TRANSFORMED = Rule(
    code="S131",
    name="test-images-transformed",
    field="images.distribution",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=DISPLACED,
    summary="Every test image was rotated, mirrored, inverted or had its channels reversed; train's were not.",
    why=LOOKS_FINE,
)
OTHER_ORIENTATION = Rule(
    code="S132",
    name="test-images-in-another-orientation",
    field="images.orientation",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=DISPLACED,
    summary="Every test image is rotated or mirrored against train's.",
    why=LOOKS_FINE,
)
INVERTED = Rule(
    code="S133",
    name="test-images-inverted",
    field="images.polarity",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=DISPLACED,
    summary="Test images are dark where train's are light.",
    why=LOOKS_FINE,
)
OTHER_IMAGES = Rule(
    code="S134",
    name="test-images-of-another-kind",
    field="images.distribution",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=(*STATISTICAL, OTHER_CLASSES),
    summary="Test images are unlike train's (a distribution shift), and a classifier that learned train fails on them.",
    why="Training looks fine and the test accuracy is lower: another set, size, position, stroke or noise.",
)
CHANNELS_REVERSED = Rule(
    code="S136",
    name="test-channels-reversed",
    field="images.layout",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=DISPLACED,
    summary="The channels of the test images are in reverse order (BGR for RGB).",
    why=LOOKS_FINE,
)


def change_found(case: Case, test: Split, found: ShiftEvidence) -> Iterator[Finding]:
    """Yield what to say of test images that were transformed."""
    change, example = found.change, case.example
    steps = [_orientated(test, case.contract, change.orientation)] if change.orientation else []
    steps += [_inverted(test)] if change.inverted else []
    steps += [_reversed(test, case.contract)] if change.reversed else []
    fix, received = "; ".join(steps), f"test {example}s {change.description}: {_words_for(found)}"
    yield TRANSFORMED.found("test", expected=f"test {example}s like the train {example}s", received=received, fix=fix)
    if len(steps) == 1 and test.images is not None:
        fix = _once(fix, test.images)
    if change.orientation:
        expected = "the train split's orientation"
        yield OTHER_ORIENTATION.found("test", expected=expected, received=received, fix=fix)
    if change.inverted:
        yield INVERTED.found("test", expected="the train split's polarity", received=received, fix=fix)
    if change.reversed:
        expected = "the train split's order of channels"
        yield CHANNELS_REVERSED.found("test", expected=expected, received=received, fix=fix)


def _once(fix: str, images: np.ndarray) -> str:
    """Return a statement that does nothing where the images were put right already: a pixel of the first one tells."""
    first = np.asarray(images[0], np.float64)
    side = round(first.size**0.5)
    if side * side != first.size:
        return fix
    first = first.reshape(side, side)
    others = [np.rot90(each, times) for each in (first, first.T) for times in range(4)][1:]
    others.append(first.max() + first.min() - first)
    differs = np.min([np.abs(first - each) for each in others], axis=0)
    place = int(differs.argmax())
    if not differs.flat[place]:
        return fix
    value = np.asarray(images[0]).reshape(-1)[place]
    name, _, expression = fix.partition(" = ")
    return f"{name} = {expression} if {name}.flat[{place}] == {value.item()!r} else {name}  # once for both findings"


def _words_for(evidence: ShiftEvidence) -> str:
    """Return how sure a change is."""
    return (
        f"changed back they look more like train's by {evidence.gain:.0f} standard errors, "
        f"while the same change takes train's own {evidence.cost:.0f} away"
    )


def other_images(case: Case, severity: str, received: str, where: np.ndarray) -> Finding:
    """Return the finding on test images that are not of train's kind."""
    example = case.example
    return OTHER_IMAGES.found(
        "test",
        severity=severity,
        expected=f"test {example}s of the same kind as the train {example}s",
        received=received,
        fix="Load test_images from the same data set as train_images, through the same preprocessing.",
        where=tuple(int(index) for index in where[:MAX_WHERE]),
    )


def _inverted(test: Split) -> str:
    seen = test.survey
    total = (seen.low + seen.high) if seen is not None else 1
    return f"test_images = {total:.8g} - test_images"


def _reversed(test: Split, contract: Contract) -> str:
    first = test.images is not None and test.images.ndim == 4 and is_channels_first(test.images.shape, contract)
    return f"test_images = np.flip(test_images, {1 if first else -1})"


def _orientated(test: Split, contract: Contract, name: str) -> str:
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
