"""Checks of targets that are no single class: numbers, several labels at once, a class at every position."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, MARGIN_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.checks.labels.amounts import classes_as_amounts_found
from deep_mnist.doctor.evidence.chunks import are_whole, chunks, extent, holds, wrong_in
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope

LOOKED_AT = 2000  # examples, for their different values
CHUNK = 1 << 20  # numbers looked at, from the start
SLACK = 1e-3  # of targets against an activation's ends; float16 and resizing go that far
BOUNDS = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf),
          "softplus": (0.0, math.inf), "hard_sigmoid": (0.0, 1.0), "relu6": (0.0, 6.0)}  # fmt: skip
SUM_SLACK = 0.02  # of a row of shares, stored as float16 or rounded to two digits
FEW = 0.05  # share of targets beyond an activation's ends that may be mistakes of the data
NO_CLASS = (255, -1)  # by convention, of outlines, what nobody has labelled, and padding
MASKS_255 = Follows(rules=("L170",), on=On.ANY_SPLIT)
TOO_FEW_UNITS = Follows(rules=("M110",), on=On.MODEL)

BEYOND_UNITS = Rule(
    code="L102",
    name="position-labels-beyond-the-units",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    follows=(TOO_FEW_UNITS,),
    summary="A class at some position of a target has no unit of its own in the output.",
    why="A label outside the output's units gives an error on a CPU and NaN on a GPU.",
)
BEYOND_LOSS = Rule(
    code="L103",
    name="targets-beyond-the-loss",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    follows=(TOO_FEW_UNITS, MASKS_255),
    summary="Targets lie outside 0..1, and the loss takes them for probabilities.",
    why="The loss of a target outside 0..1 has no minimum: it falls below zero and the weights run away.",
)
BEYOND_ACTIVATION = Rule(
    code="L114",
    name="targets-beyond-the-activation",
    field="model.output_activation",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    follows=(MASKS_255, Follows(rules=("M120",), on=On.MODEL)),
    summary="The last activation cannot reach the targets.",
    why="The network can never predict these targets: the loss stops falling far from zero.",
)
OTHER_RANK = Rule(
    code="L143",
    name="targets-of-another-rank",
    field="labels.rank",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Targets have another shape than the output.",
    why="Keras refuses the shape, or broadcasts targets over units and positions: the loss means nothing.",
)
OTHER_WIDTH = Rule(
    code="L144",
    name="targets-of-another-width",
    field="labels.width",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Targets hold more numbers than the output has units, or fewer.",
    why="Keras refuses the shape, or broadcasts targets over units and positions: the loss means nothing.",
)
ONE_FOR_ALL_STEPS = "Put Flatten(), pooling over all positions, or return_sequences=False before the last Dense layer."
TARGET_RULES = (BEYOND_UNITS, BEYOND_LOSS, BEYOND_ACTIVATION, OTHER_RANK, OTHER_WIDTH)


def targets_found(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong between a split's targets, the output and the loss; nothing about an unknown task."""
    labels, contract = split.labels, case.contract
    if labels is None or case.task is Task.UNKNOWN:
        return
    shaped = list(_shape_found(contract, split, labels))
    yield from shaped
    if shaped:
        return
    if case.task is Task.EVERY_POSITION and contract.loss in SPARSE_LOSSES:
        yield from _positions_found(contract, split, labels)
    elif case.task is not Task.EVERY_POSITION:
        of_train = _lines_for_train(case, split)
        yield from (each for each in _bounds_found(contract, split, labels) if each.fix not in of_train)
        yield from classes_as_amounts_found(contract, split, labels)


def _lines_for_train(case: Case, split: Split) -> set[str]:
    """Return the fixes for train's targets, of which nothing is said again for another split: it is one network."""
    labels = case.train.labels
    if split.name == "train" or labels is None:
        return set()
    return {each.fix for each in _bounds_found(case.contract, case.train, labels) if each.rule is BEYOND_ACTIVATION}


