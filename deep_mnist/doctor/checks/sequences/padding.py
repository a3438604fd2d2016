"""Checks of pad_sequences: what it makes of numbers with fractions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOOKED_AT = 50  # sequences
DTYPE_PLACE = 2  # among the arguments of pad_sequences

FRACTIONS_LOST = Rule(
    code="I157",
    name="fractions-lost-in-padding",
    field="images.dtype",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="pad_sequences was given numbers with fractions and makes whole ones of them, as it does by default.",
    why="int32 is its default dtype: all that stands behind the point is cut, and numbers below 1 are 0.",
)


@check(FRACTIONS_LOST)
def check_padded(case: Case) -> Iterator[Finding]:
    """Yield calls of pad_sequences without a dtype, on fractions, of which the inputs were made."""
    images = case.train.images
    if images is None or images.dtype.kind != "i" or case.frame is None or case.contract.vocabulary is not None:
        return
    text = ProgramText(case.frame)
    for call in text.calls("pad_sequences"):
        stated = keyword_of(call, "dtype") is not None or len(call.args) > DTYPE_PLACE
        given = keyword_of(call, "sequences") or next(iter(call.args), None)
        if stated or given is None or not _is_input(text, call, images) or not _have_fractions(text.value_of(given)):
            continue
        fix = text.rewritten(call, dtype=ast.Constant("float32"))
        yield FRACTIONS_LOST.found(
            "train",
            expected="the numbers as they were, padded",
            received=f"{images.dtype}, of {ast.unparse(given)} with fractions ({text.at(call)})",
            fix=fix or 'Call pad_sequences with dtype="float32".',
        )


def _is_input(text: ProgramText, call: ast.Call, images: np.ndarray) -> bool:
    """Whether the call's result has a name, and is an array of the inputs' form."""
    statement = text.statement_of(call)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    value = text.value_of(target) if isinstance(target, ast.Name) else None
    return isinstance(value, np.ndarray) and value.dtype.kind == "i" and value.shape[1:] == images.shape[1:]


def _have_fractions(sequences: Any) -> bool:
    """Whether a list, or an array of objects, holds sequences of numbers that are not whole."""
    if not isinstance(sequences, list | tuple | np.ndarray):
        return False
    return any(_has_fractions(each) for each in sequences[:LOOKED_AT])


def _has_fractions(sequence: Any) -> bool:
    try:
        values = np.asarray(sequence)
    except ValueError:  # rows of different lengths
        return False
    return values.dtype.kind == "f" and bool((values != np.rint(values)).any())
