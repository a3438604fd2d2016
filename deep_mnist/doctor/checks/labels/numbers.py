"""Checks of labels that are numbers: one class per label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.checks.labels.label_finding import label_finding
from deep_mnist.doctor.evidence.chunks import are_whole, extent, holds, tally, wrong_in
from deep_mnist.doctor.finding import FaultKind, Finding

AMOUNTS_AMONG = 2000  # labels looked at
MOST_CLASSES_LIKELY = 20  # different fractions; more are no classes
BY_LUCK = 0.001  # chance that a random split puts every example of a rare class into the other part
CLASS_RATIO = 1 / 255  # what integer labels look like after the images' scaling


def check_numbers(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with one number per example, (n,), as a class of this network."""
    contract, name = case.contract, f"{split.name}_labels"
    if not are_whole(labels):
        yield _fractions(contract, split, labels)
        return
    valued = list(_check_values(case, split, labels))
    yield from valued
    if contract.loss in REGRESSION_LOSSES and (contract.output_units or 2) > 1:
        yield Finding(
            field="contract.loss",
            severity="error",
            split=split.name,
            expected="sparse_categorical_crossentropy for class numbers",
            received=f"{contract.loss} on labels of shape {split.labels.shape if split.labels is not None else ()}",
            fix=compiled_with(contract, SPARSE_LOSSES[0], from_logits=contract.output_activation == "linear"),
            why="One number is compared with every unit (broadcast, or refused): the loss means nothing.",
            kind=FaultKind.NUMBERS,
        )
    elif contract.label_encoding == "one_hot" and contract.output_units != 1:
        yield from _numbers_for_rows(contract, split, labels)
    elif contract.label_encoding == "sparse" and not valued:
        yield from _check_number_form(split, labels)
    if labels.dtype.kind == "b" and (contract.num_classes or 2) > 2:
        yield label_finding(
            split,
            "dtype",
            "error",
            f"class numbers 0 to {(contract.num_classes or 2) - 1}",
            "booleans",
            f"Write {name} again from the source: booleans hold two classes.",
            "All but two classes are lost.",
        )


