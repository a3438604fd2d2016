"""Checks of a loss and its from_logits against the last activation and what is predicted; no data needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, ONE_HOT_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer, loss_title
from deep_mnist.doctor.checks.network.activation import CROSSENTROPIES, SCORES, is_judged, misplaced
from deep_mnist.doctor.checks.network.output import NUMBERS_AS_TARGETS
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

LOOKED_AT = 100  # examples with a class at every position
MANY_UNITS = 10  # of which nine in ten are rightly 0 whatever is predicted

BINARY_LOSS_FOR_EXCLUSIVE_CLASSES = Rule(
    code="C002",
    name="binary-loss-for-exclusive-classes",
    field="contract.loss",
    severity="warning",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="binary_crossentropy, which asks yes or no of every unit, is compiled for one of many classes.",
    why='Each unit is judged as a yes-or-no question: "accuracy" may count units, and 90 % means chance.',
)
SQUARED_ERROR_FOR_CLASSES = Rule(
    code="C003",
    name="squared-error-for-classes",
    field="contract.loss",
    severity="warning",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="A loss for numbers is compiled for one of many classes, counted by a metric of accuracy.",
    why="The squared error of a confident mistake has almost no gradient: learning is slow or stops.",
)
LOSS_NOT_RECOGNIZED = Rule(
    code="C004",
    name="loss-not-recognized",
    field="contract.loss",
    severity="note",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="The loss is none of Keras's for classes and numbers, so the form of the labels is not judged.",
    why="What labels an unrecognized loss wants cannot be derived, so their encoding is not judged.",
    follows=(Follows(rules=("C045",), on=On.MODEL),),
)
SOFTMAX_THEN_FROM_LOGITS = Rule(
    code="C010",
    name="softmax-then-from-logits",
    field="contract.from_logits",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="The network ends in softmax or sigmoid, and from_logits=True makes the loss apply it once more.",
    why="The loss would apply the softmax a second time: slow learning, wrong probabilities.",
    follows=(NUMBERS_AS_TARGETS,),
)
LOGITS_AS_PROBABILITIES = Rule(
    code="C011",
    name="logits-taken-for-probabilities",
    field="contract.from_logits",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="The network ends without an activation, and the loss, without from_logits=True, expects probabilities.",
    why="Raw scores taken for probabilities are clipped to 0..1: accuracy stays near chance.",
    follows=(NUMBERS_AS_TARGETS,),
)


@check(SOFTMAX_THEN_FROM_LOGITS, LOGITS_AS_PROBABILITIES)
def check_from_logits(case: Case) -> Iterator[Finding]:
    """Yield a from_logits that contradicts the last activation."""
    contract, last = case.contract, case.contract.output_activation
    if not is_judged(contract) or misplaced(contract) or contract.loss not in CROSSENTROPIES:
        return
    expected = "a softmax with from_logits=False, or no activation with from_logits=True"
    if last in SCORES and contract.from_logits:
        yield SOFTMAX_THEN_FROM_LOGITS.found(
            expected=expected,
            received=f"{last}, then from_logits=True",
            fix=_of_loop(case, False) or f"{compiled_with(contract, str(contract.loss))}  # from_logits=False",
        )
    elif last == "linear" and contract.from_logits is False:
        yield LOGITS_AS_PROBABILITIES.found(
            expected=expected,
            received="no activation on the last layer, from_logits=False",
            fix=_of_loop(case, True) or compiled_with(contract, str(contract.loss), from_logits=True),
        )


def _of_loop(case: Case, from_logits: bool) -> str:
    """The statement that makes a loop's own loss, with the flag; "" where fit's is meant, or none is found."""
    if case.call is None or case.frame is None or case.call.verb != "a custom loop":
        return ""
    text, title = ProgramText(case.frame), loss_title(case.contract.loss)
    lines = (text.rewritten(each, from_logits=ast.Constant(from_logits)) for each in text.calls(title))
    return next(filter(None, lines), "")


@check(BINARY_LOSS_FOR_EXCLUSIVE_CLASSES)
def check_binary_loss(case: Case) -> Iterator[Finding]:
    """Yield a loss that asks yes or no of every unit, for classes of which one is meant."""
    contract, last = case.contract, case.contract.output_activation
    if not is_judged(contract) or misplaced(contract) or contract.loss not in BINARY_LOSSES:
        return
    exclusive = case.task is Task.CLASSES or (last == "softmax" and _are_one_hot_everywhere(case))
    if last in SCORES and (contract.output_units or 2) > 1 and exclusive:
        again = compiled_with(contract, "categorical_crossentropy")
        # "accuracy" of Keras 3 looks at the greatest of one-hot rows, whatever the loss
        counts_units = "binary_accuracy" in contract.metrics and (contract.output_units or 2) >= MANY_UNITS
        yield BINARY_LOSS_FOR_EXCLUSIVE_CLASSES.found(
            severity="warning" if (last == "softmax" and (contract.output_units or 0) > 2) or counts_units else "note",
            expected="categorical_crossentropy for one of several classes",
            received=f"{contract.loss} over {contract.output_units} {last} units",
            fix=f"{last_layer(contract.output_units or 2, 'softmax')}; {again}" if last == "sigmoid" else again,
        )


def _are_one_hot_everywhere(case: Case) -> bool:
    """Whether targets hold one class at each position, as a row of zeros and a single 1."""
    labels = case.train.labels
    if labels is None or labels.ndim < 3 or labels.shape[-1] != case.contract.output_units:
        return False
    rows = np.asarray(labels[:LOOKED_AT]).reshape(-1, labels.shape[-1])
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())


@check(SQUARED_ERROR_FOR_CLASSES)
def check_squared_error(case: Case) -> Iterator[Finding]:
    """Yield a squared error for one of many classes; only where a metric says that classes are meant."""
    contract = case.contract
    counted = [name for name in contract.metrics if "acc" in name]
    if not counted or contract.loss not in ("mean_squared_error", "mean_absolute_error"):
        return
    if case.task is not Task.CLASSES or (contract.output_units or 0) <= 2:
        return
    if contract.output_activation not in ("softmax", "linear"):
        return
    sparse = case.train.labels is not None and case.train.labels.ndim == 1
    loss = f"{'sparse_' if sparse else ''}categorical_crossentropy"
    yield SQUARED_ERROR_FOR_CLASSES.found(
        expected="categorical_crossentropy over a softmax for one of several classes",
        received=f"{contract.loss} over {contract.output_units} units, activation {contract.output_activation}, "
        f"with the metric {counted[0]}",
        fix=compiled_with(contract, loss, from_logits=contract.output_activation == "linear"),
    )


@check(LOSS_NOT_RECOGNIZED)
def check_loss_known(case: Case) -> Iterator[Finding]:
    """Yield a loss whose labels are not known."""
    loss = case.contract.loss
    if loss is not None and loss not in (*SPARSE_LOSSES, *ONE_HOT_LOSSES, *BINARY_LOSSES, "ctc"):
        yield LOSS_NOT_RECOGNIZED.found(
            expected="a loss of Keras that compares classes",
            received=loss,
            fix="Check by hand that the labels have the form that this loss takes.",
        )
