"""Samples of what yields batches: Keras sequences, torch loaders, generators, windows of a series."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.collected import Collected, Shape, collect, is_batch, too_slow, unbatched
from deep_mnist.doctor.capture.draw import (
    SAMPLE,
    SAMPLE_ELEMENTS,
    Drawn,
    array_of,
    as_array,
    is_kind,
    parts_of,
)
from deep_mnist.doctor.capture.fit_call import LOOPS, FitCall
from deep_mnist.doctor.capture.rules import (
    GROUPS_OF_ARRAYS,
    NO_GENERATOR,
    TRAINING_ENDLESS,
    USED_UP,
    VALIDATION_ENDLESS,
)
from deep_mnist.doctor.finding import Finding

SPREAD = 16  # batches taken
MOST_PASSED = 4096  # batches read to come to them
MOST_BYTES = 1 << 18  # of one example: windows, no images
ORDERED = ("Shuffle", "Filter", "Repeat", "GeneratorDataset", "Generator", "FlatMap", "Interleave")
INFINITE = -1  # tf.data.INFINITE_CARDINALITY
MOST_AXES = 2  # of one example: steps, features


def draw_sequence(split: str, sequence: Any, required: Shape | None) -> Drawn:
    """Return a sample of a keras PyDataset or Sequence: batches spread over the whole of it."""
    count, batched = _count(sequence), _batched(required)
    first = next(_items(sequence, [0])) if count else None
    x = None if first is None else array_of(parts_of(first)[0])
    size = len(x) if x is not None and batched(x) else 1
    number = max(1, min(count, SAMPLE // max(size, 1), SAMPLE_ELEMENTS))
    spread = np.unique(np.linspace(0, count - 1, number).astype(int))[1:] if count else ()
    rest = _items(sequence, map(int, spread), after_first=True)
    collected = collect(itertools.chain([first] if count else [], rest), batched)
    collected.ended = len(collected.elements) == count
    largest = max(collected.batch_sizes, default=0)
    drawn = _drawn(split, collected, "keras sequence", None if collected.ended else count * largest)
    drawn.steps = count
    return drawn


def _count(sequence: Any) -> int:
    """Return how many batches there are: what `__len__` raises, or gives that is no int, is the user's error."""
    return len(sequence)


def _items(sequence: Any, indices: Iterable[int], *, after_first: bool = False) -> Iterator[Any]:
    """Yield items up to the first that raises behind the first one, where the sequence is shorter than it says."""
    for place, index in enumerate(indices):
        try:
            item = sequence[index]
        except Exception:  # whatever a user's __getitem__ raises: reported by batches.py
            if place == 0 and not after_first:
                raise
            return
        yield item


