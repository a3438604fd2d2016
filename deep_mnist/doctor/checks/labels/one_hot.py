"""Checks of labels that are rows: one score per class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES
from deep_mnist.doctor.case import Split
from deep_mnist.doctor.checks.labels.label_finding import label_finding
from deep_mnist.doctor.evidence.chunks import Wrong, pieces, wrong_in
from deep_mnist.doctor.finding import FaultKind, Finding

ROW_SUM_TOLERANCE = 0.02  # of a row of probabilities, stored as float16 or rounded to two digits


def check_rows(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with rows (n, classes) as scores for each class."""
    name, width = f"{split.name}_labels", labels.shape[1]
    images = split.images
    if images is not None and images.ndim > 4 and images.shape[:2] == labels.shape:
        return  # grouped in batches: reported once, of the images' rank
    improper = wrong_in(labels, lambda piece: ~_are_proper(piece))
    if contract.label_encoding == "sparse":
        one_hot = "rows" if improper.count else "one-hot rows"
        yield label_finding(
            split,
            "encoding",
            "error",
            f"class numbers (n,) for {contract.loss}",
            f"{one_hot} of shape {labels.shape}",
            f"{name} = {name}.argmax(axis=1)" if width > 1 else f"{name} = {name}.reshape(-1)",
            "Keras refuses the rank, or takes each 0 and 1 for a class; or use the loss without sparse_.",
        )
        return
    expected = contract.output_units or contract.num_classes
    if expected and width != expected:
        yield _width(split, labels, expected)
    elif (
        contract.label_encoding == "one_hot"
        and contract.loss not in (*BINARY_LOSSES, *REGRESSION_LOSSES)
        and improper.count
    ):
        yield from _improper_rows(split, labels, improper)


def _are_proper(rows: np.ndarray) -> np.ndarray:
    sums = rows.sum(axis=1, dtype=np.float64)
    proper: np.ndarray = (np.abs(sums - 1) < ROW_SUM_TOLERANCE) & (rows.min(axis=1) >= -ROW_SUM_TOLERANCE)
    return proper


def _width(split: Split, labels: np.ndarray, expected: int) -> Finding:
    name, width = f"{split.name}_labels", labels.shape[1]
    used = np.flatnonzero(np.any([piece.any(axis=0) for _, piece in pieces(labels)], axis=0))
    if width == expected + 1 and len(used) and used[0] == 1:
        fix, note = f"{name} = {name}[:, 1:]", ", the first never used: the classes were numbered from 1"
    elif width > expected and len(used) and used[-1] < expected:
        fix, note = f"{name} = {name}[:, :{expected}]", f", of which only the first {used[-1] + 1} are used"
    elif width < expected:
        fix, note = f"{name} = np.pad({name}, ((0, 0), (0, {expected - width})))", ""
    else:
        fix, note = f'Dense({width}, activation="softmax")  # one unit per class', ""
    return label_finding(
        split,
        "width",
        "error",
        f"one-hot rows of {expected} columns, one for each unit",
        f"{width} columns{note}",
        fix,
        "Keras refuses to compare rows of unequal width.",
    )


def _improper_rows(split: Split, labels: np.ndarray, wrong: Wrong) -> Iterator[Finding]:
    name = f"{split.name}_labels"
    received = f"{wrong.count} rows that sum to {float(labels[wrong.where[0]].sum()):.4g} or hold negative numbers"
    yield label_finding(
        split,
        "encoding",
        "error",
        "rows that are probabilities, summing to 1",
        received,
        f'{name} = np.eye({labels.shape[1]}, dtype="float32")[{name}.argmax(axis=1)]',
        "Cross-entropy compares distributions: all-zero rows teach nothing, and others weigh too much.",
        wrong.where,
        kind=FaultKind.ROWS,
    )


def _is_one_hot_twice(labels: np.ndarray) -> bool:
    """Whether rows of 0 and 1 were encoded as if they were class numbers: only the first two columns are used."""
    return bool((labels.sum(axis=2) == 1).all()) and not labels[:, :, 2:].any()


def check_rank(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with labels of no rank or of more than two axes."""
    name, images = f"{split.name}_labels", split.images
    if images is not None and images.ndim > 4 and images.shape[:2] == labels.shape[:2]:
        return  # grouped in batches: reported once, of the images' rank
    if labels.ndim == 3 and labels.shape[2] > 1 and _is_one_hot_twice(labels[:64]):
        again = f"{name} = {name}[..., 1]" + (".argmax(axis=1)" if contract.label_encoding == "sparse" else "")
        yield label_finding(
            split,
            "encoding",
            "error",
            f"one-hot rows (n, {labels.shape[1]})",
            f"shape {labels.shape}: one-hot encoded twice",
            again,
            "Keras refuses the rank; old versions took each row for an example.",
        )
        return
    squeezed = tuple(length for length in labels.shape[1:] if length != 1)
    if len(squeezed) > 1 and contract.output_rank is None:
        return  # the output may have as many positions
    fix = (
        f"{name} = {name}.reshape({(len(labels), *squeezed)})"
        if len(squeezed) < 2
        else f"Write {name} again: these look like images or another array."
    )
    yield label_finding(
        split,
        "rank",
        "error",
        "labels of shape (n,) or (n, classes)",
        f"shape {labels.shape}",
        fix,
        "Keras refuses the rank, or broadcasts labels against every unit.",
    )
