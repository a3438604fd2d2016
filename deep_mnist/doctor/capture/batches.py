"""What sequences and generators yield, batch after batch: repetitions, early ends, counts and sizes that change.

Of a sequence three batches are asked for once more; of an iterator what was drawn of it is looked at, nothing else is
taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.capture.draw import Drawn, as_array, is_kind, parts_of
from deep_mnist.doctor.capture.rules import (
    BATCHES_OVERLAP,
    COUNTS_DIFFER,
    ENDS_EARLY,
    GROUPS_OF_ARRAYS,
    INDEX_IGNORED,
    ONE_BATCH,
    RUNS_OUT,
    SHUFFLED_APART,
    SIZES_CHANGE,
    USED_UP,
)
from deep_mnist.doctor.capture.words.batch_lists import lists_in
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live import batch_fixes as fixes
from deep_mnist.doctor.checks.live.batch_fixes import yielded_apart
from deep_mnist.doctor.checks.live.shuffle_fixes import shuffled_apart
from deep_mnist.doctor.finding import Finding

FEWEST_BATCHES = 3  # the same, of a generator
FEWEST_ROWS = 4  # of a batch, for an overlap to mean anything
MORE = 2  # times a batch: what a generator must hold for one batch to be a part of it


class Batch(NamedTuple):
    """The first input and the first target of a batch, None where they are no arrays."""

    x: np.ndarray | None
    y: np.ndarray | None


def batches_found(split: str, data: Any, drawn: Drawn, case: Case) -> list[Finding]:
    """Return what is wrong with the batches of a Keras sequence or of an iterator; nothing of other data.

    Args:
        split: "train" or "test".
        data: What fit is given; an iterator's replay.
        drawn: The sample of it.
        case: For the source and the network's input.
    """
    if is_kind(data, "PyDataset", "Sequence") and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return list(_of_sequence(split, data, case))
    if drawn.source == "generator" and not drawn.elements and (fix := fixes.made_anew(case, split)):
        drawn.findings[:] = [replace(each, fix=fix) if each.rule is USED_UP else each for each in drawn.findings]
    if any(each.rule is GROUPS_OF_ARRAYS for each in drawn.findings):
        fix = yielded_apart(case, getattr(fixes.source_of(data), "gi_code", None))
        drawn.findings[:] = [replace(each, fix=fix or each.fix) for each in drawn.findings]
    elif drawn.source == "generator" and drawn.elements:
        return list(_of_iterator(split, data, drawn, case))
    return []


# --- sequences --------------------------------------------------------------------------------------


def _of_sequence(split: str, sequence: Any, case: Case) -> Iterator[Finding]:
    count = len(sequence)
    if count < 1:
        return
    element = _element_at(sequence, 0)
    first = _batch_in(element)
    second = _batch_at(sequence, 1) if count > 1 else None
    last = _batch_at(sequence, count - 1) if count > 2 else None
    code = fixes.code_of(type(sequence), "__getitem__")
    yield from lists_in(split, element, case, code, of_sequence=True)
    if first is not None and count > 2 and (last is None or not _examples(last)):
        yield _ends_early(split, sequence, first, case)
    elif first is not None and second is not None and last is not None:
        if _equal(first, second) and _equal(first, last) and not _is_constant(first):
            yield _index_ignored(split, sequence, first, case)
        elif _is_shifted(first, second):
            yield _overlap(split, sequence, first, case)
    yield from _of_each(split, [each for each in (first, second, last) if each is not None], case, code)
    yield from _shuffled_apart(split, sequence, case)


def _batch_at(sequence: Any, index: int) -> Batch | None:
    """Return one batch, None where the user's code raises: fit would stop there."""
    return _batch_in(_element_at(sequence, index))


def _element_at(sequence: Any, index: int) -> Any:
    try:
        return sequence[index]
    except Exception:  # whatever a user's __getitem__ raises
        return None


def _batch_in(element: Any) -> Batch | None:
    try:
        return None if element is None else _batch_of(element)
    except Exception:  # of what a user's __getitem__ returns
        return None


def _batch_of(element: Any) -> Batch:
    x, y = parts_of(element)
    return Batch(*(None if each is None else as_array(each) for each in (x, y)))


def _examples(batch: Batch) -> int:
    return len(batch.x) if batch.x is not None and batch.x.ndim else 1


def _equal(one: Batch, other: Batch) -> bool:
    if one.x is None or other.x is None:
        return False
    same_labels = (one.y is None) == (other.y is None) and (one.y is None or _same(one.y, other.y))
    return _same(one.x, other.x) and same_labels


def _same(one: np.ndarray, other: np.ndarray | None) -> bool:
    return other is not None and one.shape == other.shape and one.tobytes() == other.tobytes()


def _is_constant(batch: Batch) -> bool:
    return batch.x is None or not batch.x.size or bool((batch.x == batch.x.flat[0]).all())


def _is_shifted(one: Batch, other: Batch) -> bool:
    """Whether a batch is the one before without its first example, and one more at its end."""
    if one.x is None or other.x is None or one.x.shape != other.x.shape or len(one.x) < FEWEST_ROWS:
        return False
    return _same(one.x[1:], other.x[:-1]) and not _is_constant(one) and not _same(one.x[1:], one.x[:-1])


def _index_ignored(split: str, sequence: Any, batch: Batch, case: Case) -> Finding:
    return INDEX_IGNORED.found(
        split,
        expected=f"{type(sequence).__name__}[index] to return the batch of its index",
        received=f"one batch of {_examples(batch)} examples for every index of {len(sequence)}",
        fix=fixes.by_index(case, sequence, _examples(batch))
        or f"In {type(sequence).__name__}.__getitem__ take rows index * size to (index + 1) * size.",
    )


