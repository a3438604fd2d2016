"""What is drawn of a pipeline's elements, and what drawing itself shows: no batches, or too slow for a whole sample."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.draw import (
    LAST_RESORT_SECONDS,
    SAMPLE,
    SAMPLE_BYTES,
    SAMPLE_ELEMENTS,
    array_of,
    items_of,
    parts_of,
)
from deep_mnist.doctor.capture.rules import DRAWN_TOO_SLOWLY, NOT_BATCHED
from deep_mnist.doctor.finding import Finding

Shape = tuple[int | None, ...]


def collect(
    elements: Iterable[Any],
    batched: Callable[[np.ndarray], bool],
    limit: int = SAMPLE,
    seconds: float = LAST_RESORT_SECONDS,
) -> Collected:
    """Take elements until the sample is full or there are no more; how long each takes decides nothing.

    Args:
        elements: (x, y) batches, or single examples.
        batched: Tells of an element's x whether it is a batch.
        limit: Most examples.
        seconds: The last resort.
    """
    taken, started = Collected(), time.monotonic()
    for element in _read(elements):
        x, y = (array_of(part) for part in parts_of(element))
        taken.add(element, x, y, x is not None and batched(x))
        full = taken.examples >= limit or taken.bytes >= SAMPLE_BYTES or len(taken.elements) >= SAMPLE_ELEMENTS
        taken.out_of_time = time.monotonic() - started > seconds
        if x is None or full or taken.out_of_time:
            taken.ended = False
            break
    return taken


def _read(elements: Iterable[Any]) -> Iterator[Any]:
    """Yield the elements; what is raised here is raised in training too."""
    for each in elements:  # noqa: UP028 - `yield from` closes a generator that is read in part
        yield each


@dataclass
class Collected:
    """Elements of a pipeline and what they hold.

    Attributes:
        elements: As taken, to be given to fit again.
        batch_sizes: Of each element, 0 for a single example.
        ended: The pipeline had no more.
        out_of_time: It was too slow for a sample of the usual size.
    """

    elements: list[Any] = field(default_factory=list)
    xs: list[np.ndarray] = field(default_factory=list)
    ys: list[np.ndarray] = field(default_factory=list)
    batch_sizes: list[int] = field(default_factory=list)
    examples: int = 0
    bytes: int = 0
    ended: bool = True
    out_of_time: bool = False

    def add(self, element: Any, x: np.ndarray | None, y: np.ndarray | None, batched: bool) -> None:
        self.elements.append(element)
        if x is None:
            return
        size = len(x) if batched else 0
        self.batch_sizes.append(size)
        self.examples += size or 1
        self.bytes += x.nbytes
        self.xs.append(x if batched else x[np.newaxis])
        if y is not None:
            self.ys.append(y if batched and y.ndim else y[np.newaxis])

    @property
    def sizes(self) -> list[int]:
        """How many examples each element of `arrays()` holds."""
        return [self.batch_sizes[place] or 1 for place in self.alike]

    @property
    def unbatched(self) -> bool:
        return bool(self.batch_sizes) and not any(self.batch_sizes)

    def all_of(self, index: int) -> dict[str, np.ndarray]:
        """Return all arrays of the elements' x (0) or y (1) where these hold more than one, {} else."""
        parts: dict[str, list[np.ndarray]] = {}
        alike = self.alike
        for place in alike:
            element, size = self.elements[place], self.batch_sizes[place]
            if not isinstance(element, tuple | list) or len(element) <= index:
                return {}
            for name, each in items_of(element[index]).items():
                parts.setdefault(name, []).append(each if size else each[np.newaxis])
        joined = {name: _joined(each) for name, each in parts.items() if len(each) == len(alike)}
        return {name: each for name, each in joined.items() if each is not None}

    def arrays(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return the images and the labels of the elements that are alike, as one array each.

        Where some were left out, the sample is no longer all there is.
        """
        alike = self.alike
        self.ended &= len(alike) == len(self.xs)
        ys = [self.ys[place] for place in alike] if len(self.ys) == len(self.xs) else self.ys
        return _joined([self.xs[place] for place in alike]), _joined(ys)

    @cached_property
    def alike(self) -> list[int]:
        """Which elements have the shapes that most examples have: batches are padded each to its own length."""
        both = len(self.ys) == len(self.xs)
        shapes = [(x.shape[1:], self.ys[place].shape[1:] if both else ()) for place, x in enumerate(self.xs)]
        examples: Counter[Any] = Counter()
        for shape, x in zip(shapes, self.xs, strict=True):
            examples[shape] += len(x)
        most = max(examples, key=examples.__getitem__, default=None)
        return [place for place, shape in enumerate(shapes) if shape == most]


def is_batch(shape: Shape, required: Shape) -> bool:
    """Whether what a pipeline yields is a batch of examples.

    A network of a last axis of 1, such as (1,) and (28, 28, 1), takes examples without it too: Keras adds it.

    Args:
        shape: Of what it yields, None for a length that is open, as a batch's is.
        required: One example's shape as the network takes it, None for any length.
    """
    if len(shape) != len(required) or required[-1:] != (1,):
        return len(shape) > len(required)
    return any(due is not None and due != length for length, due in zip(shape, required, strict=True))


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray | None:
    if not parts or len({part.shape[1:] for part in parts}) != 1:
        return None
    joined: np.ndarray = np.concatenate(parts)
    return joined


def too_slow(split: str, taken: Collected, source: str) -> list[Finding]:
    """Return the note that a sample is smaller than usual for want of time, [] where it is not."""
    if not taken.out_of_time:
        return []
    found = DRAWN_TOO_SLOWLY.found(
        split,
        expected=f"a {source} that yields a sample within {LAST_RESORT_SECONDS:.0f} s",
        received=f"{taken.examples} examples in that time",
        fix="Save some hundred prepared examples and give the doctor these: doctor.check(model, x, y).",
    )
    return [found]


def unbatched(split: str, name: str, shape: tuple[int, ...]) -> Finding:
    """Return the finding on a pipeline that yields one example at a time."""
    return NOT_BATCHED.found(
        split,
        expected=f"batches: shape (batch, {', '.join(map(str, shape))})",
        received=f"one example at a time, shape {shape}: {name} is not batched",
        fix=f"{name} = {name}.batch(32)",
    )
