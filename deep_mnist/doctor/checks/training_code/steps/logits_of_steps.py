"""Losses of Keras in a step of the user's own, whose from_logits contradicts what they are given.

A step may train several networks, and compare with what it makes itself, as a discriminator's does: what counts is
each loss and the outputs that it meets when the step is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, ONE_HOT_LOSSES, SPARSE_LOSSES, loss_name
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.own_loss_rules import TAKES_LOGITS, TAKES_PROBABILITIES
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding

KNOWN = (*BINARY_LOSSES, *ONE_HOT_LOSSES, *SPARSE_LOSSES)


def logits_given_wrongly(case: Case) -> Iterator[Finding]:
    """Yield the first loss that takes probabilities for logits, or logits for probabilities.

    Where the contract knows the loss, it is judged by that.
    """
    step = step_of(case)
    if step is None or case.contract.loss in KNOWN:
        return
    for loss, y_true, y_pred in step.first.taken:
        stated, name = getattr(loss, "from_logits", None), type(loss).__name__
        if loss_name(name) not in KNOWN or not isinstance(stated, bool):
            continue
        if stated and _are_probabilities(y_pred):
            yield TAKES_LOGITS.found(
                expected="from_logits=False behind sigmoid or softmax, or a last layer without activation",
                received=f"in {step.name} ({step.place}) {name}(from_logits=True) is given probabilities",
                fix=_with_flag(case, name, from_logits=False),
            )
            return
        if not stated and (received := _outside(y_true, y_pred)):
            yield TAKES_PROBABILITIES.found(
                expected="from_logits=True behind a last layer without activation, or sigmoid or softmax on it",
                received=f"in {step.name} ({step.place}) {name} without from_logits=True is given {received}",
                fix=_with_flag(case, name, from_logits=True),
            )
            return


def _are_probabilities(y_pred: Any) -> bool:
    """Whether a tensor is what sigmoid or softmax returned, as Keras marks it."""
    return hasattr(y_pred, "_keras_logits")


def _outside(y_true: Any, y_pred: Any) -> str:
    """Return the range of outputs that are no probabilities; "" of those that are, and of labels in their place."""
    try:
        true, made = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    except (TypeError, ValueError, NotImplementedError):  # a symbol
        return ""
    if not made.size or not np.isfinite(made).all() or np.array_equal(made, np.rint(made)) or made.shape == ():
        return ""
    if not true.size or (made.min() >= 0 and made.max() <= 1):
        return ""
    return f"outputs of {made.min():.3g}..{made.max():.3g}"


def _with_flag(case: Case, name: str, *, from_logits: bool) -> str:
    """Return the line that makes the loss, with the flag: of the only such line that states the other."""
    text = ProgramText(case.frame) if case.frame is not None else None
    stated = {each: ast.unparse(each) for each in text.calls(name)} if text is not None else {}
    other = [each for each, written in stated.items() if ("from_logits=True" in written) != from_logits]
    line = text.rewritten(other[0], from_logits=ast.Constant(from_logits)) if text and len(other) == 1 else ""
    return line or f"Make {name} with from_logits={from_logits}."
