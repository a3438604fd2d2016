"""Checks of one split's labels against the loss, the output and the images' number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import REGRESSION_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.label_finding import label_finding
from deep_mnist.doctor.checks.labels.numbers import check_numbers
from deep_mnist.doctor.checks.labels.one_hot import check_rank, check_rows
from deep_mnist.doctor.checks.labels.targets import check_targets
from deep_mnist.doctor.evidence.chunks import REAL_KINDS, are_finite, wrong_in
from deep_mnist.doctor.finding import FaultKind, Finding


def check_labels(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong with a split's labels by themselves and against the contract."""
    labels, contract = split.labels, case.contract
    if labels is None:
        return
    if labels.dtype.kind not in REAL_KINDS:
        yield _wrong_kind(split, labels)
        return
    yield from _check_count(split)
    if not labels.size:
        return
    if not are_finite(labels):
        yield _not_finite(split, labels)
        return
    numbers = case.contract.loss in REGRESSION_LOSSES and case.contract.output_units == 1
    if numbers or not case.task.has_classes:
        yield from check_targets(case, split)
        return
    rank = labels.ndim
    if rank == 1 or (rank == 2 and labels.shape[1] == 1):
        yield from check_numbers(case, split, labels.reshape(-1))
    elif rank == 2:
        yield from check_rows(contract, split, labels)
    else:
        yield from check_rank(contract, split, labels)


def _wrong_kind(split: Split, labels: np.ndarray) -> Finding:
    name = f"{split.name}_labels"
    numeric = labels.dtype.kind in "US" and _are_digits(labels)
    fix = (
        f"{name} = {name}.astype(int)"
        if numeric
        else f"{name} = np.unique({name}, return_inverse=True)[1]  # the same order in every split"
    )
    return label_finding(
        split,
        "dtype",
        "error",
        "class numbers, 0 to classes - 1",
        f"dtype {labels.dtype} such as {str(labels.reshape(-1)[:1].tolist())[:60]}",
        fix,
        "A loss cannot compare text with scores: training stops at the first batch.",
    )


def _are_digits(labels: np.ndarray) -> bool:
    try:
        return bool(np.all(np.char.isdigit(np.char.strip(labels.reshape(-1)[:1000]))))
    except (TypeError, UnicodeError, ValueError):
        return False


def _check_count(split: Split) -> Iterator[Finding]:
    labels, images = split.labels, split.images
    if labels is None or images is None or not labels.ndim or not images.ndim or len(labels) == len(images):
        return
    if len(images) == 0 or _batched_alike(images, labels) or labels.shape[0] in images.shape[-1:]:
        return
    shorter = min(len(labels), len(images))
    yield label_finding(
        split,
        "count",
        "error",
        f"{len(images)} labels, one for each image",
        f"{len(labels)}",
        f"Write images and labels again from one source, with one mask and one order "
        f"(the first {shorter} need not belong together).",
        "Keras stops: data cardinality is ambiguous.",
        kind=FaultKind.COUNT,
    )


def _batched_alike(images: np.ndarray, labels: np.ndarray) -> bool:
    return images.ndim > 4 and labels.ndim >= 2 and images.shape[:2] == labels.shape[:2]


def _not_finite(split: Split, labels: np.ndarray) -> Finding:
    wrong = wrong_in(labels, lambda piece: ~np.isfinite(piece))
    name, images = f"{split.name}_labels", f"{split.name}_images"
    return label_finding(
        split,
        "finite",
        "error",
        "a class for every image",
        f"{wrong.count} labels NaN or infinite",
        f"keep = np.isfinite({name}.reshape(len({name}), -1)).all(1); {images}, {name} = {images}[keep], {name}[keep]",
        "The loss becomes NaN at the first such batch, and all weights with it.",
        wrong.where,
    )
