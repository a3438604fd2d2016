"""Checks of feature columns and tokens: what holds for a table or a text, where nothing is an image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.chunks import extent, wrong_in
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding, first_of

SAMPLE = 2000  # examples looked at
LARGE = 100.0  # root mean square of a column
SGD_STEP = 20.0  # of rate * sum of the columns' mean squares; a linear network diverges above 2
FEWEST_COLUMNS = 3  # of which more than half must lie apart in the two splits
RATIO = 1000.0  # of the columns' root mean squares; the Pima diabetes columns, trainable as they are, have 300


def check_columns(case: Case, split: Split) -> Iterator[Finding]:
    """Yield columns of wildly different or too large scale, or of another one in test; tokens beyond the vocabulary.

    As a note, columns that never change. What is measured of the columns is measured on train alone.
    """
    images = split.images
    yield from _check_tokens(case, split)
    if split.name != "train":
        yield from _check_apart(case, split)
    if case.input_kind is not InputKind.COLUMNS or split.name != "train" or split.survey is None or images is None:
        return
    values = take(images, sample_indices(len(images), SAMPLE)).reshape(min(len(images), SAMPLE), -1).astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < 2:
        return
    yield from list(_check_scales(case, values)) or _check_steps(case, values)
    yield from _check_constant(values)


def _takes_columns_as_they_are(case: Case) -> bool:
    contract = case.contract
    return not contract.normalizes_input and not contract.scales_inside and contract.scaling_is_known


def _check_scales(case: Case, values: np.ndarray) -> Iterator[Finding]:
    if not _takes_columns_as_they_are(case):
        return
    sizes = np.sqrt(np.square(values).mean(axis=0))
    used = np.flatnonzero(sizes > 0)
    if len(used) < 2:
        return
    largest, least = used[sizes[used].argmax()], used[sizes[used].argmin()]
    if sizes[largest] < LARGE or sizes[largest] < RATIO * sizes[least]:
        return
    yield Finding(
        field="images.range",
        severity="warning",
        split="train",
        expected="columns of comparable scale, or a Normalization layer",
        received=f"column {largest} of size {sizes[largest]:.3g} (root mean square) beside column {least} of "
        f"{sizes[least]:.3g}",
        fix=_standardized(case),
        why="The large columns drown the small ones and drive the first layer to extremes: the loss jumps or sticks.",
        where=(int(largest), int(least)),
    )


def _standardized(case: Case) -> str:
    names = [f"{name}_images" for name, each in case.splits.items() if each.images is not None]
    scaled = ", ".join(f"({name} - mean) / deviation" for name in names)
    return (
        f"mean, deviation = train_images.mean(axis=0), train_images.std(axis=0) + 1e-7; {', '.join(names)} = {scaled}"
    )


def _check_steps(case: Case, values: np.ndarray) -> Iterator[Finding]:
    """Plain gradient descent on a squared or absolute error: its step grows with the square of the inputs."""
    contract = case.contract
    rate, clipped = contract.optimizer.get("learning_rate"), contract.optimizer.get("clipped")
    if contract.optimizer.get("name") != "sgd" or not isinstance(rate, float | int) or clipped:
        return
    numbers = case.task is Task.NUMBERS and contract.loss == "mean_squared_error"
    step = rate * float(np.square(values).mean(axis=0).sum())
    if not numbers or not _takes_columns_as_they_are(case) or step <= SGD_STEP:
        return
    largest = int(np.square(values).mean(axis=0).argmax())
    yield Finding(
        field="images.range",
        severity="warning",
        split="train",
        expected="columns of about -3..3 for plain gradient descent on a squared error, or a Normalization layer",
        received=f"sgd at {rate:g} on columns up to {np.abs(values).max():.4g} (column {largest}): rate times the sum "
        f"of their mean squares is {step:.3g}, and beyond 2 even a linear network diverges",
        fix=_standardized(case),
        why="Each step overshoots by more than the last: the loss becomes infinite, then NaN, in a few batches.",
        where=(largest,),
    )


def _check_apart(case: Case, split: Split) -> Iterator[Finding]:
    """Columns of a split that lie wholly outside train's, as when only one of the two was standardized."""
    train, images = case.train.images, split.images
    if case.input_kind is not InputKind.COLUMNS or train is None or images is None:
        return
    if train.ndim != 2 or images.shape[1:] != train.shape[1:] or min(len(train), len(images)) < 2:
        return
    ours, theirs = (take(each, sample_indices(len(each), SAMPLE)).astype(np.float64) for each in (train, images))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return
    low, high = ours.min(axis=0), ours.max(axis=0)
    width, middle = high - low, np.median(theirs, axis=0)
    apart = (middle < low - width) | (middle > high + width)
    apart |= np.ptp(theirs, axis=0) * LARGE < width
    used = width > 0
    if used.sum() < FEWEST_COLUMNS or (apart & used).sum() <= used.sum() / 2:
        return
    first = int(np.flatnonzero(apart & used)[0])
    yield Finding(
        field="images.range",
        severity="warning",
        split=split.name,
        expected="columns on train's scale",
        received=f"{int((apart & used).sum())} of {int(used.sum())} columns on another: column {first} has the median "
        f"{middle[first]:.4g}, train's lie in {low[first]:.4g}..{high[first]:.4g}",
        fix=f"Scale {split.name}_images as train_images, with train's mean and deviation, before fit.",
        why="The network is judged on inputs that it has never seen the like of: its scores there mean nothing.",
        where=first_of(apart & used),
        kind=FaultKind.RANGE,
    )


def _check_tokens(case: Case, split: Split) -> Iterator[Finding]:
    """Tokens must be among the rows of the Embedding that they meet first."""
    images, rows = split.images, case.contract.vocabulary
    if rows is None or images is None or not images.size or images.dtype.kind not in "fiub":
        return
    low, high = extent(images)
    if not np.isfinite([low, high]).all() or (low >= 0 and high < rows):
        return
    yield Finding(
        field="images.range",
        severity="error",
        split=split.name,
        expected=f"tokens 0 to {rows - 1}: the Embedding has input_dim={rows}",
        received=f"{low:g}..{high:g}",
        fix=f"Embedding({int(high) + 1}, ...)  # input_dim: the greatest token + 1"
        if low >= 0
        else f"{split.name}_images = {split.name}_images + {-int(low)}  # and input_dim={int(high - low) + 1}",
        why="A CPU stops at the first such token; a GPU reads a row of zeros for it and says nothing.",
        where=wrong_in(images, lambda piece: (piece < 0) | (piece >= rows)).where,
        kind=FaultKind.RANGE,
    )


def _check_constant(values: np.ndarray) -> Iterator[Finding]:
    constant = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if len(constant):
        yield Finding(
            field="images.distribution",
            severity="note",
            split="train",
            expected="columns that differ between examples",
            received=f"{len(constant)} of {values.shape[1]} columns hold one value in every example looked at",
            fix=f"Leave out the columns {constant[:MAX_WHERE].tolist()}.",
            why="A constant column tells nothing; scaling by its deviation divides by zero.",
            where=tuple(int(each) for each in constant[:MAX_WHERE]),
        )
