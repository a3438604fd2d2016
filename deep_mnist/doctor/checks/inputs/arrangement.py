"""Checks whether the bytes of images lie where the shape says: a header skipped by half, rolled, a wrong row length.

Images whose bytes lie elsewhere betray it twice: pixels on both sides of the array's edge go together as inner
neighbours do, and elsewhere in the image neighbours do not (a seam), or elements correlate best at another distance
than one row. Both must hold in each half of a sample; sets without structure, and borders that say nothing, are not
judged.

False alarms: none in 300 draws of 60 to 5,000 images of each of the eleven kinds that bench/false_alarms.py names
first, as they are; none in 600 more of ten kinds under 12 treatments (standardized and stretched by image, padded,
letterboxed, vignetted, in a disc), but clothes and digits in a disc, where 6 of 60 had the frame itself for a seam; the
outermost lines count no more since, and 180 more draws of those and of photos had none.
Found in 72 draws of 60 to 10,000 digits, clothes, photos, textures and digits on photos: offset by 8, 16 or 400
elements, rows or columns rolled by a third or a half, the axes in reverse order, in 575 of 576; channels in planes in
all 30; rows one element longer in 72, one shorter in 69, four longer in 54 (not in textures). Rolled by one line: not
judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.autocorrelation import (
    Autocorrelation,
    autocorrelation,
    correlation_at,
    without_patterns,
)
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.probe import classifier as probe
from deep_mnist.doctor.rule import IMAGES, Follows, Need, On, Rule, Scope, check

FEWEST, MOST = 40, 200  # images looked at
MOST_VALUES = 1_500_000  # pixels looked at
SMALLEST = 8  # pixels a side
GREATEST = 1e15  # pixel: squares of larger ones, and sums of NaN, say nothing
AS_INSIDE = 0.6  # of the inner neighbours' correlation: what edges must have that are none
BROKEN = 0.75  # of it: a seam has less; healthy sets without a dead border stay above 0.8
STRUCTURED = 0.3  # correlation of inner neighbours: below, images have no structure to go by
FARTHER = 0.03  # by which elements must correlate better at another distance than one row; at most 0.01 by luck
PLANES = 0.1  # likewise, for channels that lie one behind the other; FARTHER where the source reads such rows
TOGETHER = 0.3  # by which elements as far apart as there are examples must correlate better than neighbours
BYTE = 8  # headers come in multiples of it

DISPLACED = Rule(
    code="I120",
    name="images-with-displaced-bytes",
    field="images.distribution",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=IMAGES,
    summary="Bytes lie elsewhere than the shape says: a header skipped by half, rolled rows, a wrong row length.",
    why="The network learns from images that are broken or sheared, and fails on whole ones.",
    follows=(Follows(rules=("L160",), on=On.TRAIN),),
)


@check(DISPLACED, in_background=True)
def check_arrangement(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on how the bytes of a split's images are arranged."""
    images = split.images
    if images is None or images.dtype.kind not in REAL_KINDS or images.ndim < 2:
        return
    pixels = int(np.prod(images.shape[1:]))
    count = min(MOST, len(images), MOST_VALUES // max(1, pixels))
    if count < FEWEST:
        return
    some = take(images, sample_indices(len(images), count, seed=1)).astype(np.float32, copy=False)
    shaped = probe.as_images(some, case.contract)
    if shaped is None or min(shaped.shape[1:3]) < SMALLEST or not max(some.max(), -some.min()) < GREATEST:
        return
    total = float(some.var(axis=0).mean()) or 1.0
    stream = without_patterns(some.reshape(count, -1))
    own = probe.as_images(stream.reshape(some.shape), case.contract)
    shaped = shaped if own is None else own
    interleaved = 1 if _is_planar(some, case) else shaped.shape[3]
    stride = shaped.shape[2] * interleaved
    halves = [autocorrelation(shaped[part::2], stream[part::2], stride, total) for part in (0, 1)]
    yield from _judged(case, split, halves, shaped.shape[1:], interleaved)


def _is_planar(images: np.ndarray, case: Case) -> bool:
    return images.ndim == 4 and probe.is_channels_first(images.shape, case.contract)


def _judged(
    case: Case, split: Split, halves: list[Autocorrelation], shape: tuple[int, ...], interleaved: int
) -> Iterator[Finding]:
    name, one = f"{split.name}_images", halves[0]
    rows, columns, _ = shape
    beyond = FARTHER if interleaved > 1 and _are_rows_of_planes(case, shape) else PLANES
    if all(_is_planes(each, columns, interleaved, beyond) for each in halves):
        received = f"{_distance(one)}: its {interleaved} channels lie one behind the other"
        fix = f"{name} = {name}.reshape(-1, {interleaved}, {rows}, {columns}).transpose(0, 2, 3, 1)"
        yield _displaced(split, received, fix)
    elif all(_has_other_rows(each) for each in halves) and len({each.peak for each in halves}) == 1:
        received = f"{_distance(one)}, and each row goes on where the one before ended"
        fix = f"Read {name} again with rows of {one.peak} elements, not {one.stride} (padding? rows for columns?)."
        yield _displaced(split, received, fix)
    elif all(_is_rolled(each.columns.carried, each.columns.inside, each.columns.seam) for each in halves):
        yield _shifted(split, one, columns, interleaved)
    elif all(_is_rolled(each.columns.around, each.columns.inside, each.columns.seam) for each in halves):
        yield _rolled(case, split, "column", one.columns.at, _compared(one.columns.around, one.columns.inside))
    elif all(_is_rolled(each.rows.around, each.rows.inside, each.rows.seam) for each in halves):
        yield _rolled(case, split, "row", one.rows.at, _compared(one.rows.around, one.rows.inside))
    else:
        inside = max(max(each.at_pixel, each.at_stride) for each in halves)
        yield from _examples_last(split, interleaved, inside)


def _is_planes(seen: Autocorrelation, columns: int, interleaved: int, beyond: float) -> bool:
    return interleaved > 1 and seen.peak == columns and seen.at_peak > seen.at_stride + beyond


def _are_rows_of_planes(case: Case, shape: tuple[int, ...]) -> bool:
    """Whether the source reshapes the "data" of a file to just this shape, as of CIFAR's rows, which hold planes."""
    calls = ProgramText(case.frame).calls("reshape") if case.frame is not None else []
    return any(_ends_in(each, shape) and _reads_data(each.func) for each in calls)


def _ends_in(call: ast.Call, shape: tuple[int, ...]) -> bool:
    given = call.args[-1] if call.args and isinstance(call.args[-1], ast.Tuple) else None
    sizes = given.elts if isinstance(given, ast.Tuple) else call.args
    return [getattr(each, "value", None) for each in sizes[-len(shape) :]] == [*shape]


def _reads_data(node: ast.expr) -> bool:
    keys = (each.slice for each in ast.walk(node) if isinstance(each, ast.Subscript))
    return any(isinstance(each, ast.Constant) and each.value in ("data", b"data") for each in keys)


def _has_other_rows(seen: Autocorrelation) -> bool:
    edges = seen.columns
    return (
        edges.inside > STRUCTURED
        and edges.carried > AS_INSIDE * edges.inside
        and seen.peak != seen.stride
        and 1 >= seen.at_peak > max(seen.at_stride + FARTHER, STRUCTURED)  # above 1: what varies lies at one place
    )


def _is_rolled(across: float, inside: float, seam: float) -> bool:
    return inside > STRUCTURED and across > AS_INSIDE * inside and seam < BROKEN * min(across, inside)


def _distance(seen: Autocorrelation) -> str:
    return (
        f"elements that correlate best {seen.peak} apart (correlation {seen.at_peak:.2f}), "
        f"not {seen.stride}, one row of the shape ({seen.at_stride:.2f})"
    )


def _compared(across: float, inside: float) -> str:
    return f"opposite edges go together (correlation {across:.2f}, inner neighbours {inside:.2f})"


def _shifted(split: Split, seen: Autocorrelation, columns: int, interleaved: int) -> Finding:
    """The whole stream of bytes is late or early: a header skipped by half, or bytes lost."""
    at = _whole_bytes(seen.columns.at)
    late = at if at <= columns / 2 else at - columns
    name, steps = f"{split.name}_images", -late * interleaved
    received = (
        f"images broken at column {at}: {_compared(seen.columns.carried, seen.columns.inside)} "
        f"one row further; the bytes are {'late' if late > 0 else 'early'} by {abs(late) * interleaved} elements"
    )
    return _displaced(
        split,
        received,
        f"{name} = np.roll({name}.reshape(-1), {steps}).reshape({name}.shape)  # or skip the whole header when reading",
    )


def _whole_bytes(at: int) -> int:
    nearest = BYTE * round(at / BYTE)
    return nearest if abs(nearest - at) <= 1 and nearest else at


def _rolled(case: Case, split: Split, what: str, at: int, evidence: str) -> Finding:
    images, name = split.images, f"{split.name}_images"
    shape = images.shape if images is not None else ()
    first = len(shape) == 4 and probe.is_channels_first(shape, case.contract)
    axis = (1 if what == "row" else 2) + (1 if first else 0)
    fix = f"{name} = np.roll({name}, {-at}, axis={axis})"
    if len(shape) == 2:
        side = round(shape[1] ** 0.5)
        fix = f"{name} = np.roll({name}.reshape(-1, {side}, {side}), {-at}, axis={axis}).reshape(-1, {shape[1]})"
    return _displaced(split, f"images broken at {what} {at}: {evidence}", fix)


def _examples_last(split: Split, interleaved: int, inside: float) -> Iterator[Finding]:
    """Neighbours do not correlate, but elements as far apart as there are examples do: a reshape for a transpose."""
    images = split.images
    if images is None or inside > 1 - TOGETHER:
        return
    count, flat = len(images), images.reshape(-1)
    distant, adjacent = (correlation_at(flat, distance) for distance in (count * interleaved, interleaved))
    if distant > max(inside, adjacent) + TOGETHER:
        name, parts = f"{split.name}_images", images.shape[1:]
        yield _displaced(
            split,
            f"neighbouring pixels that hardly go together (correlation {inside:.2f}), while elements {count} apart, "
            f"the number of examples, do ({distant:.2f})",
            f"{name} = np.moveaxis({name}.reshape({', '.join(map(str, parts))}, {count}), -1, 0)",
        )


def _displaced(split: Split, received: str, fix: str) -> Finding:
    return DISPLACED.found(
        split.name,
        expected="images whose neighbouring pixels go together, and whose edges are where the shape says",
        received=received,
        fix=fix,
    )
