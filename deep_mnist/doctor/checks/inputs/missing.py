"""Checks of NaN and infinity among the inputs: of some examples, of most of them, or of one column in all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import MOST_LOST, log_of_zeros
from deep_mnist.doctor.evidence.live.lineage import Lineage, data_in
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.call_line import held_by, is_plain
from deep_mnist.doctor.evidence.survey import Survey
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import Follows, Need, Rule, Scope, check

MOST_STEPS = 50  # names that are followed back to the series that windows were cut from

NOT_FINITE = Rule(
    code="I111",
    name="inputs-not-finite",
    field="images.finite",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    summary="There are NaN or infinite numbers among the inputs.",
    why="One such example makes the loss NaN, and with it all weights.",
    follows=(Follows(rules=("I227",)),),
)


@check(NOT_FINITE)
def check_finite(case: Case, split: Split) -> Iterator[Finding]:
    """Yield examples with NaN or infinity."""
    seen, example = split.survey, case.example
    if seen is None or not seen.not_finite or split.images is None:
        return
    lost = _lost_columns(case, split.images)
    named = f": {_columns(case, lost)} in all of them" if lost.any() else ""
    yield NOT_FINITE.found(
        split.name,
        expected="finite pixels" if case.input_kind.shows_images else "finite numbers",
        received=f"NaN or infinity in {seen.not_finite} of {seen.count} {example}s{named}",
        fix=log_of_zeros(case.frame, split.images) or _mended(case, split, seen, lost),
        why=f"One such {example} makes the loss NaN, and with it all weights.",
        where=tuple(seen.bad[:MAX_WHERE]),
    )


def _mended(case: Case, split: Split, seen: Survey, lost: np.ndarray) -> str:
    images, labels = f"{split.name}_images", f"{split.name}_labels"
    if lost.any():
        rest = f"Leave {_columns(case, lost)} of {images} out, or divide by its spread only where that is above 0."
        return _divided_by_nothing(case, lost) or rest
    if seen.not_finite >= seen.count:
        cause = "a division by zero (epsilon!) or an overflow"
        return f"Write {images} again: {cause} made every {case.example} NaN or infinite."
    if seen.not_finite > MOST_LOST * seen.count and (filled := _filled(case, split)):
        return filled
    finite = f'np.isfinite(np.asarray({images}, "float32")).reshape(len({images}), -1).all(1)'
    keep = f"{images}.notna().all(axis=1).to_numpy()" if _is_frame(case) else finite
    return f"keep = {keep}; {images}, {labels} = {images}[keep], {labels}[keep]"


def _is_frame(case: Case) -> bool:
    return case.call is not None and hasattr(case.call.x, "isna")


# --- columns that are lost in every row -----------------------------------------------------------------


def _lost_columns(case: Case, images: np.ndarray) -> np.ndarray:
    """Return which columns of rows or of sequences have no finite number, of several; bool (columns,)."""
    if case.input_kind.shows_images or images.ndim not in (2, 3) or images.shape[-1] < 2:
        return np.zeros(1, bool)
    lost = ~np.isfinite(images).any(axis=tuple(range(images.ndim - 1)))
    return lost if not lost.all() else np.zeros(1, bool)


def _columns(case: Case, lost: np.ndarray) -> str:
    places = np.flatnonzero(lost)[:MAX_WHERE].tolist()
    names = getattr(case.call.x, "columns", None) if case.call is not None else None
    told = [repr(names[each]) if names is not None and len(names) == len(lost) else str(each) for each in places]
    return f"column{'s' * (len(told) > 1)} {', '.join(told)}"


def _divided_by_nothing(case: Case, lost: np.ndarray) -> str:
    """Return the statement that sets a divisor to 1 where it is 0, in just the lost columns; "" of no such divisor."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame)
    divisions = [node for node in text.nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    for node in sorted(divisions, key=lambda each: each.lineno):
        divisor = held_by(node.right, case.frame) if is_plain(node.right) else None
        if divisor is None or getattr(divisor, "size", 0) != lost.size:
            continue
        if np.array_equal(np.asarray(divisor).reshape(-1) == 0, lost):
            name = ast.unparse(node.right)
            return f"{name}[{name} == 0] = 1  # before {text.at(node)}, which divides by it"
    return ""


# --- gaps in many examples ------------------------------------------------------------------------------


def _filled(case: Case, split: Split) -> str:
    """Return the statement that fills gaps, for leaving out what has one would leave too little; "" where none can."""
    images, name = split.images, f"{split.name}_images"
    if images is None or case.input_kind.shows_images or images.ndim not in (2, 3) or np.isinf(images).any():
        return ""
    if series := _cut_from(case, images):
        return series
    if _is_frame(case):
        return f"{name} = {name}.fillna(train_images.median())"
    if case.call is not None and not isinstance(case.call.x, np.ndarray):
        return ""
    axes = 0 if images.ndim == 2 else (0, 1)
    return f"{name} = np.where(np.isnan({name}), np.nanmedian(train_images, axis={axes}), {name})"


def _cut_from(case: Case, images: np.ndarray) -> str:
    """Return the statement that fills the series which windows are cut from, before they are; "" where none is seen."""
    text = ProgramText(case.frame) if case.frame is not None else None
    name = text.name_of(case.call.x) if text is not None and case.call is not None else None
    if text is None or name is None or images.ndim != 3:
        return ""
    lineage = Lineage(text)
    waiting, seen = [(name, (text.frame.f_lineno, 0))], set[str]()
    while waiting and len(seen) < MOST_STEPS:
        asked, at = waiting.pop(0)
        seen.add(asked)
        for setting in lineage.before(asked, at):
            for each in sorted(data_in(setting.value) - seen):
                if _is_series(text.value_of(ast.Name(each)), images.shape[-1]):
                    loops = [loop.lineno for loop in text.loops_around(setting.at[0])]
                    place = text.at(ast.Pass(lineno=min([setting.at[0], *loops])))
                    filled = f"np.where(np.isnan({each}), np.nanmedian({each}, axis=0), {each})"
                    return f"{each} = {filled}  # or interpolated in time, before {place}, which cuts windows of it"
                waiting.append((each, setting.at))
    return ""


def _is_series(value: object, width: int) -> bool:
    """Whether a value is an array with gaps, of steps of this many columns."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim not in (1, 2):
        return False
    return (value.shape[1] if value.ndim == 2 else 1) == width and bool(np.isnan(value).any())
