"""Checks of bytes that were spoiled: arithmetic that wrapped around at 256, and pixels that hold random bytes.

Bytes that wrapped show in the other split: the histogram of one is that of the other under v -> (a v + c) modulo 256,
while as they stand the two have little in common. Random bytes show in a split by itself: most of its pixels lie at
levels between dark and light that go together with none of their neighbours, though the images are not noise alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.rule import AXES_UNSOUND, IMAGES, Follows, Need, Rule, Scope, check

FEWEST_LEVELS = 24  # that images of bytes have
FACTORS = (1, -1, 2, 3, 4, 5, 6, 7, 8)
UNLIKE, ALIKE = 0.6, 0.88  # share that two histograms have in common: as they are, and under the map
SMOOTH = 4  # levels to each side, taken together where maps are compared
CONTRAST, BRIGHTNESS = np.arange(0.3, 1.35, 0.05), range(-60, 90, 6)
WRAPPED = 0.01  # share of pixels that must have gone around
MIDDLE = (20, 235)  # levels between dark and light
MOSTLY = 0.3  # share of pixels there
INDEPENDENT = 0.04  # correlation of neighbours there
A_GROUND = 0.05  # share of pixels of one level: what is left of the images

WRAPPED_AROUND = Rule(
    code="I190",
    name="bytes-wrapped-around",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.SURVEY, Need.TEST),
    inputs=IMAGES,
    follows=(AXES_UNSOUND,),
    summary="The bytes of one split are those of the other after arithmetic in uint8 that wrapped around at 256.",
    why="Dark became light and light dark, in part: the network is judged on images unlike those it learned.",
)
RANDOM_BYTES = Rule(
    code="I191",
    name="pixels-mostly-random",
    field="images.distribution",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    follows=(AXES_UNSOUND, Follows(rules=("I120",))),
    summary="Many pixels hold random bytes, with something like images behind them.",
    why="Little is left to learn from: the file was damaged, or read with a wrong offset or key.",
)

SIGNED_CAST = Rule(
    code="I192",
    name="signed-range-cast-to-bytes",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    follows=(AXES_UNSOUND,),
    summary="Pixels of -1..1 were cast to uint8: -1 became 255, 1 stayed 1, and all between them 0.",
    why="What was black is white, and the greys are gone: hardly anything is left to learn from.",
)
LEFT = np.array([0, 1, 255])  # of -1..1 in uint8


@check(SIGNED_CAST)
def check_signed_cast(_: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on images of 0, 1 and 255 alone, all of which are there."""
    seen = split.survey
    if seen is None or (seen.low, seen.high) != (0, 255):
        return
    if split.levels is None or not np.array_equal(np.flatnonzero(split.levels.shares), LEFT):
        return
    yield SIGNED_CAST.found(
        split.name,
        expected="the greys between black and white",
        received="0, 1 and 255 alone: what a cast of -1..1 to uint8 leaves",
        fix=f"Write {split.name}_images again without the cast to uint8: .astype('float32') keeps -1..1.",
    )


