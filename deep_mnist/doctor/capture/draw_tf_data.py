"""A tf.data.Dataset: a sample of it, and what its order of batch, shuffle, repeat and cache does to training.

TensorFlow is not imported: the dataset brings it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.collected import Collected, Shape, collect, is_batch, too_slow, unbatched
from deep_mnist.doctor.capture.draw import (
    SAMPLE,
    SAMPLE_ELEMENTS,
    Drawn,
    as_array,
    items_of,
    parts_of,
)
from deep_mnist.doctor.capture.draw_batches import windows_of_whole
from deep_mnist.doctor.capture.rules import (
    AUGMENTATION_CACHED,
    BATCHED_TWICE,
    CACHED_AFTER_SHUFFLE,
    SHUFFLED_AFTER_BATCH,
    SORTED_DATASET,
)
from deep_mnist.doctor.evidence.class_runs import runs_of
from deep_mnist.doctor.evidence.live.dataset_stages import is_random
from deep_mnist.doctor.finding import Finding

KEEPING = ("Batch", "Shuffle", "Repeat", "Cache", "Prefetch", "Options", "PaddedBatch", "Model", "Assert", "Ragged")
LONGEST_CHAIN = 64


@dataclass(frozen=True)
class DatasetNode:
    """One transformation: its kind ("Batch", "Map", …, "TensorSlice") and the dataset it makes."""

    kind: str
    dataset: Any


def chain_of(dataset: Any) -> list[DatasetNode]:
    """Return a dataset's transformations from the last to the source."""
    chain: list[DatasetNode] = []
    while dataset is not None and len(chain) < LONGEST_CHAIN:
        kind = type(dataset).__name__.strip("_").removesuffix("Dataset").removeprefix("Parallel")
        if kind != "DatasetV1Adapter":
            chain.append(DatasetNode(kind, dataset))
        dataset = getattr(dataset, "_input_dataset", None) or getattr(dataset, "_dataset", None)
    return chain


def draw_dataset(split: str, dataset: Any, required: Shape | None) -> Drawn:
    """Return a sample of a dataset: of the arrays behind it where they can be reached, else its first examples.

    Args:
        split: "train" or "test", for the findings.
        required: One example's shape as the network takes it; None when unknown.
    """
    chain = chain_of(dataset)
    drawn = _from_slices(chain, required) or _from_the_front(split, dataset, chain, required)
    batched = _is_batched(dataset, chain, required)
    drawn.steps = _steps(dataset) if batched else None
    if not batched:
        shape = drawn.images.shape[1:] if drawn.images is not None else ()
        drawn.findings.append(unbatched(split, f"{split}_images", shape))
    return drawn


def _steps(dataset: Any) -> int | None:
    """Return how many batches an epoch has, None where the dataset does not know or has no end."""
    count = int(dataset.cardinality())
    return count if count >= 0 else None


def _is_batched(dataset: Any, chain: Sequence[DatasetNode], required: Shape | None) -> bool:
    shape = _image_shape(dataset)
    if shape is not None and required is not None:
        return is_batch(tuple(shape), required)
    return any("Batch" in node.kind for node in chain) or not (shape is not None and chain[-1].kind == "TensorSlice")


def _image_shape(dataset: Any) -> Any:
    spec = dataset.element_spec
    while isinstance(spec, tuple | list | dict) and spec:
        spec = next(iter(spec.values())) if isinstance(spec, dict) else spec[0]
    shape = getattr(spec, "shape", None)
    return None if shape is None or shape.rank is None else shape


def _from_slices(chain: Sequence[DatasetNode], required: Shape | None) -> Drawn | None:
    """Draw from the arrays given to from_tensor_slices: all of them, or a subset sent through the maps."""
    root = chain[-1]
    if root.kind != "TensorSlice" or any(
        getattr(each.dtype, "name", "") == "variant" for each in root.dataset._tensors
    ):
        return None
    tensors = root.dataset._tensors
    total = int(tensors[0].shape[0])
    if _cuts_sequences([node.kind for node in chain], _image_shape(chain[0].dataset), required):  # row follows row
        return None
    kept = all(node.kind in KEEPING for node in chain[:-1])
    if kept:
        packed = sys.modules["tensorflow"].nest.pack_sequence_as(root.dataset.element_spec, tensors)
        images, labels = (None if each is None else as_array(each) for each in parts_of(packed))
        pair = packed if isinstance(packed, tuple) and len(packed) > 1 else (packed, None)
        inputs, targets = items_of(pair[0]), items_of(pair[1])
        return Drawn(images, labels, total, "tf.data.Dataset", inputs=inputs, targets=targets)
    sizes = [int(node.dataset._batch_size) for node in chain if node.kind == "Batch"]
    most = min(total, SAMPLE, SAMPLE_ELEMENTS * max([1, *sizes]))
    try:
        mapped = _mapped(chain, np.unique(np.linspace(0, total - 1, most).astype(int)), required)
    except Exception:  # a user's map may raise anything; the dataset itself is then asked, and raises in training
        return None
    images, labels = mapped.arrays()
    if images is None:
        return None
    inputs, targets = mapped.all_of(0), mapped.all_of(1)
    return Drawn(images, labels, total, "tf.data.Dataset", whole=len(images) == total, inputs=inputs, targets=targets)


