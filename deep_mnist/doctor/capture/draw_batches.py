"""Samples of what yields batches: Keras sequences, torch loaders, generators."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.draw import SAMPLE, Collected, Drawn, collect, is_kind, unbatched
from deep_mnist.doctor.capture.rules import TRAINING_ENDLESS, VALIDATION_ENDLESS
from deep_mnist.doctor.finding import Finding


def draw_sequence(split: str, sequence: Any, rank: int | None) -> Drawn:
    """Return a sample of a keras PyDataset or Sequence: batches spread over the whole of it."""
    count = len(sequence)
    collected = collect((sequence[index] for index in range(count)), _batched(rank))
    if not collected.ended:
        size = max(1, max(collected.batch_sizes, default=1))
        spread = np.unique(np.linspace(0, count - 1, max(1, min(count, SAMPLE // size))).astype(int))
        collected = collect((sequence[int(index)] for index in spread), _batched(rank))
    size = max(collected.batch_sizes, default=0)
    return _drawn(split, collected, "keras sequence", count * size if not collected.ended else None)


def draw_loader(split: str, loader: Any, rank: int | None) -> Drawn:
    """Return a sample of a torch DataLoader, drawn in this process from its dataset, and what its order does."""
    dataset: Any = getattr(loader, "dataset", None)
    collate = getattr(loader, "collate_fn", None)
    size = getattr(loader, "batch_size", None)
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__") or collate is None:
        return _drawn(split, collect(loader, _batched(rank)), "torch DataLoader", None)
    count = len(dataset)
    indices = np.unique(np.linspace(0, max(0, count - 1), min(count, SAMPLE)).astype(int))
    groups = np.array_split(indices, max(1, len(indices) // (size or 64)))
    batches = (collate([dataset[int(index)] for index in group]) for group in groups) if size else ()
    singles = (dataset[int(index)] for index in indices) if not size else ()
    drawn = _drawn(split, collect(itertools.chain(batches, singles), _batched(rank)), "torch DataLoader", count)
    drawn.whole = drawn.whole and len(indices) == count
    drawn.in_order = is_kind(getattr(loader, "sampler", None), "SequentialSampler")
    return drawn


def draw_iterator(split: str, iterator: Iterator[Any], rank: int | None) -> Drawn:
    """Return a sample of a generator or iterator, and one that yields the sample again and then the rest."""
    collected = collect(iterator, _batched(rank))
    drawn = _drawn(split, collected, "generator", None)
    drawn.replay = _again(collected.elements, iterator)
    return drawn


def _again(first: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from rest


def endless(split: str) -> Finding:
    """Return the finding on validation or training data without an end and without a number of steps."""
    train = split == "train"
    argument, name = ("steps_per_epoch", "train_images") if train else ("validation_steps", "test_images")
    return (TRAINING_ENDLESS if train else VALIDATION_ENDLESS).found(
        split,
        expected=f"data with an end, or {argument}",
        received=f"{name} repeats without end, and fit has no {argument}",
        fix=f"model.fit(..., {argument}=examples // batch_size)  # or leave out repeat()",
    )


def _batched(rank: int | None) -> Any:
    return lambda x: x.ndim >= 1 and (rank is None or x.ndim > rank)


def _drawn(split: str, collected: Collected, source: str, total: int | None) -> Drawn:
    images, labels = collected.arrays()
    whole = collected.ended
    if whole and images is not None:
        total = len(images)
    drawn = Drawn(images, labels, total, source, whole, inputs=collected.all_of(0), targets=collected.all_of(1))
    if collected.unbatched and collected.xs:
        drawn.findings.append(unbatched(split, f"{split}_images", collected.xs[0].shape[1:]))
    return drawn
