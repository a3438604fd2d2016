"""What each random map() of a tf.data.Dataset makes of some examples, sent through the chain from its source."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.dataset_graph import inputs_of, is_dataset, kind_of
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.sampling import sample_indices

PASSED_OVER = ("Shuffle", "Repeat", "Cache", "MemoryCache", "Prefetch", "Options", "Take", "Skip", "Model")
SOURCES = ("TensorSlice", "Zip")
LONGEST = 64
RANDOM = ("Random", "StatelessRandom", "StatelessSampleDistorted")


@dataclass
class MapStage:
    """One random map.

    Attributes:
        before, after: The first input, (n, …), in front of it and behind it.
        file: Of the mapped function's source.
    """

    before: np.ndarray
    after: np.ndarray
    file: str


def is_random(dataset: Any) -> bool:
    """Whether a map's function draws random numbers."""
    try:
        graph = dataset._map_func.function.graph.as_graph_def()
    except AttributeError:
        return False
    operations = [*graph.node, *(each for function in graph.library.function for each in function.node_def)]
    return any(each.op.startswith(RANDOM) for each in operations)


def random_maps(data: Any, count: int) -> Iterator[MapStage]:
    """Yield the random maps of a dataset, from its source on; nothing of a chain that cannot be repeated.

    Args:
        data: Anything; only datasets have maps.
        count: Examples sent through.
    """
    if not is_dataset(data):
        return
    chain = _chain(data)
    if chain and kind_of(chain[-1]) in SOURCES and any(kind_of(each) == "Map" and is_random(each) for each in chain):
        with unchanged_random_states():
            yield from _walked(chain, count)


def _chain(dataset: Any) -> list[Any]:
    chain = [dataset]
    while len(chain) < LONGEST and kind_of(chain[-1]) not in SOURCES:
        below = inputs_of(chain[-1])
        if len(below) != 1:
            return []
        chain.append(below[0])
    return chain


def _walked(chain: list[Any], count: int) -> list[MapStage]:
    tf, found = sys.modules["tensorflow"], list[MapStage]()
    try:
        subset = _first(tf, chain[-1], count)
        for node in reversed(chain[:-1]):
            kind = kind_of(node)
            if kind == "Map":
                mapped = subset.map(node._map_func._func).cache()
                if is_random(node):
                    found += _stage(subset, mapped, node)
                subset = mapped
            elif "Batch" in kind and kind != "Unbatch":
                subset = subset.batch(count)
            elif kind == "Unbatch":
                subset = subset.unbatch()
            elif kind not in PASSED_OVER:
                break
    except Exception:  # a user's map may raise anything
        return found
    return found


def _first(tf: Any, source: Any, count: int) -> Any:
    """Return some elements of a source: spread over the whole where they lie in memory."""
    if kind_of(source) != "TensorSlice":
        return source.take(count).cache()
    tensors = source._tensors
    at = sample_indices(int(tensors[0].shape[0]), count)
    parts = [tf.gather(each, at) for each in tensors]
    return tf.data.Dataset.from_tensor_slices(tf.nest.pack_sequence_as(source.element_spec, parts))


def _stage(subset: Any, mapped: Any, node: Any) -> list[MapStage]:
    before, after = _images(subset), _images(mapped)
    if before is None or after is None:
        return []
    code = getattr(node._map_func._func, "__code__", None)
    return [MapStage(before, after, getattr(code, "co_filename", ""))]


def _images(dataset: Any) -> np.ndarray | None:
    """Return the first part of all elements as one array of numbers on two axes or more, None of others."""
    found = []
    for element in dataset:
        while isinstance(element, dict | tuple | list) and element:
            element = next(iter(element.values())) if isinstance(element, dict) else element[0]
        array = np.asarray(element)
        if array.dtype.kind not in "fiu" or array.ndim < 2:
            return None
        found.append(array)
    if len({each.shape for each in found}) != 1:
        return found[0] if len(found) and found[0].ndim == 4 else None
    return np.concatenate(found) if found[0].ndim == 4 else np.stack(found)
