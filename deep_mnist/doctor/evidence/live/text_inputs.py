"""Whether a live network takes text itself: by its inputs' dtype or a layer that looks words up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LOOKUPS = ("TextVectorization", "StringLookup", "Hashing", "CategoryEncoding", "FeatureSpace", "HashedCrossing")


def takes_text(model: Any) -> bool:
    """Whether text may be right as an input of a live model."""
    inputs = getattr(model, "inputs", None) if getattr(model, "built", False) else None
    if isinstance(inputs, list | tuple) and any(_dtype(each) == "string" for each in inputs):
        return True
    return any(type(layer).__name__ in LOOKUPS for layer in _layers(model, 0))


def _dtype(tensor: Any) -> str:
    return str(getattr(getattr(tensor, "dtype", ""), "name", getattr(tensor, "dtype", "")))


def _layers(model: Any, depth: int) -> Iterator[Any]:
    for layer in (getattr(model, "layers", None) or ()) if depth < 8 else ():
        yield layer
        yield from _layers(layer, depth + 1)
