"""Checks of feature columns: what holds for a table, where nothing is an image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.kind_of_input import InputKind
from deep_mnist.doctor.survey import sample_indices, take

SAMPLE = 2000  # examples looked at
LARGE = 100.0  # root mean square of a column
RATIO = 1000.0  # of the columns' root mean squares; the Pima diabetes columns, trainable as they are, have 300


def check_columns(case: Case, split: Split) -> Iterator[Finding]:
    """Yield columns of wildly different scale, and (as a note) columns that never change; of the train split only."""
    images = split.images
    if case.input_kind is not InputKind.COLUMNS or split.name != "train" or split.survey is None or images is None:
        return
    values = take(images, sample_indices(len(images), SAMPLE)).reshape(min(len(images), SAMPLE), -1).astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < 2:
        return
    yield from _check_scales(case, values)
    yield from _check_constant(values)


def _check_scales(case: Case, values: np.ndarray) -> Iterator[Finding]:
    contract = case.contract
    if contract.normalizes_input or contract.scales_inside or not contract.scaling_is_known:
        return
    sizes = np.sqrt(np.square(values).mean(axis=0))
    used = np.flatnonzero(sizes > 0)
    if len(used) < 2:
        return
    largest, least = used[sizes[used].argmax()], used[sizes[used].argmin()]
    if sizes[largest] < LARGE or sizes[largest] < RATIO * sizes[least]:
        return
    names = [f"{name}_images" for name, each in case.splits.items() if each.images is not None]
    scaled = ", ".join(f"({name} - mean) / deviation" for name in names)
    yield Finding(
        field="images.range",
        severity="warning",
        split="train",
        expected="columns of comparable scale, or a Normalization layer",
        received=f"column {largest} of size {sizes[largest]:.3g} (root mean square) beside column {least} of "
        f"{sizes[least]:.3g}",
        fix="mean, deviation = train_images.mean(axis=0), train_images.std(axis=0) + 1e-7; "
        f"{', '.join(names)} = {scaled}",
        why="The large columns drown the small ones and drive the first layer to extremes: the loss jumps or sticks.",
        where=(int(largest), int(least)),
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
