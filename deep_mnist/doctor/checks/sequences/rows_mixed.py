"""Check of rows that a network mixes: a function within it runs over the axis of the batch, where no axis is stated."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.sequences.row_sites import (
    AXES_AT,
    AXIS_NAMES,
    FEWER,
    OPERATIONS,
    PRODUCT,
    ROWS,
    RowsWatch,
    Site,
    watching,
)
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.fix_statements import root_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MUCH = 0.005  # of the spread of outputs; processors round to a thousandth of it
HALF = 0.05  # of those in 16 bits
MOST_SITES = 6  # tried

ROWS_MIXED = Rule(
    code="M067",
    name="rows-of-a-batch-mixed",
    field="model.network",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Within the network a function runs over the axis of the batch: it is told no axis, or axis 0. What a row "
    "gives, outside of training too, depends on the rows beside it.",
    why="The same row gets another prediction in every batch, and a row alone one that training never met.",
)


@check(ROWS_MIXED)
def check_rows_mixed(case: Case) -> Iterator[Finding]:
    """Yield a function over the rows of a batch, where the network keeps them apart once it is told another axis."""
    call = case.call
    if call is None or case.frame is None or not can_be_tried(case) or not _may_mix(call.model):
        return
    x = rows_of(case, ROWS)[0] if call.step is None else call.step.x
    batches = _batches(x) if x is not None else None
    if batches is None:
        return
    with unchanged(call.model):
        site, apart = _mixing(call.model, *batches) or (None, "")
    if site is not None:
        yield ROWS_MIXED.found(
            expected="a network that gives the same for a row, whichever rows are beside it",
            received=f"{_said(case, site)} runs over the {ROWS} rows of a batch: {apart}",
            fix=_fix(case, site),
        )


def _may_mix(model: Any) -> bool:
    """Whether anything in a network is the user's own, or an operation that may be told an axis."""
    layers = all_layers(model)
    own = any(not type(each).__module__.startswith(OF_KERAS) or type(each).__name__ == "Lambda" for each in layers)
    held = [model, *layers]
    operations = [each for of in held for each in getattr(of, "operations", None) or ()]
    return own or any(type(each).__name__ in OPERATIONS for each in (*layers, *operations))


def _batches(x: Any) -> tuple[Any, Any] | None:
    """Return the same first rows in a larger and in a smaller batch, None of too few."""
    tf = sys.modules["tensorflow"]
    try:
        every = tf.nest.map_structure(tf.convert_to_tensor, x)
        if any(each.shape[0] is None or each.shape[0] < ROWS for each in tf.nest.flatten(every)):
            return None
        more, fewer = (tf.nest.map_structure(itemgetter(slice(rows)), every) for rows in (ROWS, FEWER))
        return more, fewer
    except (TypeError, ValueError, IndexError):
        return None


def _mixing(model: Any, more: Any, fewer: Any) -> tuple[Site, str] | None:
    """Return the function that mixes rows, and by how much; None where none does, or chance has a part in it."""
    with watching(RowsWatch(), model) as watch:
        once = _outputs(model, more)
    if not watch.sites or len(watch.sites) > MOST_SITES:
        return None
    with watching(RowsWatch(), model):
        again, beside = _outputs(model, more), _outputs(model, fewer)
    if not once or _apart(once, again) or not (apart := _apart(once, beside)):
        return None
    for places in [*({each} for each in watch.sites), set(watch.sites)]:
        with watching(RowsWatch(places), model):
            kept = _outputs(model, more), _outputs(model, fewer)
        if all(kept) and [each.shape for each in kept[0]] == [each.shape for each in once] and not _apart(*kept):
            return next(site for place, site in watch.sites.items() if place in places), apart
    return None


def _outputs(model: Any, x: Any) -> list[np.ndarray]:
    """Return what a network makes of some rows outside of training; [] where it raises."""
    tf = sys.modules["tensorflow"]
    try:
        return [np.asarray(each) for each in tf.nest.flatten(model(x, training=False))]
    except Exception:  # the user's own code may raise anything, and does so in fit
        return []


