"""Check for single bytes that were overwritten in otherwise whole images of bytes.

One wrong byte in an image is one pixel that stands alone. Many sets have such pixels of their own (dust of a scan,
the dot of an i, grain), so they are reported only when they look as overwritten bytes do and a set's own do not:
many times more single pixels than pairs; spread evenly over rows, columns and surroundings where they could be seen,
as many in an image as chance puts there; departing as far as chance would have it, not mostly just so far; and no
more that depart a little less. Fewer than ten that can be seen are never reported: one byte alone cannot be known.

False alarms: none in 300 healthy draws of 60 to 5,000 images of each of eleven kinds (`python -m bench.false_alarms`).
Found, of 6 draws each, with 50 and with 200 random bytes overwritten in the set: in 300 digits 6 and 6, in 1,000 4 and
5, in 5,000 2 and 6; clothes 6 and 6, 4 and 5, 0 and 1; 300 photos (two sets) 8 and 12 of 12; textures 5 and 5, 3 and 6,
1 and 6. In MNIST's 60,000, of which a third is looked at, 3,000 in 3 of 3 draws and 1,000 in none. With bytes inverted
likewise but in clothes (none); with bits flipped only in photos and textures, 200 of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.impulse_noise import LEVELS, NEAR, Frame, ImpulseNoise, find_impulse_noise
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.rule import IMAGES, Need, Rule, Scope, check

SMALLEST, FEWEST = 8, 40  # pixels a side, images
CHUNK = 1 << 18  # elements whose surroundings are looked at together
SAMPLE, MOST_VALUES = 400, 1_500_000  # images, elements that tell where a wrong byte could be seen
SINGLES, PER_PAIR = 10, 8  # single pixels at least, and for each pair of the set's own
IN_MARGIN = 4  # of them in the margin, where the set shows nothing
MARGIN, STILL = 0.03, 8  # share of the elements that a margin must have; levels over which it may vary
STRICT, LOOSE = 0.25, 0.6  # of a departure: what neighbours may span; the departure of the set's own that would show
EVEN = 1.5  # Kolmogorov's distance times the root of the number: 2 % of even spreads have more
MOST_IMAGES = 0.3  # of a set; in more they are its habit
MOST_OF_ONE_VALUE = 0.05  # likewise when their values are not spread: salt, an augmentation
BY_CHANCE, CLUMPED, BARELY = 3.0, 2.0, 1.0  # deviations
SHOWN = 40  # images that a fix lists

WRONG_BYTES = Rule(
    code="I121",
    name="images-with-wrong-bytes",
    field="images.distribution",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=IMAGES,
    summary="Single bytes of otherwise whole images were overwritten.",
    why="The file was damaged after it was written: other bytes, which nobody can see, may be wrong as well.",
)


class Chances(NamedTuple):
    """Where an overwritten byte would be seen, from a sample of the set's images.

    Attributes:
        seen: float64 (elements,), the chance that a random byte there departs far enough.
        margin: bool (elements,), where all but one of the images show the same, around as well.
        ranges: float64 (256,), the sum of these chances by the range that the eight neighbours span.
    """

    seen: np.ndarray
    margin: np.ndarray
    ranges: np.ndarray


@check(WRONG_BYTES, in_background=True)
def check_wrong_bytes(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on single pixels that stand alone as overwritten bytes do."""
    images = split.images
    if images is None or images.dtype != np.uint8 or len(images) < FEWEST:
        return
    frame = frame_of(case, images)
    if frame is None:
        return
    noise = find_impulse_noise(images, frame)
    if noise is None or len(noise) < SINGLES:
        return
    some = take(images, sample_indices(len(images), min(SAMPLE, max(FEWEST, MOST_VALUES // frame.size)), seed=4))
    for departure in (each for each in LEVELS if each * LOOSE >= noise.least):
        if found := _overwritten(noise, some, frame, departure):
            yield _found(split, found, frame)
            return


def frame_of(case: Case, images: np.ndarray) -> Frame | None:
    """Return how the images lie in memory, None when they are no images or too small."""
    shape = images.shape[1:]
    if len(shape) == 1:
        side = round(shape[0] ** 0.5)
        shape = (side, side) if side * side == shape[0] else ()
    if len(shape) not in (2, 3):
        return None
    first = len(shape) == 3 and probe.is_channels_first(images.shape, case.contract)
    planes, rows, columns, pixel = (
        (shape[0], shape[1], shape[2], 1) if first else (1, shape[0], shape[1], shape[2] if len(shape) == 3 else 1)
    )
    return Frame(rows, columns * pixel, pixel, planes) if min(rows, columns) >= SMALLEST else None


def _overwritten(noise: ImpulseNoise, some: np.ndarray, frame: Frame, departure: float) -> ImpulseNoise | None:
    """Return the single pixels that depart so far, when they look as overwritten bytes do."""
    found, loose = noise.beyond(departure, STRICT), noise.beyond(LOOSE * departure, NEAR)
    if not _are_single(found):
        return None
    strictly, loosely = _chances(some, frame, departure, STRICT), _chances(some, frame, LOOSE * departure, NEAR)
    due = len(found) * float(loosely.seen.sum() / max(strictly.seen.sum(), 1e-12))
    if len(loose) > due + BY_CHANCE * np.sqrt(due) or not _are_everywhere(found, strictly, frame):
        return None
    ranks = _ranks(found, departure)
    if ranks.mean() < 0.5 - BARELY / np.sqrt(12 * len(found)):
        return None  # most depart just so far, as a set's own do
    share = float(strictly.seen[strictly.margin].sum() / max(strictly.seen.sum(), 1e-12))
    in_margin, due = int(strictly.margin[found.place].sum()), share * len(found)
    if in_margin < due - BY_CHANCE * np.sqrt(due * (1 - share)):
        return None
    if _is_even(ranks):
        return found
    is_rare = len(np.unique(found.index)) <= MOST_OF_ONE_VALUE * noise.looked
    return found if is_rare and share > MARGIN and in_margin >= IN_MARGIN else None


def _are_single(found: ImpulseNoise) -> bool:
    """Whether single pixels are many times the pairs, and no more in an image than chance puts there."""
    singles, images, count = len(found), len(np.unique(found.index)), found.looked
    if singles < max(SINGLES, PER_PAIR * len(found.pairs)) or images > MOST_IMAGES * count:
        return False
    due = singles - count * (1 - np.exp(-singles / count))  # that share an image with another
    return bool(singles - images <= due + CLUMPED * np.sqrt(due) + 0.5)


def _are_everywhere(found: ImpulseNoise, chances: Chances, frame: Frame) -> bool:
    """Whether rows, columns, and busy and still surroundings have as many as they could show."""
    whole = chances.seen.reshape(frame.planes, frame.rows, -1, frame.pixel)
    row = found.place // frame.row % frame.rows
    column = found.place % frame.row // frame.pixel
    ranges = (found.high - found.low).astype(np.int64)
    places = (
        (row, whole.sum(axis=(0, 2, 3))),
        (column, whole.sum(axis=(0, 1, 3))),
        (ranges, chances.ranges),
    )
    return all(_follows(each, weights) for each, weights in places)


def _follows(places: np.ndarray, weights: np.ndarray) -> bool:
    """Whether places (0..k-1) are as often as chances of these weights (k,) would make them (Kolmogorov)."""
    seen = np.cumsum(np.bincount(places, minlength=len(weights))) / len(places)
    distance = np.abs(seen - np.cumsum(weights) / max(float(weights.sum()), 1e-12)).max()
    return bool(distance * np.sqrt(len(places)) < EVEN)


def _is_even(shares: np.ndarray) -> bool:
    """Whether numbers are spread over 0..1 as chance would spread them (Kolmogorov)."""
    ranked, count = np.sort(shares), len(shares)
    steps = np.arange(count + 1) / count
    distance = max(float((steps[1:] - ranked).max()), float((ranked - steps[:-1]).max()))
    return bool(distance * np.sqrt(count) < EVEN)


def _ranks(found: ImpulseNoise, departure: float) -> np.ndarray:
    """Return the place of each value among all that would stand alone among its neighbours, 0..1."""
    reach = np.maximum(departure, (found.high - found.low) / STRICT)
    below, above = np.maximum(found.low - reach, 0), np.maximum(255 - found.high - reach, 0)
    passed = np.where(found.value < found.low, found.value, below + found.value - found.high - reach)
    ranks: np.ndarray = (passed + 0.5) / np.maximum(below + above, 1)
    return ranks


def _chances(some: np.ndarray, frame: Frame, departure: float, near: float) -> Chances:
    planes = some.reshape(len(some), frame.planes, frame.rows, -1, frame.pixel)
    sums, ranges = np.zeros(planes.shape[1:]), np.zeros(256)
    size = max(1, CHUNK // frame.size)
    for part in (planes[start : start + size] for start in range(0, len(planes), size)):
        low, high = _extent(part, np.minimum), _extent(part, np.maximum)
        reach = np.maximum(departure, (high - low) / near)
        seen = np.maximum(low - reach, 0) + np.maximum(255 - high - reach, 0)
        seen[:, :, [0, -1]], seen[:, :, :, [0, -1]] = 0, 0
        ranges += np.bincount((high - low).reshape(-1), weights=seen.reshape(-1), minlength=256)
        sums += seen.sum(axis=0)
    ranked = np.partition(planes, (1, len(planes) - 2), axis=0)[[1, -2]].astype(np.int16)
    least, most = _extent(ranked[:1], np.minimum)[0], _extent(ranked[1:], np.maximum)[0]
    least, most = np.minimum(least, ranked[0]), np.maximum(most, ranked[1])
    return Chances((sums / len(planes)).reshape(-1), (most - least <= STILL).reshape(-1), ranges)


def _extent(planes: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Return the extreme of each element's eight neighbours, int16 (n, planes, rows, columns, channels)."""
    wide = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect").astype(np.int16)
    rows, columns = planes.shape[2:4]
    around = [
        wide[:, :, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        if down or right
    ]
    result: np.ndarray = extreme.reduce(around)
    return result


def _found(split: Split, found: ImpulseNoise, frame: Frame) -> Finding:
    name, images = f"{split.name}_images", np.unique(found.index)
    most = int(found.departure.argmax())
    place = int(found.place[most])
    row, column = place // frame.row % frame.rows, place % frame.row // frame.pixel
    labels = f"{split.name}_labels"
    listed = images.tolist()
    fix = (
        f"{name}, {labels} = np.delete({name}, {listed}, axis=0), np.delete({labels}, {listed}, axis=0)  "
        f"# or read the file again from its source"
        if len(listed) <= SHOWN
        else f"Read {name} again from its source and compare checksums; where shows images to look at."
    )
    return WRONG_BYTES.found(
        split.name,
        expected="pixels that have to do with the pixels around them",
        received=f"{len(found)} single pixels in {len(images)} of {found.looked} images "
        f"that stand alone, such as {found.value[most]:.0f} at row {row}, column {column} of image {found.index[most]} "
        f"amid {found.low[most]:.0f}..{found.high[most]:.0f}: spread over places and values as overwritten bytes are, "
        f"and {len(found.pairs)} pairs",
        fix=fix,
        where=tuple(images[:MAX_WHERE].tolist()),
    )
