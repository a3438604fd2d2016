"""What a tf.data.Dataset is made from: every dataset below it, and the files that it reads.

TensorFlow is not imported: the dataset brings it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

OF_FILE = re.compile(r"\.\w{1,5}$")  # a sentence ends with its dot
MOST_NODES = 400
MOST_PATHS = 200_000


def is_dataset(value: Any) -> bool:
    """Whether a value is a tf.data.Dataset."""
    return any(each.__name__ == "DatasetV2" for each in type(value).__mro__)


def has_inputs_in_a_row(value: Any, inputs: int) -> bool:
    """Whether a dataset yields several inputs and the labels side by side, of which Keras reads x, y and weights."""
    spec = value.element_spec if inputs > 1 and is_dataset(value) else None
    return isinstance(spec, tuple) and len(spec) == inputs + 1 and all(hasattr(each, "shape") for each in spec)


def kind_of(dataset: Any) -> str:
    """Return "Map", "Shuffle", "TensorSlice" … of a dataset.

    >>> class _ParallelMapDataset: ...
    >>> kind_of(_ParallelMapDataset())
    'Map'
    """
    return type(dataset).__name__.strip("_").removesuffix("Dataset").removesuffix("DatasetV1").removeprefix("Parallel")


def inputs_of(dataset: Any) -> list[Any]:
    """Return the datasets that one is made from directly."""
    try:
        found = list(dataset._inputs())
    except Exception:  # a user's class, or one that has no such method
        found = []
    held = [getattr(dataset, name, None) for name in ("_input_dataset", "_dataset")]
    found += [each for each in held if each is not None and is_dataset(each)]
    return list({id(each): each for each in found}.values())


def below(dataset: Any) -> list[Any]:
    """Return a dataset and all that it is made from, the last transformation first."""
    found: dict[int, Any] = {}
    waiting = [dataset]
    while waiting and len(found) < MOST_NODES:
        node = waiting.pop(0)
        if id(node) not in found:
            found[id(node)] = node
            waiting += inputs_of(node)
    return list(found.values())


def paths_to(dataset: Any, node: Any) -> Iterator[list[str]]:
    """Yield the kinds of the transformations between a dataset and one below it, for each way there."""
    waiting: list[tuple[Any, list[str]]] = [(dataset, [])]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        at, kinds = waiting.pop()
        if at is node:
            yield kinds
            continue
        waiting += [(each, [*kinds, kind_of(at)]) for each in inputs_of(at)]


def files_of(data: Any) -> list[str]:
    """Return the paths of the files that a dataset or a Keras directory iterator reads, [] where it does not tell."""
    for name in ("filepaths", "file_paths"):
        held = getattr(data, name, None)
        if isinstance(held, list | tuple | np.ndarray) and len(held):
            return [str(each) for each in held[:MOST_PATHS]]
    if not is_dataset(data):
        return []
    nodes = below(data)
    for node in nodes:
        held = getattr(node, "file_paths", None)
        if isinstance(held, list | tuple) and held:
            return [str(each) for each in held[:MOST_PATHS]]
    if any(kind_of(node) in ("Take", "Skip", "Shard", "Filter", "Enumerate") for node in nodes):
        return []  # a part of what the sources list
    slices = [each for node in nodes for each in path_columns(node)]
    return slices[0] if len(slices) == 1 else []


def path_columns(node: Any) -> list[list[str]]:
    """Return the columns of paths in what was given to from_tensor_slices, [] of any other dataset."""
    found = []
    for tensor in getattr(node, "_tensors", None) or () if kind_of(node) == "TensorSlice" else ():
        if getattr(getattr(tensor, "dtype", None), "name", "") != "string" or len(tensor.shape) != 1:
            continue
        texts = [each.decode(errors="replace") for each in tensor.numpy()[:MOST_PATHS].tolist()]
        if texts and all(OF_FILE.search(each) for each in texts[:50]) and len(set(texts)) > len(texts) / 2:
            found.append(texts)
    return found