def _mapped(chain: Sequence[DatasetNode], indices: np.ndarray, required: Shape | None) -> Collected:
    """Send the examples at `indices` through the chain's maps, filters and batches, in their order."""
    tf, root = sys.modules["tensorflow"], chain[-1].dataset
    parts = [tf.gather(each, indices) for each in root._tensors]
    subset = tf.data.Dataset.from_tensor_slices(tf.nest.pack_sequence_as(root.element_spec, parts))
    for node in reversed(chain[:-1]):
        subset = _applied(subset, node)
    batched = required is None or _is_batched(subset, chain, required)
    return collect(subset, lambda _: batched)


def _applied(subset: Any, node: DatasetNode) -> Any:
    """Repeat one transformation on another dataset; those that only change the order are left out."""
    if node.kind == "Map":
        calls = sys.modules["tensorflow"].data.AUTOTUNE
        return subset.map(node.dataset._map_func._func, num_parallel_calls=calls, deterministic=True)
    if node.kind == "Filter":
        return subset.filter(node.dataset._predicate._func)
    if node.kind == "Batch":
        return subset.batch(node.dataset._batch_size)
    if node.kind == "Unbatch":
        return subset.unbatch()
    if node.kind in KEEPING:
        return subset
    raise NotImplementedError(node.kind)


def _from_the_front(split: str, dataset: Any, chain: Sequence[DatasetNode], required: Shape | None) -> Drawn:
    batched = _is_batched(dataset, chain, required)
    windows = windows_of_whole(dataset, [node.kind for node in chain], _image_shape(dataset)) if batched else None
    collected = collect(dataset if windows is None else windows, lambda _: batched)
    collected.ended = collected.ended and windows is None
    images, labels = collected.arrays()
    total = len(images) if collected.ended and images is not None else _examples(dataset, collected.batch_sizes)
    inputs, targets = collected.all_of(0), collected.all_of(1)
    slow = too_slow(split, collected, "tf.data.Dataset")
    return Drawn(images, labels, total, "tf.data.Dataset", collected.ended, True, inputs, targets, slow,
                 batch_sizes=collected.sizes)  # fmt: skip


def _examples(dataset: Any, sizes: Sequence[int]) -> int | None:
    count = _steps(dataset)
    return count * max(1, max(sizes, default=1)) if count else None


def judge_pipeline(split: str, dataset: Any, drawn: Drawn, required: Shape | None) -> Iterator[Finding]:
    """Yield what the order of a dataset's transformations does to training.

    Args:
        split: "train" or "test"; order matters in train only.
        drawn: The sample of it, with the labels in the source's order where they could be reached.
        required: One example's shape as the network takes it, None where that is not known.
    """
    chain = chain_of(dataset)
    kinds = [node.kind for node in chain]
    if split != "train":
        return
    if not _cuts_sequences(kinds, _image_shape(dataset), required):
        yield from _batched_twice(kinds)
    yield from _shuffle_after_batch(kinds, _runs(chain, drawn), _shuffled(chain))
    yield from _cache_after_shuffle(chain, kinds, _shuffled(chain))
    yield from _cached_augmentation(chain)
    yield from _order(chain, drawn)


def _cuts_sequences(kinds: Sequence[str], shape: Any, required: Shape | None) -> bool:
    """Whether a first batch() makes examples, as the pieces of a text: the network takes what the last one yields.

    Of a network that tells no shape it is so where a map goes between, which makes pairs of the pieces.
    """
    several = _batches(kinds) > 1
    if required is not None and shape is not None:
        return several and len(shape) <= len(required) + 1
    first = max((place for place, kind in enumerate(kinds) if "Batch" in kind), default=0)
    return several and "Map" in kinds[:first]