@check(WRAPPED_AROUND)
def check_wrapped_around(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, on the split whose commonest level is neither black nor white."""
    ours, theirs = _shares(case.train), _shares(case.test)
    if ours is None or theirs is None:
        return
    split, wrong, right = "train", ours, theirs
    if ours.argmax() in (0, 255) and theirs.argmax() not in (0, 255):
        split, wrong, right = "test", theirs, ours
    same_ground = _same_ground(wrong, right)
    if _common(wrong, right) > UNLIKE and not same_ground:
        return
    found = _map_between(right, wrong)
    if found is None and same_ground:  # then nothing tells which of the two went around
        found = _map_between(wrong, right)
        split, wrong, right = ("train" if split == "test" else "test"), right, wrong
    if found is None:
        return
    factor, shift = found
    name = f"{split}_images"
    scale = 255 if float(np.max(case.splits[split].images[:1])) <= 1.5 else 1  # type: ignore[index]
    whole = f"np.rint({name} * 255).astype(int)" if scale == 255 else f"{name}.astype(int)"
    undone = f"({whole} - {shift})" if shift else whole
    line = f"{name} = {undone}{f' * {pow(factor, -1, 256)}' if factor > 1 else ''} % 256" if factor % 2 else ""
    yield WRAPPED_AROUND.found(
        split,
        expected="bytes like the other split's",
        received=f"mean {_mean(wrong):.2f} of the range against {_mean(right):.2f}: each byte v of the other split's "
        f"is here ({factor} * v + {shift}) modulo 256",
        fix=f"{line}{' / 255.0' if scale == 255 else ''}  # or convert to float32 before the arithmetic"
        if line
        else f"Convert to float32 before the arithmetic that makes {name}: x.astype('float32').",
    )


def _shares(split: Split | None) -> np.ndarray | None:
    """Return the share of each level, float64 (256,); None where the images are no bytes, or of few levels."""
    levels = split.levels if split is not None else None
    return levels.shares if levels is not None and levels.distinct >= FEWEST_LEVELS else None


def _mean(histogram: np.ndarray) -> float:
    return float((histogram * np.arange(256)).sum() / 255)


def _common(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.minimum(one, other).sum())


def _same_ground(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether both have one ground, and the rest of the levels little in common: a factor keeps 0 where it is."""
    at = int(one.argmax())
    if at != int(other.argmax()):
        return False
    rest, others = (np.where(np.arange(256) == at, 0, each) for each in (one, other))
    return bool(rest.sum() and others.sum()) and _common(rest / rest.sum(), others / others.sum()) < UNLIKE


def _map_between(right: np.ndarray, wrong: np.ndarray) -> tuple[int, int] | None:
    """Return (a, c) for which v -> (a v + c) modulo 256 makes the one histogram of the other, going around.

    None where another brightness or contrast, cut off at 0 and 255, explains the other histogram as well.
    """
    values, ground = np.arange(256), int(right.argmax())
    best: tuple[float, int, int] = (0.0, 1, 0)
    for factor in FACTORS:
        for shift in range(256) if factor == 1 else (0,):
            around = (factor * values + shift) // 256
            if float(right[around != around[ground]].sum()) < WRAPPED or (factor, shift) == (1, 0):
                continue
            moved = (factor * values + shift) % 256
            best = max(best, (_explained(right, wrong, moved, int(moved[ground])), factor, shift))
    score, factor, shift = best
    if score <= ALIKE:
        return None
    moved = (factor * values + shift) % 256
    wrapped = _explained(right, wrong, moved, int(moved[ground]), SMOOTH)
    return (factor, shift) if wrapped > _as_contrast(right, wrong) else None


def _as_contrast(right: np.ndarray, wrong: np.ndarray) -> float:
    """Return the most that two histograms have in common under v -> a v + c, cut off at 0 and 255."""
    values, ground = np.arange(256), int(wrong.argmax())
    maps = (
        np.clip(np.rint(factor * values + shift), 0, 255).astype(np.int64)
        for factor in CONTRAST
        for shift in BRIGHTNESS
    )
    return max(_explained(right, wrong, moved, ground, SMOOTH) for moved in maps)


def _explained(right: np.ndarray, wrong: np.ndarray, moved: np.ndarray, ground: int, smooth: int = 0) -> float:
    """Return what the histogram of the mapped levels has in common with the other, without the ground of each.

    Args:
        right, wrong: float64 (256,), shares of the levels.
        moved: int64 (256,), where each level goes.
        ground: The commonest level of `wrong`; how much of it there is differs from set to set.
        smooth: Levels to each side that are taken together.
    """
    at = int(right.argmax())
    made, target = np.bincount(moved, weights=np.where(np.arange(256) == at, 0, right), minlength=256), wrong.copy()
    made[moved[at]] = target[ground] = target[moved[at]] = 0.0
    return _common(_smoothed(made, smooth), _smoothed(target, smooth))


def _smoothed(histogram: np.ndarray, levels: int) -> np.ndarray:
    """Return shares, each the mean over so many levels to each side."""
    shares = histogram / max(float(histogram.sum()), 1e-12)
    mean: np.ndarray = np.mean([np.roll(shares, step) for step in range(-levels, levels + 1)], axis=0)
    return mean


@check(RANDOM_BYTES)
def check_random_bytes(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on pixels between dark and light that go together with none of their neighbours."""
    shares = _shares(split)
    if shares is None or split.levels is None:
        return
    share = float(shares[MIDDLE[0] : MIDDLE[1] + 1].sum())
    if share < MOSTLY or shares.max() < A_GROUND:
        return
    shaped = probe.as_images(split.levels.images.astype(np.float32), case.contract)
    if shaped is None or min(shaped.shape[1:3]) < 8:
        return
    middle = (shaped >= MIDDLE[0]) & (shaped <= MIDDLE[1])
    if any(abs(each) > INDEPENDENT for each in _together(shaped, middle)):
        return
    name = f"{split.name}_images"
    yield RANDOM_BYTES.found(
        split.name,
        expected="pixels that go together with their neighbours",
        received=f"{share:.0%} of the pixels lie between dark and light and go together with no neighbour, "
        f"about {min(1.0, share * 256 / (MIDDLE[1] - MIDDLE[0] + 1)):.0%} of the bytes are random",
        fix=f"Read {name} again from its source: this array was damaged.",
    )


def _together(images: np.ndarray, middle: np.ndarray) -> list[float]:
    """Return the correlation of neighbours, right and below, of which both lie in the middle."""
    found = []
    for one, other in ((np.s_[:, :, :-1], np.s_[:, :, 1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        both = middle[one] & middle[other]
        pair = images[one][both], images[other][both]
        found.append(float(np.corrcoef(*pair)[0, 1]) if both.sum() > 2000 else 1.0)
    return found
