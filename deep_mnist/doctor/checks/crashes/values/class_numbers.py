"""Labels that to_categorical cannot take: greater than the number of classes, or words."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.rules import DTYPE_REFUSED, INDEX_RANGE
from deep_mnist.doctor.evidence.live.source_text import argument_of
from deep_mnist.doctor.finding import Finding

GAPS = 2  # times as many numbers as classes, from which on the numbers are none of classes


def explain_class_numbers(crash: Crash) -> Finding | None:
    """Name the labels, and the line that makes them class numbers or has classes enough."""
    step = crash.user
    call = step.call if step is not None else None
    labels = _labels(crash)
    node = argument_of(call, 0, "x") if call is not None else None
    if step is None or call is None or node is None or labels is None:
        return None
    numbered = f"np.unique({ast.unparse(node)}, return_inverse=True)[1]"
    if labels.dtype.kind in "OUS" and isinstance(crash.error, ValueError):
        word = str(labels.flat[0])[:40]
        return DTYPE_REFUSED.found(
            "train",
            field="labels.dtype",
            expected="class numbers for to_categorical",
            received=f"words, such as {word!r}, at {crash.place}",
            fix=line_changed(step, [(node, numbered)]),
        )
    count = crash.find("num_classes", "to_categorical")
    if not isinstance(crash.error, IndexError) or labels.dtype.kind not in "iuf" or not isinstance(count, int):
        return None
    return INDEX_RANGE.found(
        "train",
        field="labels.values",
        expected=f"labels 0 to {count - 1}, of {count} classes",
        received=f"{labels.min():g} to {labels.max():g}, at {crash.place}",
        fix=_mended(step, call, node, labels, numbered),
    )


def _labels(crash: Crash) -> Any:
    value = crash.find("x", "to_categorical")
    array = np.asarray(value) if value is not None and not hasattr(value, "_keras_history") else None
    return array if array is not None and array.size else None


def _mended(step: TraceStep, call: ast.Call, node: ast.expr, labels: Any, numbered: str) -> str:
    kinds, text = np.unique(labels), ast.unparse(node)
    stated = argument_of(call, 1, "num_classes")
    whole = int(labels.max()) + 1
    if kinds[0] == 1 and len(kinds) == whole - 1 and stated is not None:
        return line_changed(step, [(node, f"{text} - 1")])
    if whole >= GAPS * len(kinds):
        return line_changed(step, [(node, numbered)])
    return line_changed(step, [(stated, str(whole))]) if stated is not None else f"num_classes={whole}"