def _overlap(split: str, sequence: Any, batch: Batch, case: Case) -> Finding:
    size = _examples(batch)
    return BATCHES_OVERLAP.found(
        split,
        expected=f"batch 1 of {type(sequence).__name__} to begin {size} examples behind batch 0",
        received=f"it begins 1 behind: {size - 1} of its {size} examples are those of batch 0",
        fix=fixes.by_size(case, sequence, size)
        or f"In {type(sequence).__name__}.__getitem__ take rows index * {size} to (index + 1) * {size}.",
    )


def _ends_early(split: str, sequence: Any, batch: Batch, case: Case) -> Finding:
    count, at = len(sequence), _last_that_is_there(sequence)
    return ENDS_EARLY.found(
        split,
        expected=f"{count} batches of {type(sequence).__name__}, as its __len__ says",
        received=f"{at} batches of {_examples(batch)}: batch {count - 1} is empty or raises",
        fix=fixes.length(case, sequence, at) or f"return {at} from {type(sequence).__name__}.__len__",
    )


def _last_that_is_there(sequence: Any) -> int:
    """Return how many batches there are, by halving: the first that is empty or raises ends them."""
    low, high = 1, len(sequence) - 1
    while low < high:
        middle = (low + high) // 2
        batch = _batch_at(sequence, middle)
        low, high = (middle + 1, high) if batch is not None and _examples(batch) else (low, middle)
    return low


# --- iterators --------------------------------------------------------------------------------------


def _of_iterator(split: str, replay: Any, drawn: Drawn, case: Case) -> Iterator[Finding]:
    batches = [_batch_of(each) for each in drawn.elements]
    source = fixes.source_of(replay)
    code = getattr(source, "gi_code", None)
    yield from lists_in(split, drawn.elements[0], case, code, of_sequence=False)
    if len(batches) >= FEWEST_BATCHES and all(_equal(batches[0], each) for each in batches[1:8]):
        if _holds_more(source, batches[0]):
            yield ONE_BATCH.found(
                split,
                expected="another batch at each step",
                received=f"the same {_examples(batches[0])} examples in each of {len(batches)} batches looked at",
                fix=fixes.moving(case, code) or "Move on by one batch before each yield, within the endless loop.",
            )
    yield from _runs_out(split, drawn, batches, case)
    yield from _of_each(split, batches, case, code)


def _holds_more(source: Any, batch: Batch) -> bool:
    """Whether a generator holds an array of many more examples, of which the batch is a part."""
    frame = getattr(source, "gi_frame", None)
    if frame is None or batch.x is None:
        return False
    names = {name: value for name, value in frame.f_globals.items() if name in frame.f_code.co_names}
    held = [as_array(each) for each in [*frame.f_locals.values(), *names.values()] if hasattr(each, "shape")]
    size = _examples(batch)
    return any(each is not None and each.ndim and len(each) >= MORE * size for each in held)


def _runs_out(split: str, drawn: Drawn, batches: list[Batch], case: Case) -> Iterator[Finding]:
    """Yield a generator that was read to its end and is too short for the epochs to come."""
    if not drawn.whole or split != "train" or case.call is None:
        return
    epochs, steps = case.call.facts.get("epochs") or 1, case.call.facts.get("steps_per_epoch")
    needed = epochs * (steps or len(batches))
    if not isinstance(needed, int) or needed <= len(batches):
        return
    stated = f"{epochs} epochs" + (f" of {steps} steps" if steps else "")
    yield RUNS_OUT.found(
        split,
        expected=f"{needed} batches for {stated}",
        received=f"a generator that ends after {len(batches)}",
        fix=fixes.endless(case, batches[0].x, batches[0].y, repeats=bool(steps))
        or "Put `while True:` around the loop of the generator, and give fit steps_per_epoch.",
    )


# --- either -----------------------------------------------------------------------------------------


def _of_each(split: str, batches: list[Batch], case: Case, code: Any) -> Iterator[Finding]:
    """Yield batches with another number of labels than examples, and sizes that change."""
    for index, each in enumerate(batches):
        if each.x is not None and each.y is not None and each.x.ndim and each.y.ndim and len(each.x) != len(each.y):
            if case.contract.inputs or len(each.y.shape) == 0:
                continue
            yield COUNTS_DIFFER.found(
                split,
                expected="as many labels as examples in each batch",
                received=f"{len(each.x)} examples and {len(each.y)} labels in batch {index}",
                fix=fixes.same_slice(case, code) or "Take examples and labels of a batch by the same slice.",
            )
            break
    shapes = list(dict.fromkeys(each.x.shape[1:] for each in batches if each.x is not None and each.x.ndim > 1))
    required = case.contract.input_shape
    if len(shapes) > 1 and required is not None and any(_refused(required, one, two) for one, two in pairwise(shapes)):
        yield SIZES_CHANGE.found(
            split,
            expected=f"examples of one size, {required}",
            received=f"{' and '.join(map(str, shapes[:3]))} in different batches",
            fix=fixes.resized(case, code, required) or f"Resize or pad every example to {required} before the batch.",
        )


def _refused(required: tuple[int | None, ...], one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    if len(one) != len(two) or len(one) != len(required):
        return len(one) == len(required) or len(two) == len(required)
    return any(side is not None and ours != theirs for side, ours, theirs in zip(required, one, two, strict=True))


def _shuffled_apart(split: str, sequence: Any, case: Case) -> Iterator[Finding]:
    found = shuffled_apart(case, type(sequence))
    if found is None:
        return
    how, where, fix = found
    yield SHUFFLED_APART.found(
        split,
        expected="one order for examples and labels",
        received=f"{how} at {where}",
        fix=fix,
    )
