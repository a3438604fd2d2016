"""Checks for test images that are train images but for noise, brightness, compression, a mirror or a turn.

Images of one set may lie close by nature (frames of one scene, overlapping cuts): train's own images tell how many
do. Only a share among the test images far above train's own, in a comparison of two shares, is an alarm.

False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes
with a sample of 400, none in 85 of each with one of 1,600.
Found, a quarter of test copied from train, of 200 to 4,000 digits, clothes, textures and photos: turned, inverted,
channels reversed, brighter, noisy, recompressed or several of these, in 145 of 148 sets (not: noise and compression
in 200 textures). Not found: copies shifted, zoomed or rotated by a little, nor grey ones of colour images. Of a train
split beyond 24,000 images only a sample of 400 is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from deep_mnist.doctor.evidence.orientations import orientations
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.probe.classifier import Sample
from deep_mnist.doctor.probe.features import to_side

NEAR_COPY = 0.18  # of the usual distance to the nearest other image; intact digits have none or one below
COPIES, FEWEST_COPIES = 0.015, 4  # share and number of test images that near
FEWEST_OF_WAY = 2  # of one way, to be counted with others
CLEARLY = 5.0  # standard errors of the difference of two shares
SIDE = 14  # pixels a side of the images compared
ROWS_AT_ONCE = 256  # compared with all others
AS_IT_IS: Callable[[np.ndarray], np.ndarray] = lambda images: images  # noqa: E731


def check_copies(train: Sample, test: Sample) -> Iterator[Finding]:
    """Yield at most one finding: the way of copying by which most test images are train images.

    Args:
        train: At least that of the classifier, of SIDE pixels a side or more; the more of a split, the more copies have
            their original in it.
        test: Of the other split.
    """
    if len(test) < FEWEST_COPIES or len(train) < FEWEST_COPIES:
        return
    own, others = to_side(train.images, SIDE), to_side(test.images, SIDE)
    rows = _directions(own)
    least = 1 - NEAR_COPY**2 * (1 - float(np.median(_most_alike(rows, rows, same=True))))
    found = []
    for name, way in _ways(own):
        copies = _are_near(way(others), rows, least)
        if int(copies.sum()) >= FEWEST_OF_WAY:
            found.append((name, copies, _are_near(way(own), rows, least, same=True)))
    if len(found) > 1:
        several = " or ".join(name or "retouched" for name, *_ in found[:2]) + (" or other" if len(found) > 2 else "")
        copies, natural = (np.logical_or.reduce(each) for each in zip(*(each[1:] for each in found), strict=True))
        found.append((several, copies, natural))
    for name, copies, natural in sorted(found, key=lambda each: -int(each[1].sum())):
        if copies.sum() < FEWEST_COPIES or copies.mean() <= COPIES:
            continue
        if _is_above(float(copies.mean()), len(test), float(natural.mean()), len(train)):
            yield _copied(name, float(copies.mean()), float(natural.mean()), test.indices[copies])
            return


def _ways(images: np.ndarray) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Return what may have been done to copies: nothing, a turn, inversion, channels reversed."""
    turns = [(name, turn) for _, name, turn in orientations(images.shape[1] == images.shape[2])]
    ways: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [("", AS_IT_IS), *turns]
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
    for at in range(0, len(one), ROWS_AT_ONCE):
        cosines = one[at : at + ROWS_AT_ONCE] @ others.T
        if same:
            np.fill_diagonal(cosines[:, at:], -1)
        found[at : at + ROWS_AT_ONCE] = cosines.max(axis=1)
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


def _copied(turn: str, share: float, usual: float, where: np.ndarray) -> Finding:
    how = f"{turn} copies" if turn else "copies with other brightness, noise or compression"
    return Finding(
        field="splits.leakage",
        severity="error",
        split="test",
        expected="test images that training has not seen",
        received=f"{share:.0%} of the test images looked at differ hardly from a train image ({how}); "
        f"of train's own images {usual:.0%} lie that close to another",
        fix="Split first, then augment or convert: no copy of a train image may go to test.",
        why="The test score counts what was learned by heart: it is too good.",
        where=tuple(int(index) for index in where[:MAX_WHERE]),
        kind=FaultKind.NEAR_COPIES,
    )
