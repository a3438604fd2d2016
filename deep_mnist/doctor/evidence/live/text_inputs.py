"""Whether a live network takes text itself, by its inputs' dtype or a layer that looks words up; texts in a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

TABLES = ("TextVectorization", "StringLookup", "IntegerLookup")
LOOKUPS = ("TextVectorization", "StringLookup", "Hashing", "CategoryEncoding", "FeatureSpace", "HashedCrossing")


def takes_text(model: Any) -> bool:
    """Whether text may be right as an input of a live model."""
    inputs = getattr(model, "inputs", None) if getattr(model, "built", False) else None
    if isinstance(inputs, list | tuple) and any(_dtype(each) == "string" for each in inputs):
        return True
    return any(type(layer).__name__ in LOOKUPS for layer in _layers(model, 0))


def listed_texts(values: Sequence[Any]) -> np.ndarray | None:
    """Return a list of texts, or of lists of one text each, as Python's objects, None of anything else."""
    if all(isinstance(each, str) for each in values):
        return np.array(values, dtype=object)
    single = all(isinstance(each, list | tuple) and len(each) == 1 and isinstance(each[0], str) for each in values)
    return np.array(values, dtype=object) if single else None


def is_empty_lookup(layer: Any) -> bool:
    """Whether a layer looks words up and has no vocabulary yet."""
    if type(layer).__name__ not in TABLES:
        return False
    try:
        return len(layer.get_vocabulary(include_special_tokens=False)) == 0
    except Exception:  # another Keras, or a table in a state of its own
        return False


def _dtype(tensor: Any) -> str:
    return str(getattr(getattr(tensor, "dtype", ""), "name", getattr(tensor, "dtype", "")))


def _layers(model: Any, depth: int) -> Iterator[Any]:
    for layer in (getattr(model, "layers", None) or ()) if depth < 8 else ():
        yield layer
        yield from _layers(layer, depth + 1)
