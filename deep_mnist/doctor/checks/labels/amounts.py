"""Checks whether labels and loss speak of the same: classes, or amounts to be predicted as such."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.evidence.chunks import extent
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope

AMOUNTS_AMONG = 2000  # labels looked at
MOST_CLASSES_LIKELY = 20  # different fractions; more are no classes
SPARSE = 10  # range of whole numbers relative to how many of them occur; that of classes is near 1
FEWEST_LABELS = 8
NO_LABELS, YES_LABELS = (-0.2, 0.4), (0.6, 1.3)  # of answers of no and of yes that are smoothed, or moved by chance
COUNTED_AMONG = 1 << 20  # labels looked at for class numbers without a gap
FEWEST_CLASSES, MOST_CLASSES = 3, 100  # whole numbers without a gap that are likely classes
FEWEST_COUNTS, FEWEST_COUNTED = 6, 100  # different whole numbers, of so many labels, that may be told to be counts
COUNT_BINS = 10
MOST_IN_TAIL = 0.1  # share of the most frequent number of counts, in the highest ones

AMOUNTS_FOR_CLASS_LOSS = Rule(
    code="L110",
    name="amounts-under-a-loss-for-classes",
    field="contract.loss",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="The labels are amounts, and the loss is one for classes.",
    why="The loss takes each amount for a class or a probability: it falls below zero, becomes NaN, or stays.",
)
CLASSES_FOR_AMOUNT_LOSS = Rule(
    code="L111",
    name="class-numbers-under-a-loss-for-amounts",
    field="contract.loss",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="The labels are class numbers, and the loss compares each with all units of the output.",
    why="One number is compared with every unit (broadcast, or refused): the loss means nothing.",
)
AMOUNTS_FOR_BINARY_LOSS = Rule(
    code="L112",
    name="amounts-under-a-binary-loss",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="The labels are amounts, and the loss takes labels for probabilities.",
    why="The loss takes each amount for a class or a probability: it falls below zero, becomes NaN, or stays.",
)
CLASSES_AS_AMOUNTS = Rule(
    code="L113",
    name="class-numbers-fitted-as-amounts",
    field="contract.loss",
    severity="warning",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="One unit is fitted to class numbers as if they were amounts; the metric accuracy speaks of classes.",
    why="Class 2 is not twice class 1; accuracy counts a prediction as correct only when it is exactly equal.",
)
AMOUNT_RULES = (AMOUNTS_FOR_CLASS_LOSS, CLASSES_FOR_AMOUNT_LOSS, AMOUNTS_FOR_BINARY_LOSS, CLASSES_AS_AMOUNTS)


def are_amounts(labels: np.ndarray) -> bool:
    """Whether numbers that are not whole are too many different ones for classes."""
    many = len(np.unique(labels[:AMOUNTS_AMONG])) > MOST_CLASSES_LIKELY
    low, high = extent(labels)
    return many and not 0 <= low <= high <= 1


def are_whole_amounts(contract: Contract, labels: np.ndarray) -> bool:
    """Whether whole numbers are counts or prices and no classes: most of them differ, and far more than the units.

    Args:
        contract: Of a network with a loss for classes.
        labels: Whole numbers (n,).
    """
    if contract.loss is None or contract.loss in REGRESSION_LOSSES:
        return False
    some = labels[:AMOUNTS_AMONG]
    if contract.loss in BINARY_LOSSES and contract.output_units == 1 and are_counts(some):
        return True
    different, (low, high) = len(np.unique(some)), extent(some)
    beyond = high >= (contract.output_units or contract.num_classes or 2)
    return beyond and different > MOST_CLASSES_LIKELY and (2 * different > len(some) or high - low > SPARSE * different)


def are_counts(labels: np.ndarray) -> bool:
    """Whether whole numbers from 0 on thin out above a most frequent one, as counts do and class numbers need not."""
    values = np.unique(labels)
    if len(values) < FEWEST_COUNTS or len(labels) < FEWEST_COUNTED or values[0] != 0:
        return False
    often = np.histogram(labels, bins=min(len(values), COUNT_BINS))[0].astype(float)
    chance = 3 * np.sqrt(often[1:] + often[:-1] + 1)
    step, top = np.diff(often), int(often.argmax())
    rises_then_falls = (step[:top] >= -chance[:top]).all() and (step[top:] <= chance[top:]).all()
    thins_out = often[-1] < MOST_IN_TAIL * often[top] and often[len(often) // 2 :].sum() < len(labels) / 4
    return bool(rises_then_falls and thins_out)


def are_moved_answers(case: Case, labels: np.ndarray) -> bool:
    """Whether fractions are answers of yes or no that are moved beyond 0 and 1: all lie about these, none between.

    About one of both alone lie those of a loop's batch, which is all real or all made up for a discriminator.
    """
    if case.contract.loss not in BINARY_LOSSES or case.contract.output_units != 1:
        return False
    low, high = extent(labels)
    if 0 <= low <= high <= 1:
        return False
    no, yes = ((labels >= least) & (labels <= most) for least, most in (NO_LABELS, YES_LABELS))
    in_a_loop = case.call is not None and case.call.verb in ("train_on_batch", "a custom loop")
    return bool((no | yes).all()) and (in_a_loop or bool(no.any() and yes.any()))


def moved_answers(split: Split, labels: np.ndarray) -> Finding:
    """Return the note on answers of yes or no that are moved beyond 0 and 1."""
    low, high = extent(labels)
    return AMOUNTS_FOR_BINARY_LOSS.found(
        split.name,
        severity="note",
        expected="answers of 0 and 1, or between them",
        received=f"answers that are moved by chance or smoothed, {low:.4g} to {high:.4g}",
        why="Where a target lies beyond 0 or 1, the loss falls without an end.",
        fix=f"{split.name}_labels = {split.name}_labels.clip(0, 1)",
    )


def amounts(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    """Return the finding on numbers to be predicted as such, under a loss for classes."""
    low, high = extent(labels)
    rule = AMOUNTS_FOR_BINARY_LOSS if contract.loss in BINARY_LOSSES else AMOUNTS_FOR_CLASS_LOSS
    return rule.found(
        split.name,
        expected="mean_squared_error (or another loss for amounts) over one unit without an activation",
        received=f"{contract.loss} for {len(np.unique(labels[:AMOUNTS_AMONG]))} different numbers, "
        f"{low:.4g} to {high:.4g}",
        fix=f"{last_layer(1)}; {compiled_with(contract, 'mean_squared_error')}",
    )


def classes_for_amount_loss(contract: Contract, split: Split) -> Finding:
    """Return the finding on class numbers under a loss that compares amounts, over several units."""
    few = split.labels is None or len(split.labels) < FEWEST_LABELS  # of a reproducer, which means nothing by them
    return CLASSES_FOR_AMOUNT_LOSS.found(
        split.name,
        severity="note" if few else "error",
        expected="sparse_categorical_crossentropy for class numbers",
        received=f"{contract.loss} on labels of shape {split.labels.shape if split.labels is not None else ()}",
        fix=compiled_with(contract, SPARSE_LOSSES[0], from_logits=contract.output_activation == "linear"),
    )


def classes_as_amounts_found(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Class numbers fitted as if they were amounts; only where "accuracy" says that classes are meant."""
    accuracy = any("acc" in name for name in contract.metrics)
    if not accuracy or contract.output_units != 1 or split.name != "train" or contract.loss in BINARY_LOSSES:
        return
    values = np.unique(labels[:COUNTED_AMONG])
    likely = FEWEST_CLASSES <= len(values) <= MOST_CLASSES
    if not likely or not np.array_equal(values, np.arange(len(values)) + values[0]):
        return
    yield CLASSES_AS_AMOUNTS.found(
        expected="sparse_categorical_crossentropy over one unit per class, as the metric accuracy suggests",
        received=f"{contract.loss} on one unit, for the whole numbers {values[0]:g} to {values[-1]:g}",
        fix=f"{last_layer(int(values[-1]) + 1, 'softmax')}; {compiled_with(contract, SPARSE_LOSSES[0])}",
    )
