"""Check of predictions that hang on the other rows of their batch: a normalization called with training=True."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import moved_by_predictions
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers, is_of_library_file
from deep_mnist.doctor.evidence.live.restoring import is_small, unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ROWS, ALONE = 16, 4  # of a batch, and of these predicted alone
MUCH = 0.25  # of the spread of outputs

BY_THE_BATCH = Rule(
    code="P099",
    name="predictions-hang-on-their-batch",
    field="model.normalization",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    summary="A BatchNormalization is told training=True in call(): predict() and evaluate() normalize each row by the "
    "other rows of its batch, and never by the moving averages. (What a functional graph states, they override.)",
    why="The same row gets another prediction in every batch, and one row alone is normalized by itself.",
)


@check(BY_THE_BATCH)
def check_by_the_batch(case: Case) -> Iterator[Finding]:
    """Yield a network for rows of numbers whose prediction of one row is another one beside other rows."""
    call, images = case.call, case.train.images
    if call is None or call.verb != "fit" or case.train.inputs or not is_small(call.model):
        return
    if images is None or not images.ndim:
        return
    rows = np.asarray(images[:ROWS])
    layers = all_layers(call.model)
    if all(type(each).__module__.startswith(OF_KERAS) for each in layers):  # whose training predict() sets
        return
    norms = moved_by_predictions(call.model, layers, rows) if len(rows) == ROWS else []
    told = _told(call.model, rows) if norms else ""
    if not told:
        return
    yield BY_THE_BATCH.found(
        expected="a BatchNormalization that is told of training by fit, and goes by its averages in predict()",
        received=f"{norms[0].name} goes by the batch outside of training too: {told}",
        fix=_fix(case, layers, norms),
    )


def _told(model: Any, rows: np.ndarray) -> str:
    """Return how far predictions of rows alone are from those of the same rows in one batch; "" where they agree."""
    with unchanged(model):
        try:
            beside = np.asarray(model(rows, training=False), np.float64)
            alone = np.concatenate([np.asarray(model(rows[n : n + 1], training=False)) for n in range(ALONE)])
        except Exception:  # whatever a layer of the user's raises on a sample
            return ""
    if beside.ndim != 2 or alone.shape[1:] != beside.shape[1:] or not np.isfinite([*beside, *alone]).all():
        return ""
    apart = np.abs(alone - beside[:ALONE])
    if apart.max() <= MUCH * beside.std(axis=0).max():
        return ""
    row, unit = np.unravel_index(apart.argmax(), apart.shape)
    same = ", as every row is alone" if np.ptp(alone, axis=0).max() < 1e-3 * apart.max() else ""
    return f"row {row} is {beside[row, unit]:.3g} among {ROWS} rows and {alone[row, unit]:.3g} alone{same}"


def _fix(case: Case, layers: list[Any], norms: list[Any]) -> str:
    """Return the statement that calls a normalization without training=True; a sentence where there are several."""
    found = [each for owner in layers for each in _calls(case, owner, norms)]
    lines = {text.with_expression(call, _untold(call)) for text, call in found}
    if len(lines) == 1 and (line := lines.pop()):
        return line
    places = ", ".join(dict.fromkeys(text.at(call) for text, call in found))
    return f"Leave training=True out of the calls of BatchNormalization{places and f' at {places}'}."


def _calls(case: Case, owner: Any, norms: list[Any]) -> Iterator[tuple[ProgramText, ast.Call]]:
    """Yield where call() of the user's own tells something training=True that may be one of the normalizations."""
    code = getattr(getattr(type(owner), "call", None), "__code__", None)
    if case.frame is None or not isinstance(code, CodeType) or is_of_library_file(code.co_filename):
        return
    text = ProgramText(case.frame, code.co_filename)
    for each in ast.walk(text.function_at(code) or ast.Module([], [])):
        if isinstance(each, ast.Call) and getattr(keyword_of(each, "training"), "value", None) is True:
            held = getattr(owner, called(each), None)
            if held is None or any(one is norm for one in (held, *all_layers(held)) for norm in norms):
                yield text, each


def _untold(call: ast.Call) -> ast.Call:
    bare = copy.copy(call)
    bare.keywords = [each for each in call.keywords if each.arg != "training"]
    return bare