def draw_loader(split: str, loader: Any, required: Shape | None) -> Drawn:
    """Return a sample of a torch DataLoader, drawn in this process from its dataset, and what its order does."""
    dataset: Any = getattr(loader, "dataset", None)
    collate = getattr(loader, "collate_fn", None)
    size = getattr(loader, "batch_size", None)
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__") or collate is None:
        return replace(
            _drawn(split, collect(loader, _batched(required)), "torch DataLoader", None), steps=_length(loader)
        )
    count = len(dataset)
    most = min(count, SAMPLE, SAMPLE_ELEMENTS * (size or 1))
    indices = np.unique(np.linspace(0, max(0, count - 1), most).astype(int))
    groups = np.array_split(indices, max(1, len(indices) // (size or 64)))
    batches = (collate([dataset[int(index)] for index in group]) for group in groups) if size else ()
    singles = (dataset[int(index)] for index in indices) if not size else ()
    drawn = _drawn(split, collect(itertools.chain(batches, singles), _batched(required)), "torch DataLoader", count)
    drawn.whole = drawn.whole and len(indices) == count
    drawn.batch_sizes = drawn.batch_sizes if len(indices) == count else []  # else of examples from here and there
    drawn.steps = _length(loader)
    drawn.in_order = is_kind(getattr(loader, "sampler", None), "SequentialSampler")
    return drawn


def _length(loader: Any) -> int | None:
    """Return how many batches an epoch has, None where the loader does not know."""
    try:
        return len(loader)
    except TypeError:  # over an iterable dataset
        return None


def draw_iterator(split: str, iterator: Iterator[Any], required: Shape | None) -> Drawn:
    """Return a sample of a generator or iterator, and one that yields the sample again and then the rest."""
    collected = collect(iterator, _batched(required))
    drawn = _drawn(split, collected, "generator", None)
    if collected.elements and (groups := groups_in(collected.elements[0])) is not None:
        drawn = Drawn(None, None, None, "generator", False, findings=[_of_groups(split, *groups)])
    drawn.replay, drawn.elements = _again(collected.elements, iterator), collected.elements
    if not collected.elements:
        drawn.findings.append(used_up(split))
    return drawn


def groups_in(element: Any) -> tuple[int, int] | None:
    """Return how many groups, and of how many arrays each, stand in the place of a batch; None of other elements."""
    x, y = element[:2] if isinstance(element, tuple | list) and len(element) > 1 else (None, None)
    if not isinstance(x, list | tuple) or not isinstance(y, Sized) or len(x) != len(y) or not len(x):
        return None
    sizes = {len(each) if isinstance(each, list | tuple) else 0 for each in x}
    arrays = (as_array(part) for each in x if isinstance(each, list | tuple) for part in each)
    held = all(part is not None and part.ndim for part in arrays)
    return (len(x), *sizes) if held and len(sizes) == 1 and min(sizes) > 1 else None  # type: ignore[return-value]


def _of_groups(split: str, examples: int, arrays: int) -> Finding:
    names = ", ".join(f"all_of_input_{place + 1}" for place in range(arrays))
    return GROUPS_OF_ARRAYS.found(
        split,
        expected="one array for each input of the network, each with the whole batch on its first axis",
        received=f"a generator that yields a list of {examples} groups of {arrays} arrays, one group for each example",
        fix=f"yield ({names}), labels  # each an array of the {examples} examples",
    )


def no_generator(split: str, iterator: Iterator[Any]) -> Finding:
    """Return the finding on an iterator of another kind than Keras 3 takes."""
    return NO_GENERATOR.found(
        split,
        expected="a generator, as a function with yield or (batch for batch in …) makes one",
        received=f"a {type(iterator).__name__} object",
        fix=f"Hand fit a generator of it: (batch for batch in {split}_images).",
    )


def used_up(split: str) -> Finding:
    """Return the finding on an iterator that has nothing left to yield."""
    return USED_UP.found(
        split,
        expected="an iterator that yields batches",
        received=f"{split}_images yields nothing: it was read to its end before, or never had anything",
        fix=f"Make {split}_images anew right before fit: a generator can be read once.",
    )


def _again(first: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from rest


def without_end(call: FitCall) -> Iterator[Finding]:
    """Yield datasets without an end that fit is given without a number of steps; a loop ends in the program itself."""
    for split, data, argument in (("train", call.x, "steps_per_epoch"), ("test", call.held_out, "validation_steps")):
        if call.verb in LOOPS or call.facts.get(argument) is not None or not is_kind(data, "DatasetV2"):
            continue
        if int(data.cardinality()) == INFINITE:
            name, rule = f"{split}_images", TRAINING_ENDLESS if split == "train" else VALIDATION_ENDLESS
            yield rule.found(
                split,
                expected=f"data with an end, or {argument}",
                received=f"{name} repeats without end, and fit has no {argument}",
                fix=f"model.fit(..., {argument}=examples // batch_size)  # or leave out repeat()",
            )


def _batched(required: Shape | None) -> Any:
    return lambda x: x.ndim >= 1 and (required is None or is_batch(x.shape, required))


def _drawn(split: str, collected: Collected, source: str, total: int | None) -> Drawn:
    images, labels = collected.arrays()
    whole = collected.ended
    if whole and images is not None:
        total = len(images)
    drawn = Drawn(images, labels, total, source, whole, inputs=collected.all_of(0), targets=collected.all_of(1),
                  batch_sizes=collected.sizes)  # fmt: skip
    drawn.findings += too_slow(split, collected, source)
    if collected.unbatched and collected.xs:
        drawn.findings.append(unbatched(split, f"{split}_images", collected.xs[0].shape[1:]))
    return drawn


def windows_of_whole(dataset: Any, kinds: Sequence[str], shape: Any) -> Any:
    """Return every k-th batch of a dataset that yields windows in the order of time, None of any other dataset.

    Args:
        dataset: Batched.
        kinds: Of its transformations.
        shape: Of a batch's first input, None where it is unknown.
    """
    if shape is None or len(shape) - 1 > MOST_AXES or any(each in ORDERED for each in kinds):
        return None
    count = int(dataset.cardinality())
    if not 2 * SPREAD < count <= MOST_PASSED:
        return None
    step = count // SPREAD
    return dataset.enumerate().filter(lambda index, _: index % step == 0).map(lambda _, batch: batch)