def _apart(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> str:
    """Return how far the same rows are from one another; "" where nowhere far."""
    for a, b in zip(one, other, strict=False):
        same_rows = a.ndim and b.ndim and len(a) == ROWS and len(b) in (ROWS, FEWER) and a.shape[1:] == b.shape[1:]
        if not same_rows or a.dtype.kind != "f" or not np.isfinite([*a, *b]).all():
            continue
        apart = np.abs(a[: len(b)] - b)
        if apart.max(initial=0) > (MUCH if a.dtype.itemsize > 2 else HALF) * a.std():
            place = np.unravel_index(apart.argmax(), apart.shape)
            digits = next((each for each in (3, 6) if f"{a[place]:.{each}g}" != f"{b[place]:.{each}g}"), 9)
            many, few = (f"{each[place]:.{digits}g}" for each in (a, b))
            return f"row {place[0]} gives {many} among {ROWS} rows and {few} among {len(b)}"
    return ""


def _call_of(case: Case, site: Site) -> tuple[ProgramText, ast.Call | None]:
    """Return the call in the program's text, None where it is not the only one it may be."""
    if site.operation is None:
        text = ProgramText(case.frame, site.code.co_filename)  # type: ignore[arg-type]
        return text, text.call_on(site.line, site.name)
    text = ProgramText(case.frame)  # type: ignore[arg-type]
    found = text.calls(site.name, type(site.operation).__name__)
    found = [each for each in found if _runs_over_rows(each) and _is_of_keras(text, each.func)]
    return text, found[0] if len(found) == 1 else None


def _runs_over_rows(call: ast.Call) -> bool:
    stated = [*call.args[1:], *(each.value for each in call.keywords if each.arg in AXIS_NAMES)]
    return [ast.unparse(each) for each in stated] in ([], ["0"])


def _is_of_keras(text: ProgramText, function: ast.expr) -> bool:
    owner = function.value if isinstance(function, ast.Attribute) else function
    inner = owner.value if isinstance(owner, ast.Attribute) else owner
    value = text.value_of(inner)
    return str(getattr(value, "__module__", None) or getattr(value, "__name__", "")).partition(".")[0] == "keras"


def _said(case: Case, site: Site) -> str:
    text, found = _call_of(case, site)
    line = text.at(found or ast.Pass(lineno=site.line)) if found or site.line else ""
    sizes = " x ".join(["rows" if size == ROWS else str(size) for size in site.shape])
    return f"{site.name}() of {sizes}{line and f' ({line})'}"


def _fix(case: Case, site: Site) -> str:
    text, found = _call_of(case, site)
    if found is None:
        stated = ", ".join(f"{name}={value}" for name, value in site.keywords.items()) or f"perm={site.perm}"
        return f"Let {site.name}() keep to each row: {stated}."
    again = _again(site, found)
    return text.with_expression(found, again) or f"Write {ast.unparse(again)} at {text.at(found)}."


def _again(site: Site, call: ast.Call) -> ast.Call:
    """Return a call that keeps to each row."""
    kept = call.args[: AXES_AT.get(site.name, 1)]
    keywords = [each for each in call.keywords if each.arg not in site.keywords]
    added = [ast.keyword(name, ast.Constant(value)) for name, value in site.keywords.items() if name != "axes"]
    if site.name == PRODUCT and len(kept) > 1:
        root = root_of(call.func)
        of_tensorflow = f"{root}.reduce_sum" if root in ("tf", "tensorflow") else ""
        summed = ast.parse(of_tensorflow or f"{ast.unparse(call.func).rpartition('.')[0]}.sum", mode="eval").body
        return ast.Call(summed, [ast.BinOp(kept[0], ast.Mult(), kept[1])], added)
    perm = ast.parse(repr(site.perm), mode="eval").body
    if site.name == "transpose":
        return ast.Call(call.func, [*kept, perm], [])
    if site.perm:
        module = ast.unparse(call.func).rpartition(".")[0]
        turned = ast.Call(ast.parse(f"{module}.transpose", mode="eval").body, [*kept, perm], [])
        return ast.Call(call.func, [turned, *call.args[1:]], keywords)
    return ast.Call(call.func, kept, [*keywords, *added])
