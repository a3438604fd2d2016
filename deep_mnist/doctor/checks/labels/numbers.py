"""Checks of labels that are numbers: one class per label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.amounts import (
    amounts,
    are_amounts,
    are_moved_answers,
    are_whole_amounts,
    classes_for_amount_loss,
    moved_answers,
)
from deep_mnist.doctor.checks.labels.values import fractions, values_found
from deep_mnist.doctor.evidence.chunks import are_whole
from deep_mnist.doctor.evidence.task import are_divided
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope

FOR_ONE_HOT_LOSS = Rule(
    code="L120",
    name="class-numbers-for-one-hot-loss",
    field="labels.encoding",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="The labels are class numbers, and the loss expects one-hot rows.",
    why="Keras refuses the shape, or broadcasts one number over all units; or use the sparse_ loss.",
    follows=(Follows(rules=("M110",), on=On.MODEL),),
)
BOOLEANS = Rule(
    code="L131",
    name="labels-boolean",
    field="labels.dtype",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="The labels are booleans, for a network of more than two classes.",
    why="All but two classes are lost.",
)
FLOATS = Rule(
    code="L132",
    name="labels-stored-as-floats",
    field="labels.dtype",
    severity="note",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Class numbers are stored as floating point numbers.",
    why="Keras casts them silently; TensorFlow's own sparse losses refuse float labels.",
)
COLUMN = Rule(
    code="L142",
    name="labels-in-a-column",
    field="labels.rank",
    severity="note",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Class numbers have the shape (n, 1) instead of (n,), for an output of several classes.",
    why="Keras squeezes the axis away; other code broadcasts (n, 1) against (n,) to (n, n).",
)
NUMBER_RULES = (FOR_ONE_HOT_LOSS, BOOLEANS, FLOATS, COLUMN)


def numbers_found(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with one number per example, (n,), as a class of this network."""
    contract = case.contract
    if not are_whole(labels):
        if are_moved_answers(case, labels):
            yield moved_answers(split, labels)
            return
        is_amount = contract.loss is not None and not are_divided(labels) and are_amounts(labels)
        yield amounts(contract, split, labels) if is_amount else fractions(split, labels)
        return
    if case.call is not None and not case.input_kind.shows_images and are_whole_amounts(contract, labels):
        yield amounts(contract, split, labels)
        return
    valued = list(values_found(case, split, labels))
    yield from valued
    if contract.loss in REGRESSION_LOSSES and (contract.output_units or 2) > 1:
        yield classes_for_amount_loss(contract, split)
    elif contract.label_encoding == "one_hot" and contract.output_units != 1:
        yield _numbers_for_rows(contract, split, labels)
    elif contract.label_encoding == "sparse" and not valued:
        yield from _form_found(case, split, labels)
    if labels.dtype.kind == "b" and (contract.num_classes or 2) > 2:
        yield BOOLEANS.found(
            split.name,
            expected=f"class numbers 0 to {(contract.num_classes or 2) - 1}",
            received="booleans",
            fix=f"Write {split.name}_labels again from the source: booleans hold two classes.",
        )


def _numbers_for_rows(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    name, width = f"{split.name}_labels", contract.output_units or contract.num_classes or "classes"
    return FOR_ONE_HOT_LOSS.found(
        split.name,
        expected=f"one-hot rows (n, {width}) for {contract.loss}",
        received=f"class numbers of shape {split.labels.shape if split.labels is not None else labels.shape}",
        fix=f'{name} = np.eye({width}, dtype="float32")[{name}.astype(int).reshape(-1)]',
    )


def _form_found(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    contract = case.contract
    name = f"{split.name}_labels"
    if labels.dtype.kind == "f" and contract.loss not in BINARY_LOSSES:  # whose answers are 0.0 and 1.0
        yield FLOATS.found(
            split.name,
            expected="integer labels",
            received=f"{labels.dtype}, all whole numbers",
            fix=f'{name} = {name}.astype("int64")',
        )
    is_loop = case.call is not None and case.call.verb == "a custom loop"  # whose own lines may count on the axis
    if split.labels is not None and split.labels.ndim == 2 and contract.output_units != 1 and not is_loop:
        yield COLUMN.found(
            split.name,
            expected="labels of shape (n,)",
            received=f"shape {split.labels.shape}",
            fix=f"{name} = {name}.reshape(-1)",
        )