def _numbers_for_rows(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    name, width = f"{split.name}_labels", contract.output_units or contract.num_classes or "classes"
    yield label_finding(
        split,
        "encoding",
        "error",
        f"one-hot rows (n, {width}) for {contract.loss}",
        f"class numbers of shape {split.labels.shape if split.labels is not None else labels.shape}",
        f'{name} = np.eye({width}, dtype="float32")[{name}.astype(int).reshape(-1)]',
        "Keras refuses the shape, or broadcasts one number over all units; or use the sparse_ loss.",
    )


def _are_amounts(labels: np.ndarray) -> bool:
    many = len(np.unique(labels[:AMOUNTS_AMONG])) > MOST_CLASSES_LIKELY
    low, high = extent(labels)
    return many and not 0 <= low <= high <= 1


def _amounts(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    """Numbers to be predicted as such, under a loss for classes."""
    low, high = extent(labels)
    return Finding(
        field="labels.values" if contract.loss in BINARY_LOSSES else "contract.loss",
        severity="error",
        split=split.name,
        expected="mean_squared_error (or another loss for amounts) over one unit without an activation",
        received=f"{contract.loss} for {len(np.unique(labels[:AMOUNTS_AMONG]))} different fractions, "
        f"{low:.4g} to {high:.4g}",
        fix=f"{last_layer(1)}; {compiled_with(contract, 'mean_squared_error')}",
        why="The loss takes each amount for a class or a probability: it falls below zero, becomes NaN, or stays.",
        kind=FaultKind.NUMBERS,
    )


def _fractions(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    name, (low, high) = f"{split.name}_labels", extent(labels)
    scaled = high <= 1 and holds(labels, _are_ratios)
    fix = f"{name} = np.rint({name} * 255).astype(int)" if scaled else f"Write {name} again as whole class numbers."
    if contract.loss is not None and not scaled and _are_amounts(labels):
        return _amounts(contract, split, labels)
    return label_finding(
        split,
        "values",
        "error",
        "whole class numbers",
        f"fractions from {low:.4g} to {high:.4g}" + (", as if divided by 255 with the images" if scaled else ""),
        fix,
        "The cast to integers makes every label 0: loss 0, accuracy chance.",
        wrong_in(labels, lambda piece: piece != np.rint(piece)).where,
    )


def _are_ratios(labels: np.ndarray) -> np.ndarray:
    restored = labels / CLASS_RATIO
    ratios: np.ndarray = np.abs(restored - np.rint(restored)) < 0.01
    return ratios


def _check_number_form(split: Split, labels: np.ndarray) -> Iterator[Finding]:
    name = f"{split.name}_labels"
    if labels.dtype.kind == "f":
        yield label_finding(
            split,
            "dtype",
            "note",
            "integer labels",
            f"{labels.dtype}, all whole numbers",
            f'{name} = {name}.astype("int64")',
            "Keras casts them silently; TensorFlow's own sparse losses refuse float labels.",
        )
    if split.labels is not None and split.labels.ndim == 2:
        yield label_finding(
            split,
            "rank",
            "note",
            "labels of shape (n,)",
            f"shape {split.labels.shape}",
            f"{name} = {name}.reshape(-1)",
            "Keras squeezes the axis away; other code broadcasts (n, 1) against (n,) to (n, n).",
        )


def _check_values(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    classes = case.contract.num_classes
    if classes is None:
        return
    least, greatest = extent(labels)
    if least >= 0 and greatest < classes:
        if least == greatest and classes > 1 and len(labels) >= 20 and not _is_one_by_nature(case, split, labels):
            yield _one_value(split, labels, classes)
        return
    yield label_finding(
        split,
        "values",
        "error",
        f"class numbers 0 to {classes - 1}",
        _values_text(labels),
        _renumbered(f"{split.name}_labels", labels, classes),
        "A label outside the output's units gives an error on a CPU and NaN on a GPU.",
        wrong_in(labels, lambda piece: (piece < 0) | (piece >= classes)).where,
        kind=FaultKind.VALUES,
    )


def _is_one_by_nature(case: Case, split: Split, labels: np.ndarray) -> bool:
    """Whether one class alone is no sign of lost labels: of a test split, or of a train split without a rare class."""
    others = [each.classes for each in case.splits.values() if each is not split and each.classes is not None]
    own = float(labels[0])
    different = [classes for classes in others if classes.tally.of(own) < len(classes)]
    if split.name != "train" or not different:
        return bool(different)
    size = len(different[0])
    rare = size - different[0].tally.of(own)
    return (size / (size + len(labels))) ** rare > BY_LUCK


def _one_value(split: Split, labels: np.ndarray, classes: int) -> Finding:
    return label_finding(
        split,
        "values",
        "error",
        f"labels of {classes} classes",
        f"the label {int(labels[0])} throughout ({len(labels)} times)",
        f"Write {split.name}_labels again from the source (was it divided, cast or overwritten?).",
        "The network learns to predict always the same: loss near 0, accuracy chance on real data.",
        kind=FaultKind.ONE_VALUE,
    )


def _values_text(labels: np.ndarray) -> str:
    found = tally(labels)
    distinct = found.values
    shown = ", ".join(f"{value:g}" for value in distinct[:6])
    ends = f" … {distinct[-1]:g}" if len(distinct) > 6 else ""
    return f"{'' if found.complete else 'over '}{len(distinct)} different values: {shown}{ends}"


def _renumbered(name: str, labels: np.ndarray, classes: int) -> str:
    low, high = extent(labels)
    if low == 1 and high == classes:
        return f"{name} = {name} - 1"
    if labels.dtype.kind in "iu" and labels.dtype.itemsize > 1:
        if holds(labels, lambda piece: (piece.byteswap() >= 0) & (piece.byteswap() < classes)):
            return f'{name} = {name}.byteswap()  # or read with dtype ">i{labels.dtype.itemsize}"'
    found = tally(labels)
    distinct = found.values.astype(np.int64)
    if len(distinct) == classes:
        return f"{name} = np.searchsorted({distinct.tolist()}, {name})" if classes <= 40 else f"Renumber {name} from 0."
    if len(distinct) < classes and low == -1:
        return f"Drop the examples whose label is -1 (unlabelled) from {name} and its images."
    return f"Read the label field at its real offset and type, and write {name} again; values must be 0..{classes - 1}."
