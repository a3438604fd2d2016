"""Checks for test images that are train images but for noise, brightness, compression or another orientation.

Images of one set may lie close by nature (frames of one scene, overlapping cuts): train's own images tell how many
do. Only a share among the test images far above train's own, in a comparison of two shares, is an alarm.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes
with a sample of 400, none in 85 of each with one of 1,600.
Found, a quarter of test copied from train, of 200 to 4,000 digits, clothes, textures and photos: rotated or mirrored,
inverted, channels reversed, brighter, noisy, recompressed or more than one of these, in 145 of 148 sets (not: noise and
compression in 200 textures). Not found: duplicates shifted, zoomed or rotated by a little, nor grey ones of colour
images. Of a train split beyond 24,000 images only a sample of 400 is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.labels.statistical import NOTHING_LEFT
from deep_mnist.doctor.evidence.median import median
from deep_mnist.doctor.evidence.orientations import orientations
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.probe.classifier import Sample
from deep_mnist.doctor.probe.features import to_side
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope

NEAR = 0.18  # of the usual distance to the nearest other image; intact digits have none or one below
SHARE, FEWEST = 0.015, 4  # share and number of test images that near
FEWEST_OF_WAY = 2  # of one way, to be counted with others
CLEARLY = 5.0  # standard errors of the difference of two shares
SIDE = 14  # pixels a side of the images compared
CHUNK_ROWS = 256  # compared with all others
AS_IT_IS: Callable[[np.ndarray], np.ndarray] = lambda images: images  # noqa: E731

NEAR_DUPLICATES = Rule(
    code="S121",
    name="test-holds-near-duplicates",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    follows=(
        Follows(rules=("S120", "S122"), least="warning", on=On.ANY_SPLIT),
        Follows(rules=(*NOTHING_LEFT, "I110"), on=On.ANY_SPLIT),
        Follows(rules=("I120",)),
        Follows(rules=("S160", "S161", "S162", "S163", "S166")),
    ),
    summary="Test examples are train examples that were augmented, retouched or compressed.",
    why="The test score counts what was learned by heart: it is too good.",
)


def near_duplicates_found(case: Case, train: Sample, test: Sample) -> Iterator[Finding]:
    """Yield at most one finding: the way of copying by which most test images are train images.

    Args:
        case: Of both splits.
        train: At least that of the classifier, of SIDE pixels a side or more; the more of a split, the more duplicates
            have their original in it.
        test: Of the other split.
    """
    if len(test) < FEWEST or len(train) < FEWEST:
        return
    own, others = to_side(train.images, SIDE), to_side(test.images, SIDE)
    rows = _directions(own)
    least = 1 - NEAR**2 * (1 - median(_most_alike(rows, rows, same=True)))
    found = []
    for name, way in _ways(own):
        near = _are_near(way(others), rows, least)
        if int(near.sum()) >= FEWEST_OF_WAY:
            found.append((name, near, _are_near(way(own), rows, least, same=True)))
    if len(found) > 1:
        combined = " or ".join(name or "retouched" for name, *_ in found[:2]) + (" or other" if len(found) > 2 else "")
        near, natural = (np.logical_or.reduce(each) for each in zip(*(each[1:] for each in found), strict=True))
        found.append((combined, near, natural))
    for name, near, natural in sorted(found, key=lambda each: -int(each[1].sum())):
        if near.sum() < FEWEST or near.mean() <= SHARE:
            continue
        if _is_above(float(near.mean()), len(test), float(natural.mean()), len(train)):
            yield _found(case, name, (float(near.mean()), float(natural.mean())), test.indices[near])
            return


def _ways(images: np.ndarray) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Return what may have been done to duplicates: nothing, another orientation, inversion, channels reversed."""
    orientated = [(name, orient) for _, name, orient in orientations(images.shape[1] == images.shape[2])]
    ways: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [("", AS_IT_IS), *orientated]
    ways.append(("inverted", lambda each: -each))
    if images.shape[3] == 3:
        ways.append(("channel-reversed", lambda each: each[..., ::-1]))
    return ways


def _are_near(images: np.ndarray, rows: np.ndarray, least: float, *, same: bool = False) -> np.ndarray:
    """Return bool (n,), which images lie near a row; `same` leaves out the row that an image was made from."""
    near: np.ndarray = _most_alike(_directions(images), rows, same=same) > least
    return near


def _most_alike(one: np.ndarray, others: np.ndarray, *, same: bool = False) -> np.ndarray:
    """Return float32 (n,): of each direction the greatest cosine with another's, 1 less half the squared distance.

    Args:
        same: Row n of one was made from row n of the others, and is not compared with it.
    """
    found = np.empty(len(one), np.float32)
    for at in range(0, len(one), CHUNK_ROWS):
        cosines = one[at : at + CHUNK_ROWS] @ others.T
        if same:
            np.fill_diagonal(cosines[:, at:], -1)
        found[at : at + CHUNK_ROWS] = cosines.max(axis=1)
    return found


def _directions(images: np.ndarray) -> np.ndarray:
    """Return images as rows of mean 0 and length 1, blank ones 0: brightness and contrast do not count."""
    rows: np.ndarray = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows


def _is_above(share: float, count: int, usual: float, others: int) -> bool:
    pooled = (share * count + usual * others) / (count + others)
    return share - usual > CLEARLY * math.sqrt(pooled * (1 - pooled) * (1 / count + 1 / others))


def _found(case: Case, way: str, shares: tuple[float, float], where: np.ndarray) -> Finding:
    (share, usual), example = shares, case.example
    how = f"{way} copies" if way else "copies with other brightness, noise or compression"
    return NEAR_DUPLICATES.found(
        "test",
        expected=f"test {example}s that training has not seen",
        received=f"{share:.0%} of the test {example}s looked at differ hardly from a train {example} ({how}); "
        f"of train's own {example}s {usual:.0%} lie that close to another",
        fix=f"Split first, then augment or convert: no copy of a train {example} may go to test.",
        where=tuple(int(index) for index in where[:MAX_WHERE]),
    )