def _batches(kinds: Sequence[str]) -> int:
    """Return how many times a dataset is batched and not taken apart again."""
    return sum("Batch" in kind for kind in kinds) - kinds.count("Unbatch")


def _batched_twice(kinds: Sequence[str]) -> Iterator[Finding]:
    if (count := _batches(kinds)) > 1 and "Rebatch" not in kinds and "Window" not in kinds and "FlatMap" not in kinds:
        yield BATCHED_TWICE.found(
            "train",
            expected="one batch()",
            received=f"{count} of them: batches of batches",
            fix="Leave out one of the two batch() calls of train_images.",
        )


def _shuffle_after_batch(kinds: Sequence[str], runs: int | None, again: str) -> Iterator[Finding]:
    """Batches that are shuffled whole; where labels lie in `runs` of one class, each batch holds one."""
    shuffles = [index for index, kind in enumerate(kinds) if kind == "Shuffle"]
    batches = [index for index, kind in enumerate(kinds) if kind in ("Batch", "PaddedBatch")]
    if shuffles and batches and "Unbatch" not in kinds and max(shuffles) < min(batches):
        yield SHUFFLED_AFTER_BATCH.found(
            "train",
            severity="error" if runs else "",
            expected="shuffle() before batch()",
            received="batch() first: whole batches change their place, never their examples"
            + (", and the labels lie in runs of one class" if runs else ""),
            fix=f"{again}  # or exchange the two calls",
        )


def _cache_after_shuffle(chain: Sequence[DatasetNode], kinds: Sequence[str], again: str) -> Iterator[Finding]:
    """The list runs from the last transformation to the source."""
    for index, kind in enumerate(kinds):
        if kind in ("Cache", "MemoryCache") and "Shuffle" in kinds[index:] and "Shuffle" not in kinds[:index]:
            of_a_loader = any(
                hasattr(each.dataset, "class_names") for each in chain[index:]
            )  # as Keras's own tutorials
            yield CACHED_AFTER_SHUFFLE.found(
                "train",
                severity="note" if of_a_loader else "",
                expected="cache() before shuffle()",
                received="shuffle() first, then cache(): the first epoch's order is kept",
                fix=f"{again}  # or cache() before shuffle()",
            )
            return


def _shuffled(chain: Sequence[DatasetNode], buffer: int = 10_000) -> str:
    sizes = (int(node.dataset._batch_size) for node in chain if node.kind in ("Batch", "PaddedBatch"))
    return f"train_images = train_images.unbatch().shuffle({buffer}).batch({next(sizes, 32)})"


def _cached_augmentation(chain: Sequence[DatasetNode]) -> Iterator[Finding]:
    for index, node in enumerate(chain):
        if node.kind == "Cache" and any(is_random(each.dataset) for each in chain[index:] if each.kind == "Map"):
            yield AUGMENTATION_CACHED.found(
                "train",
                expected="random augmentation after cache()",
                received="a random map() before cache(): each example is altered once and kept",
                fix="Move cache() before the random map() in train_images.",
            )
            return


def _order(chain: Sequence[DatasetNode], drawn: Drawn) -> Iterator[Finding]:
    """Sorted labels behind no shuffle, or behind a buffer that reaches only a part of the set."""
    labels, runs = _source_labels(chain, drawn), _runs(chain, drawn)
    if runs is None or labels is None:
        return
    total = drawn.total or len(labels)
    buffers = [int(node.dataset._buffer_size) for node in chain if node.kind == "Shuffle"]
    reach = max((total if each < 0 else each for each in buffers), default=0)
    if 2 * reach >= total:
        return
    words = f"a shuffle buffer of {reach} for {total} examples" if reach else "no shuffle()"
    yield SORTED_DATASET.found(
        "train",
        severity="error" if reach < total / max(2, runs) else "warning",
        expected="examples in random order, or a shuffle buffer that holds the whole set",
        received=f"labels in runs of one class, and {words}",
        fix=f"{_shuffled(chain, total)}  # shuffle(len) before batch()",
    )


def _runs(chain: Sequence[DatasetNode], drawn: Drawn) -> int | None:
    labels = _source_labels(chain, drawn)
    return runs_of(labels, drawn.batch_sizes if labels is drawn.labels else ())


def _source_labels(chain: Sequence[DatasetNode], drawn: Drawn) -> np.ndarray | None:
    """Return the labels in the source's order where they can be reached, else as they were drawn."""
    if chain[-1].kind == "TensorSlice" and len(chain[-1].dataset._tensors) == 2:
        return as_array(chain[-1].dataset._tensors[1])
    return drawn.labels
