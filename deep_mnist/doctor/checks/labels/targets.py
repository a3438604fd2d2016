"""Checks of targets that are no single class: numbers, several labels at once, a class at every position."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.evidence.chunks import extent, pieces, wrong_in
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import FaultKind, Finding

CHUNK = 1 << 20  # numbers looked at, from the start
SLACK = 1e-3  # of targets against an activation's ends; float16 and resizing go that far
BOUNDS = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf),
          "softplus": (0.0, math.inf), "hard_sigmoid": (0.0, 1.0), "relu6": (0.0, 6.0)}  # fmt: skip
FEW = 0.05  # share of targets beyond an activation's ends that may be mistakes of the data


def check_targets(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong between a split's targets, the output and the loss; nothing about an unknown task."""
    labels, contract = split.labels, case.contract
    if labels is None or case.task is Task.UNKNOWN:
        return
    shaped = list(_check_shape(contract, split, labels))
    yield from shaped
    if shaped:
        return
    if case.task is Task.EVERY_POSITION and contract.loss in SPARSE_LOSSES:
        yield from _check_classes(contract, split, labels)
    elif case.task is not Task.EVERY_POSITION:
        yield from _check_bounds(contract, split, labels)
        yield from _check_class_numbers(case, split, labels)


def _check_shape(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Targets of another shape than the output are refused, or broadcast over it."""
    due = contract.output_shape
    if due is None:
        return
    due = due[:-1] if contract.loss in SPARSE_LOSSES else due
    received = labels.shape[1:]
    if _agree(received, due) or _agree(received, (*due, 1)) or (due[-1:] == (1,) and _agree(received, due[:-1])):
        return
    name, size = f"{split.name}_labels", math.prod(each or 0 for each in due)
    sides = ", ".join("?" if each is None else str(each) for each in due)
    fix = f"Give the output the targets' shape {received}, or write {name} again as (n, {sides})."
    if len(received) + 1 < len(due) or (len(received) < len(due) and contract.loss not in SPARSE_LOSSES):
        fix = "Put Flatten(), pooling over all positions, or return_sequences=False before the last Dense layer."
    if size and size == math.prod(received):
        fix = f"{name} = {name}.reshape({', '.join(map(str, (-1, *due)))})"
    yield Finding(
        field="labels.width" if len(received) == len(due) == 1 else "labels.rank",
        severity="error",
        split=split.name,
        expected=f"targets of the output's shape, (n, {sides})",
        received=f"shape {labels.shape}",
        fix=fix,
        why="Keras refuses the shape, or broadcasts targets over units and positions: the loss means nothing.",
    )


def _agree(received: tuple[int, ...], due: tuple[int | None, ...]) -> bool:
    pairs = zip(received, due, strict=False)
    return len(received) == len(due) and all(length in (None, real) for real, length in pairs)


def _check_classes(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """A class at every position must have a unit."""
    units = contract.output_units
    low, high = extent(labels)
    if units is None or (low >= 0 and high < units):
        return
    name = f"{split.name}_labels"
    values = np.unique(labels[: max(1, CHUNK // max(1, math.prod(labels.shape[1:])))])
    fix = f"Dense({int(high) + 1}) or Conv2D({int(high) + 1}, 1) as the last layer: one unit per class"
    if len(values) <= units and high < 1 << 31:
        fix = f"{name} = np.searchsorted({values.tolist()}, {name})  # numbered from 0"
    yield Finding(
        field="labels.values",
        severity="error",
        split=split.name,
        expected=f"class numbers 0 to {units - 1} at every position, one for each of the {units} units",
        received=f"{len(values)} different values, {low:g} to {high:g}",
        fix=fix,
        why="A label outside the output's units gives an error on a CPU and NaN on a GPU.",
        where=wrong_in(labels, lambda piece: (piece < 0) | (piece >= units)).where,
        kind=FaultKind.VALUES,
    )


def _check_bounds(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Targets that the last activation cannot reach, or that the loss cannot take."""
    low, high = extent(labels)
    activation = contract.output_activation or "unknown"
    if contract.loss in BINARY_LOSSES and not (low >= -SLACK and high <= 1 + SLACK):
        yield _beyond_the_loss(contract, split, low, high)
        return
    bounds = BOUNDS.get(activation)
    if bounds is None or contract.loss in ("cosine_similarity", "hinge", "squared_hinge", "categorical_hinge"):
        return
    slack = SLACK * max(1.0, abs(low), abs(high)) if activation != "relu" else SLACK
    if low >= bounds[0] - slack and high <= bounds[1] + slack:
        return
    lower, upper = bounds[0] - slack, bounds[1] + slack
    outside = sum(int(np.count_nonzero((piece < lower) | (piece > upper))) for _, piece in pieces(labels))
    beyond = outside / labels.size
    ends = f"{bounds[0]:g}..{bounds[1]:g}" if math.isfinite(bounds[1]) else f"{bounds[0]:g} and above"
    yield Finding(
        field="model.output_activation",
        severity="error" if beyond > FEW else "warning",
        split="model",
        expected=f"an output that can reach the targets, {low:.4g}..{high:.4g}",
        received=f"{activation}, whose values are {ends}: {beyond:.0%} of the {split.name} targets lie beyond",
        fix=f"{last_layer(contract.output_units or 1)}  # any number can be predicted; or scale the targets",
        why="The network can never predict these targets: the loss stops falling far from zero.",
    )


def _beyond_the_loss(contract: Contract, split: Split, low: float, high: float) -> Finding:
    name = f"{split.name}_labels"
    fix = f"{last_layer(contract.output_units or 1)}; {compiled_with(contract, 'mean_squared_error')}"
    if low >= -1 - SLACK and high <= 1 + SLACK:
        fix = f"{name} = ({name} + 1) / 2"
    elif low >= 0 and high <= 255 and high > 1 and contract.output_units != 1:
        fix = f'{name} = {name}.astype("float32") / 255'
    return Finding(
        field="labels.values",
        severity="error",
        split=split.name,
        expected=f"targets 0..1 for {contract.loss}",
        received=f"{low:.4g}..{high:.4g}",
        fix=fix,
        why="The loss of a target outside 0..1 has no minimum: it falls below zero and the weights run away.",
        kind=FaultKind.VALUES,
    )


def _check_class_numbers(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Class numbers fitted as if they were amounts; only where "accuracy" says that classes are meant."""
    contract = case.contract
    accuracy = any("acc" in name for name in contract.metrics)
    if not accuracy or contract.output_units != 1 or split.name != "train" or contract.loss in BINARY_LOSSES:
        return
    values = np.unique(labels[:CHUNK])
    if not 3 <= len(values) <= 100 or not np.array_equal(values, np.arange(len(values)) + values[0]):
        return
    yield Finding(
        field="contract.loss",
        severity="warning",
        split="model",
        expected="sparse_categorical_crossentropy over one unit per class, as the metric accuracy suggests",
        received=f"{contract.loss} on one unit, for the whole numbers {values[0]:g} to {values[-1]:g}",
        fix=f"{last_layer(int(values[-1]) + 1, 'softmax')}; {compiled_with(contract, SPARSE_LOSSES[0])}",
        why="Class 2 is not twice class 1; accuracy counts a prediction as correct only when it is exactly equal.",
    )
