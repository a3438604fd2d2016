"""A Keras model that is called, or even built, within a block, and is afterwards as it was before."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

MOST_NESTED = 4  # levels of lists and dictionaries that an attribute of a layer may hold
MOST_VALUES = 1 << 24  # numbers of all weights together that are copied; larger models are not called


class TooLargeError(Exception):
    """The model's weights are too many to be copied."""


@contextlib.contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Give a model and its layers, within and after the block, the attributes, weights and names that they have now.

    Args:
        model: Of Keras 3, built or not.

    Raises:
        TooLargeError: It has too many weights to be copied.
    """
    layers = [model, *_layers(model)]
    weights = [(each, each.numpy()) for each in _variables(model)]
    attributes = [(layer, dict(vars(layer)), _contents(vars(layer), MOST_NESTED)) for layer in layers]
    names = _names()
    held = {name: dict(each) for name, each in names.items()}
    try:
        yield
    finally:
        for layer, values, contents in attributes:
            vars(layer).clear()
            vars(layer).update(values)
            for container, content in contents:
                _refill(container, content)
        for variable, value in weights:
            variable.assign(value)
        for name, each in names.items():
            each.clear()
            each.update(held[name])


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=False))


def _variables(model: Any) -> list[Any]:
    found = list(model.variables)
    if sum(_size(each) for each in found) > MOST_VALUES:
        raise TooLargeError
    return found


def _size(variable: Any) -> int:
    count = 1
    for each in variable.shape:
        count *= int(each or 1)
    return count


def _contents(values: dict[str, Any], depth: int) -> list[tuple[Any, Any]]:
    """Return every list, dictionary and set below some attributes with a copy of what it holds."""
    found: list[tuple[Any, Any]] = []
    for value in values.values():
        if isinstance(value, list):
            found.append((value, list(value)))
            inner: dict[str, Any] = {str(index): each for index, each in enumerate(value)}
        elif isinstance(value, dict):
            found.append((value, dict(value)))
            inner = {str(key): each for key, each in value.items()}
        elif isinstance(value, set):
            found.append((value, set(value)))
            continue
        elif type(value).__name__ == "Tracker":
            inner = dict(vars(value))
            found.append((vars(value), inner))
        else:
            continue
        if depth:
            found += _contents(inner, depth - 1)
    return found


def _refill(container: Any, content: Any) -> None:
    """Give a container its content again, past what a subclass does when it changes."""
    container = getattr(container, "__wrapped__", container)  # TensorFlow wraps the dictionaries of its modules
    kind = next(each for each in (list, dict, set) if isinstance(container, each))
    kind.clear(container)
    if kind is list:
        list.extend(container, content)
    elif kind is dict:
        dict.update(container, content)
    else:
        set.update(container, content)


def _names() -> dict[str, Any]:
    """Return Keras's counters of the names that it gives by itself."""
    state = sys.modules.get("keras.src.backend.common.global_state")
    counters = state.get_global_attribute("object_name_uids") if state is not None else None
    return {"names": counters} if isinstance(counters, dict) else {}
