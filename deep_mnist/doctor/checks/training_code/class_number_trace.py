"""Where a function of labels and outputs calculates with class numbers beside the outputs of every class.

The function is traced as fit traces it: the graph tells which operation takes which of both, whatever the code is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.own_code import is_of_library_file

DOCTOR = str(Path(__file__).parents[2])

ALIKE = ("Cast", "Identity", "StopGradient", "ExpandDims", "Reshape", "Squeeze")  # what leaves a class number one
OF_PAIRS = ("Mul", "MulNoNan", "Sub", "AddV2", "Equal", "NotEqual", "SquaredDifference", "Minimum", "Maximum")
OF_SHAPES = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")  # that carry no value of what they are given


@dataclass(frozen=True)
class OwnLine:
    """A line of the user's that calculates so."""

    file: str
    line: int


def places_of(compute: Callable[..., Any], y: np.ndarray, p: np.ndarray) -> list[OwnLine]:
    """Return where class numbers (…, 1) are broadcast against what comes of outputs (…, classes); [] where nowhere.

    Args:
        compute: Of the user's own.
        y: Class numbers as fit passes them.
        p: Outputs, float32.
    """
    tf = sys.modules["tensorflow"]
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in (y, p)]
    try:
        graph = tf.function(compute, autograph=False).get_concrete_function(*specs).graph
    except Exception:  # the user's own code may raise anything, of which another rule speaks
        return []
    labels, outputs = graph.inputs[:2]
    numbers, scores = _numbers_of(graph, labels), _reached_from(graph, outputs)
    found = [each for each in graph.get_operations() if _is_of_both(each, numbers, scores, p.shape[-1])]
    return [place for each in found if (place := _place_of(each)) is not None]


def _numbers_of(graph: Any, labels: Any) -> set[int]:
    """Return the ids of the tensors that hold the labels themselves, in another shape or type at most."""
    held = {id(labels)}
    for each in graph.get_operations():
        kept = [out for out in each.outputs if out.dtype.name != "bool"]
        if each.type in ALIKE and id(each.inputs[0]) in held:
            held |= set(map(id, kept))
    return held


def _reached_from(graph: Any, outputs: Any) -> set[int]:
    held = {id(outputs)}
    for each in graph.get_operations():
        if each.type not in OF_SHAPES and any(id(one) in held for one in each.inputs):
            held |= set(map(id, each.outputs))
    return held


def _is_of_both(operation: Any, numbers: set[int], scores: set[int], classes: int) -> bool:
    if operation.type not in OF_PAIRS or len(operation.inputs) != 2:
        return False
    first, second = operation.inputs
    for one, other in ((first, second), (second, first)):
        shapes = one.shape, other.shape
        if id(one) not in numbers or id(other) not in scores or any(each.rank in (None, 0) for each in shapes):
            continue
        if one.shape[-1] == 1 and other.shape[-1] == classes and one.shape[:-1] == other.shape[:-1]:
            return True
    return False


def _place_of(operation: Any) -> OwnLine | None:
    """Return the innermost line of the user's that made an operation, None where the function itself is a library's."""
    inner = takewhile(lambda each: not each.filename.startswith(DOCTOR), reversed(list(operation.traceback)))
    frame = next((each for each in inner if not is_of_library_file(each.filename)), None)
    return OwnLine(frame.filename, frame.lineno) if frame is not None else None
