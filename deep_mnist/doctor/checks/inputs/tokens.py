"""Checks of tokens against the Embedding that looks them up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.vocabulary_sizes import greatest_token, reads_what_it_predicts, sized_line
from deep_mnist.doctor.evidence.chunks import are_whole, extent, wrong_in
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

FAR_ABOVE = 2  # times the number of different ids: ids of a catalogue, not numbers counted up
LOOKED_AT = 2000  # examples
MADE_OF_NAN = (float(np.iinfo(np.int32).min), float(np.iinfo(np.int64).min))
NEARLY = 0.02  # of a whole number, in float32

BEYOND = Rule(
    code="I140",
    name="tokens-beyond-vocabulary",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="There are tokens greater than the Embedding has rows.",
    why="A CPU stops at the first such token; a GPU reads a row of zeros for it and says nothing.",
)
NEGATIVE = Rule(
    code="I141",
    name="tokens-negative",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="There are tokens below 0, of which an Embedding has no row: padding with -1, mostly.",
    why="A CPU stops at the first such token; a GPU reads a row of zeros for it and says nothing.",
)


MISSING = Rule(
    code="I227",
    name="tokens-missing",
    field="images.finite",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="There is NaN among the numbers that an Embedding looks up: a missing category, or a row that is shorter.",
    why="NaN as an integer is the least there is: a CPU stops at it, a GPU reads a row of zeros and says nothing.",
)
FRACTIONS = Rule(
    code="I156",
    name="tokens-are-fractions",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The numbers that an Embedding looks up are fractions: tokens were scaled as if they were pixels.",
    why="An Embedding cuts what stands behind the point: ids of 0..1 are all 0, and every text reads alike.",
)


@check(BEYOND, NEGATIVE, MISSING, FRACTIONS)
def check_tokens(case: Case, split: Split) -> Iterator[Finding]:
    """Yield tokens that are not among the rows of the Embedding that they meet first."""
    images, rows = split.images, case.contract.vocabulary
    if rows is None or images is None or not images.size or images.dtype.kind not in "fiub":
        return
    low, high = extent(images)
    if np.isnan([low, high]).any():
        yield _missing(split, images, rows)
        return
    if np.isfinite([low, high]).all() and not are_whole(images):
        yield _fractions(split, images, rows)
        return
    if not np.isfinite([low, high]).all() or (low >= 0 and high < rows):
        return
    fix = _as_numbers_from_0(case, images, rows) or _with_room(case, rows)
    if low < 0:
        fix = _from_0(split, int(low), int(high), rows)
    yield (BEYOND if low >= 0 else NEGATIVE).found(
        split.name,
        expected=f"tokens 0 to {rows - 1}: the Embedding has input_dim={rows}",
        received=f"{low:g}..{high:g}" + (": NaN that was made an integer" if low in MADE_OF_NAN else ""),
        fix=fix,
        where=wrong_in(images, lambda chunk: (chunk < 0) | (chunk >= rows)).where,
    )


def _from_0(split: Split, low: int, high: int, rows: int) -> str:
    """Return the fix that leaves no token below 0: 0 for what was NaN, else all of them moved up where that is few."""
    name = f"{split.name}_images"
    if low in MADE_OF_NAN and split.images is not None:
        return _with_0_for(split, f"np.where({name} < 0, 0, {name})", bool(np.any(split.images == 0)), rows)
    if -low > rows:
        return f"Make ids of 0 to {rows - 1} of the tokens of every split: none may be below 0."
    return f"{name} = {name} + {-low}  # and input_dim={high - low + 1}"


def _with_0_for(split: Split, filled: str, is_used: bool, rows: int) -> str:
    """Return the fix that lets 0 stand for what is missing, after all ids were moved up where 0 is one of them."""
    name = f"{split.name}_images"
    moved = f"{name} = {name} + 1; " if is_used else ""
    note = f"0 stands for what is missing: Embedding({rows + 1}, ...)" if is_used else "0 stands for what is missing"
    return f"{moved}{name} = {filled}  # {note}"


def _with_room(case: Case, rows: int) -> str:
    """Return the fix that gives the Embedding a row for each token, and the output a unit where it predicts tokens."""
    needed = int(greatest_token(case)) + 1
    predicted = reads_what_it_predicts(case)
    line = sized_line(case, rows, needed, units_too=predicted)
    units = f"; Dense({needed}, ...)" if predicted else ""
    return line or f"Embedding({needed}, ...){units}  # input_dim: the greatest token + 1"


def _as_numbers_from_0(case: Case, images: np.ndarray, rows: int) -> str:
    """Return the fix that numbers ids anew, one for each example, of which there are far fewer than their greatest."""
    if images.size != len(images) or case.frame is None:
        return ""
    names = [f"{each.name}_images" for each in case.splits.values() if each.images is not None]
    parts = [np.unique(each.images) for each in case.splits.values() if each.images is not None]
    count = len(np.unique(np.concatenate(parts)))
    if count > rows or greatest_token(case) < FAR_ABOVE * count:
        return ""
    joined = names[0] if len(names) == 1 else f"np.concatenate([{', '.join(names)}])"
    numbered = "; ".join(f"{name} = np.searchsorted(ids, {name})" for name in names)
    return f"ids = np.unique({joined}); {numbered}  # {count} ids, numbered 0 to {count - 1}"


def _fractions(split: Split, images: np.ndarray, rows: int) -> Finding:
    name, (low, high) = f"{split.name}_images", extent(images)
    divisor = _divisor(images[:LOOKED_AT], rows) if low >= 0 else None
    fix = f"Give the Embedding {name} as they were before they were scaled: whole numbers 0 to {rows - 1}."
    if divisor is not None:
        fix = f'{name} = np.rint({name} * {divisor}).astype("int32")  # or leave out the division by {divisor}'
    return FRACTIONS.found(
        split.name,
        expected=f"whole numbers 0 to {rows - 1}, for the Embedding",
        received=f"fractions {low:.4g}..{high:.4g}",
        fix=fix,
        where=wrong_in(images, lambda chunk: chunk != np.rint(chunk)).where,
    )


def _divisor(images: np.ndarray, rows: int) -> int | None:
    """Return the whole number that fractions of 0..1 were divided by: their least distance, or the Embedding's rows."""
    values = np.unique(images).astype(np.float64)
    gaps = np.diff(values)
    likely = [rows, rows - 1, rows + 1] + [round(1 / gap) for gap in (gaps.min(), values[values > 0].min()) if gap]
    fitting = (each for each in likely if 0 < each and values[-1] * each < rows + 1)
    return next((each for each in fitting if np.abs(values * each - np.rint(values * each)).max() < NEARLY), None)


def _missing(split: Split, images: np.ndarray, rows: int) -> Finding:
    name, wrong = f"{split.name}_images", wrong_in(images, lambda chunk: ~np.isfinite(chunk))
    filled = f'np.nan_to_num(np.asarray({name}, "float32"), nan=0).astype("int32")'
    return MISSING.found(
        split.name,
        expected=f"whole numbers 0 to {rows - 1}, for the Embedding",
        received=f"NaN in {wrong.count} rows",
        fix=_with_0_for(split, filled, bool(np.any(images == 0)), rows),
        where=wrong.where,
    )