def _shape_found(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Targets of another shape than the output are refused, or broadcast over it."""
    due = contract.output_shape
    if due is None:
        return
    due = due[:-1] if contract.loss in SPARSE_LOSSES else due
    received = labels.shape[1:]
    if _agree(received, due) or _agree(received, (*due, 1)) or (due[-1:] == (1,) and _agree(received, due[:-1])):
        return
    sides = ", ".join("?" if each is None else str(each) for each in due)
    yield (OTHER_WIDTH if len(received) == len(due) == 1 else OTHER_RANK).found(
        split.name,
        expected=f"targets of the output's shape, (n, {sides})",
        received=f"shape {labels.shape}",
        fix=compiled_with(contract, f"sparse_{contract.loss}", from_logits=bool(contract.from_logits))
        if _are_classes_of_positions(contract, labels, due)
        else _reshaped(contract, f"{split.name}_labels", received, due),
    )


def _are_classes_of_positions(contract: Contract, labels: np.ndarray, due: tuple[int | None, ...]) -> bool:
    """Whether targets are the number of a class at every position, where the loss compares rows of all classes."""
    units = contract.output_units
    if contract.loss != "categorical_crossentropy" or units is None or len(due) < 2:
        return False
    if not _agree(labels.shape[1:], due[:-1]) and not _agree(labels.shape[1:], (*due[:-1], 1)):
        return False
    low, high = extent(labels)
    rows_of_all = labels.ndim == 2 and labels.shape[1] == units and high <= 1  # may well be one row for each example
    return low >= 0 and high < units and not rows_of_all and are_whole(labels)


def _reshaped(contract: Contract, name: str, received: tuple[int, ...], due: tuple[int | None, ...]) -> str:
    """Return the fix of targets `name` of another shape (without the batch axis) than is due."""
    size = math.prod(each or 0 for each in due)
    if received in ((), (1,)) and len(due) == 1 and contract.loss in REGRESSION_LOSSES:
        return f"{last_layer(1)}  # one number for each example"
    if size and size == math.prod(received):
        return f"{name} = {name}.reshape({', '.join(map(str, (-1, *due)))})"
    if len(received) + 1 < len(due) or (len(received) < len(due) and contract.loss not in SPARSE_LOSSES):
        more = "" if received in ((), due[-1:]) else f" That layer then needs {math.prod(received)} units."
        return ONE_FOR_ALL_STEPS + more
    if len(received) == len(due) == 1:
        activation = contract.output_activation
        return last_layer(received[0], activation if activation in BOUNDS else None)
    sides = ", ".join("?" if each is None else str(each) for each in due)
    return f"Give the output the targets' shape {received}, or write {name} again as (n, {sides})."


def _agree(received: tuple[int, ...], due: tuple[int | None, ...]) -> bool:
    pairs = zip(received, due, strict=False)
    return len(received) == len(due) and all(length in (None, real) for real, length in pairs)


def _positions_found(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """A class at every position must have a unit."""
    units = contract.output_units
    low, high = extent(labels)
    if units is None or (low >= 0 and high < units):
        return

    def beyond(chunk: np.ndarray) -> np.ndarray:
        wrong: np.ndarray = ((chunk < 0) | (chunk >= units)) & (chunk != contract.ignored_class)
        return wrong

    if contract.ignored_class is not None and holds(labels, lambda chunk: ~beyond(chunk)):
        return
    name = f"{split.name}_labels"
    values = np.unique(labels[: max(1, CHUNK // max(1, math.prod(labels.shape[1:])))])
    fix = f"Dense({int(high) + 1}) or Conv2D({int(high) + 1}, 1) as the last layer: one unit per class"
    if len(values) <= units and high < 1 << 31:
        fix = f"{name} = np.searchsorted({values.tolist()}, {name})  # numbered from 0"
    outside = values[(values < 0) | (values >= units)]
    if len(values) > 2 and len(outside) == 1 and outside[0] in NO_CLASS:
        logits = "from_logits=True, " if contract.from_logits else ""
        loss = f"keras.losses.SparseCategoricalCrossentropy({logits}ignore_class={int(outside[0])})"
        fix = f"Compile with loss={loss}, where {int(outside[0])} marks what is no class."
    yield BEYOND_UNITS.found(
        split.name,
        expected=f"class numbers 0 to {units - 1} at every position, one for each of the {units} units",
        received=f"{len(values)} different values, {low:g} to {high:g}",
        fix=fix,
        where=wrong_in(labels, beyond).where,
    )


def _bounds_found(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Targets that the last activation cannot reach, or that the loss cannot take."""
    low, high = extent(labels)
    activation = contract.output_activation or "unknown"
    if contract.loss in BINARY_LOSSES and not (low >= -SLACK and high <= 1 + SLACK):
        yield _beyond_the_loss(contract, split, labels)
        return
    bounds = BOUNDS.get(activation)
    if bounds is None or contract.loss in MARGIN_LOSSES:
        return
    slack = SLACK * max(1.0, abs(low), abs(high)) if activation != "relu" else SLACK
    lower, upper = bounds[0] - slack, bounds[1] + slack
    if low >= lower and high <= upper:
        if activation == "softmax" and contract.loss in REGRESSION_LOSSES:
            yield from _sums_found(contract, split, labels)
        return
    outside = sum(int(np.count_nonzero((chunk < lower) | (chunk > upper))) for _, chunk in chunks(labels))
    beyond = outside / labels.size
    ends = f"{bounds[0]:g}..{bounds[1]:g}" if math.isfinite(bounds[1]) else f"{bounds[0]:g} and above"
    yield BEYOND_ACTIVATION.found(
        severity="error" if beyond > FEW else "warning",
        expected=f"an output that can reach the targets, {low:.4g}..{high:.4g}",
        received=f"{activation}, whose values are {ends}: {beyond:.0%} of the {split.name} targets lie beyond",
        fix=_scaled_to_one(split)
        if are_bytes(labels) and bounds == (0.0, 1.0)
        else f"{last_layer(contract.output_units or 1)}  # any number can be predicted"
        + ("" if activation == "softmax" else "; or scale the targets"),
    )


def _sums_found(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Targets whose units do not sum to 1, as those of a softmax do; rows of zeros may be nothing but padding."""
    width = labels.shape[-1]
    if labels.ndim < 2 or width != contract.output_units:
        return
    other = held = 0
    for _, chunk in chunks(labels):
        sums = chunk.reshape(-1, width).sum(axis=1, dtype=np.float64)
        held += int(np.count_nonzero(sums > SUM_SLACK))
        other += int(np.count_nonzero((sums > SUM_SLACK) & (np.abs(sums - 1) > SUM_SLACK)))
    if other > FEW * held:
        yield BEYOND_ACTIVATION.found(
            expected="an output that can reach the targets",
            received=f"softmax, whose {width} units sum to 1: {other / held:.0%} of the {split.name} targets do not",
            fix=f"{last_layer(width)}  # any number can be predicted",
        )


def are_bytes(labels: np.ndarray) -> bool:
    """Whether targets are a mask's or an image's bytes: 0 and 255, or many whole numbers to 255 at each position."""
    low, high = extent(labels)
    if low < 0 or not 1 < high <= 255 or not holds(labels, lambda chunk: chunk == np.rint(chunk)):
        return False
    return bool(labels.ndim > 2 or set(np.unique(labels[:LOOKED_AT]).tolist()) <= {0, high})


def _scaled_to_one(split: Split) -> str:
    """Return the statement that brings bytes into 0..1; of masks any byte above the middle is 1."""
    name = f"{split.name}_labels"
    high = extent(split.labels)[1] if split.labels is not None else 255
    return f'{name} = {name}.astype("float32") / {255 if (high > 1 and high % 255 == 0) or high > 16 else int(high)}'


def _beyond_the_loss(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    name, (low, high) = f"{split.name}_labels", extent(labels)
    fix = f"{last_layer(contract.output_units or 1)}; {compiled_with(contract, 'mean_squared_error')}"
    if low >= -1 - SLACK and high <= 1 + SLACK:
        fix = f"{name} = ({name} + 1) / 2"
    elif are_bytes(labels) or (low >= 0 and 1 < high <= 255 and contract.output_units != 1):
        fix = _scaled_to_one(split)
    return BEYOND_LOSS.found(
        split.name,
        expected=f"targets 0..1 for {contract.loss}",
        received=f"{low:.4g}..{high:.4g}",
        fix=fix,
    )
