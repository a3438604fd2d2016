"""The tensors and numbers that a layer is called with, as Keras 2 and Keras 3 write them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from deep_mnist.contract.graph import MAX_DEPTH, MAX_LAYERS, Reference, Shape, shape_from


def names_of(value: Any) -> list[str]:
    """Return the names of inputs or outputs: a dictionary's keys, else the layers' names."""
    if isinstance(value, Mapping) and all(len(references_of(each)) == 1 for each in value.values()):
        return [str(name)[:60] for name in value]
    return [name[:60] for name, _, _ in references_of(value)]


def references_of(value: Any) -> list[Reference]:
    """Return [("name", node, tensor), …] of Keras 2's and 3's ways to write one or multiple inputs."""
    if isinstance(value, Mapping):
        return [reference for each in value.values() for reference in references_of(each)]
    if len(value) == 3 and isinstance(value[0], str):
        return [(value[0], int(value[1]), int(value[2]))]
    return [reference for each in value for reference in references_of(each)]


def arguments_of(call: Any) -> tuple[list[Reference], dict[int, float], list[Shape | None]]:
    """Return the tensors, the plain numbers and the tensors' shapes among one call's arguments."""
    sources: list[Reference] = []
    shapes: list[Shape | None] = []
    constants: dict[int, float] = {}
    if not isinstance(call, Mapping):  # Keras 2: [["name", 0, 0, {kwargs}], …]
        entries = [call] if call and isinstance(call[0], str) else call
        for entry in entries:
            sources.append((str(entry[0]), int(entry[1]), int(entry[2])))
            for value in (entry[3] if len(entry) > 3 and isinstance(entry[3], Mapping) else {}).values():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    constants[1] = float(value)
        return sources, constants, [None] * len(sources)
    arguments = [*call.get("args", []), *(call.get("kwargs") or {}).values()]
    for position, argument in enumerate(arguments):
        if isinstance(argument, int | float) and not isinstance(argument, bool):
            constants[position] = float(argument)
        elif (numbers := _array(argument)) is not None:
            constants[position] = numbers
        for tensor in _tensors(argument, 0):
            sources.append(references_of(tensor["keras_history"])[0])
            shapes.append(shape_from(tensor.get("shape")))
    return sources, constants, shapes


def _array(value: Any) -> float | None:
    """Return the mean of a constant array, such as one mean for each channel."""
    if not isinstance(value, Mapping) or value.get("class_name") not in ("__numpy__", "__tensor__"):
        return None
    pending: list[Any] = [value["config"].get("value")]
    numbers: list[float] = []
    while pending and len(numbers) <= MAX_LAYERS:
        stated = pending.pop()
        if isinstance(stated, list | tuple):
            pending += stated
        elif isinstance(stated, int | float) and math.isfinite(stated):
            numbers.append(float(stated))
        else:
            return None
    return sum(numbers) / len(numbers) if numbers else None


def _tensors(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]
            return
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each, depth + 1)
