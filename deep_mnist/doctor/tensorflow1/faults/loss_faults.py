"""What is wrong with a graph's loss: by its form, or by what it answers to right, wrong and constant predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.faults import loss_rules as rules
from deep_mnist.doctor.tensorflow1.faults.loss_words import (
    are_rows,
    assigned,
    cross_entropy,
    is_summed,
    logits_name,
    mean_of,
    operand_name,
)
from deep_mnist.doctor.tensorflow1.graph_contract import are_labels, units_of
from deep_mnist.doctor.tensorflow1.graph_walk import shaped_from
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.supervision import Supervision

CUTS_OFF = ("Relu", "Relu6", "Abs", "Square", "Exp", "Softplus")
LINEAR = ("MatMul", "BiasAdd", "Add", "AddV2", "BatchMatMulV2", "Relu", "Tanh", "Conv2D")
RANGES = {"Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, np.inf)}
SELF_EVIDENT = (rules.LOG_OF_LINEAR, rules.SOFTMAX_OVER_EXAMPLES, rules.SOFTMAX_OF_ONE)
FAR = 6.0  # a logit of a confident prediction
LITTLE = 1e-3


def loss_faults(case: SessionCase) -> Iterator[Finding]:
    """Yield what is wrong with the loss that the run's training lowers."""
    met = case.supervision
    if met is None:
        return
    faults = list(_of_form(case, met))
    broadcast = list(_broadcast(case, met))
    yield from (*faults, *broadcast)
    if not broadcast and not any(each.rule in SELF_EVIDENT for each in faults):
        yield from _of_answers(case, met)
    if is_summed(case):
        yield _summed(case)


# --- the form --------------------------------------------------------------------------------------


def _of_form(case: SessionCase, met: Supervision) -> Iterator[Finding]:
    units = units_of(met.output)
    if met.output.op.type == "Transpose" and met.output.op.inputs[0].op.type == "Softmax":
        yield _over_examples(case, met)
    elif (met.kind == "softmax" or met.activation == "Softmax") and units == 1:
        yield _softmax_of_one(case, met)
    elif met.takes_logits and met.activation in ("Softmax", "Sigmoid"):
        yield _twice(case, met)
    elif met.takes_logits and met.activation in CUTS_OFF:
        yield rules.RECTIFIED_LOGITS.found(
            expected="logits of both signs: the last layer without an activation",
            received=f"logits out of {met.activation.lower()}{case.names.at(shaped_from(met.output))}",
            fix=assigned(case, met.output, "logits", operand_name(case, met.output)),
        )
    if met.kind == "product" and met.activation in LINEAR and are_labels(case.value(met.labels)):
        yield _log_of_linear(case, met)
    if met.kind == "difference" and met.activation == "Softmax" and units != 1 and are_rows(case.value(met.labels)):
        yield rules.SQUARED_SOFTMAX.found(
            expected="cross-entropy for classes",
            received=f"the squared error of a softmax{case.names.at(met.operation)}",
            fix=assigned(case, case.step and case.step.loss, "loss", cross_entropy(case, met)),
        )
    yield from _out_of_reach(case, met)


def _over_examples(case: SessionCase, met: Supervision) -> Finding:
    logits = met.output.op.inputs[0].op.inputs[0]
    logits = logits.op.inputs[0] if logits.op.type == "Transpose" else logits
    output = case.names.of(met.output, "y")
    return rules.SOFTMAX_OVER_EXAMPLES.found(
        expected="a softmax over the classes, the last axis",
        received=f"over the first axis, the examples{case.names.at(met.output)}",
        fix=f"{output} = tf.nn.softmax({case.names.of(logits, 'logits')}, axis=1)",
    )


def _softmax_of_one(case: SessionCase, met: Supervision) -> Finding:
    labels = case.names.shaped(met.labels, "y")
    logits = logits_name(case, met)
    return rules.SOFTMAX_OF_ONE.found(
        expected="a sigmoid for one unit, or a softmax of one unit for each class",
        received=f"softmax over 1 unit{case.names.at(met.operation)}",
        fix=assigned(
            case, case.step and case.step.loss, "loss",
            f"tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels={labels}, logits={logits}))",
        ),
    )  # fmt: skip


def _twice(case: SessionCase, met: Supervision) -> Finding:
    kind = met.activation.lower()
    loss = {"softmax": "softmax", "sparse": "sparse_softmax", "sigmoid": "sigmoid"}[met.kind]
    logits, own = operand_name(case, met.output), "sigmoid" if loss == "sigmoid" else "softmax"
    return rules.ACTIVATION_TWICE.found(
        expected=f"logits, as {loss}_cross_entropy_with_logits takes its {own} itself",
        received=f"the result of a {kind}{case.names.at(shaped_from(met.output))}",
        fix=assigned(
            case, case.step and case.step.loss, "loss",
            f"tf.reduce_mean(tf.nn.{loss}_cross_entropy_with_logits(labels={case.names.shaped(met.labels, 'y_')}, "
            f"logits={logits}))  # the logits before the {kind}",
        ),
    )  # fmt: skip


def _log_of_linear(case: SessionCase, met: Supervision) -> Finding:
    several = (units_of(met.output) or 2) > 1
    output, labels = case.names.shaped(met.output, "logits"), case.names.of(met.labels, "y_")
    loss = "softmax" if several else "sigmoid"
    return rules.LOG_OF_LINEAR.found(
        expected=f"probabilities before the logarithm: {loss} of the last layer",
        received=f"the logarithm of {met.activation}'s result{case.names.at(shaped_from(met.predicted))}",
        fix=assigned(
            case, case.step and case.step.loss, "loss",
            f"tf.reduce_mean(tf.nn.{loss}_cross_entropy_with_logits(labels={labels}, logits={output}))",
        ),
    )  # fmt: skip


def _out_of_reach(case: SessionCase, met: Supervision) -> Iterator[Finding]:
    """Labels outside of what the output's activation, or the cross-entropy, can be."""
    labels = case.value(met.labels)
    activation = met.activation
    if met.kind in ("softmax", "sparse") or (activation not in RANGES and met.kind != "sigmoid") or labels is None:
        return
    if not labels.size or labels.dtype.kind not in "fiu" or not np.isfinite(labels).all():
        return
    low, high = RANGES.get(activation, (0.0, 1.0)) if met.kind != "sigmoid" else (0.0, 1.0)
    outside = float(np.mean((labels < low - LITTLE) | (labels > high + LITTLE)))
    if outside <= 0.01 or (activation == "Relu" and outside < 0.05):
        return
    kind = "sigmoid" if met.kind == "sigmoid" else activation.lower()
    received = f"{outside:.0%} of the labels outside, {labels.min():g}..{labels.max():g}"
    yield rules.OUT_OF_REACH.found(
        "train",
        expected=f"labels within {low:g}..{high:g}, the range of {kind}",
        received=received,
        fix=_reach_fix(case, met, labels),
    )


def _reach_fix(case: SessionCase, met: Supervision, labels: np.ndarray) -> str:
    values = np.unique(labels)
    if len(values) == 2:  # two classes by other numbers
        return f"train_labels = (train_labels - {values[0]:g}) / {values[1] - values[0]:g}  # 0 and 1"
    return assigned(
        case, met.output, "prediction", f"{operand_name(case, met.output)}  # no activation: numbers of any size"
    )


# --- what the loss answers -------------------------------------------------------------------------


def _broadcast(case: SessionCase, met: Supervision) -> Iterator[Finding]:
    if met.takes_logits and met.kind != "sigmoid":
        return
    labels, predicted = case.value(met.labels), case.value(met.predicted)
    if labels is None or predicted is None or labels.ndim == 0 or predicted.ndim == 0:
        return
    try:
        shape = np.broadcast_shapes(labels.shape, predicted.shape)
    except ValueError:
        return
    if shape in (labels.shape, predicted.shape) or np.prod(shape) <= max(labels.size, predicted.size):
        return
    output, name = case.names.of(met.predicted, "prediction"), case.names.of(met.labels, "y")
    yield rules.BROADCAST_LOSS.found(
        expected=f"labels of the predictions' shape {predicted.shape}",
        received=f"labels {labels.shape}: together {shape}{case.names.at(met.operation)}",
        fix=f"{output} = tf.reshape({output}, [-1])"
        if labels.ndim == 1
        else f"{output} = tf.reshape({output}, tf.shape({name}))",
    )


def _of_answers(case: SessionCase, met: Supervision) -> Iterator[Finding]:
    """Feed the loss right, wrong and constant predictions, and compare what it answers."""
    labels = case.value(met.labels)
    predictions = _predictions(case, met, labels)
    if predictions is None or case.step is None:
        return
    fed, right, wrong, constants = predictions
    good, bad = (mean_of(case.given(case.step.loss, {fed.name: each})) for each in (right, wrong))
    if good is None or bad is None or not np.isfinite([good, bad]).all():
        return
    width = abs(bad - good)
    if good > bad + LITTLE * max(1.0, width):
        yield _turned(case, met, good, bad)
        return
    others = [mean_of(case.given(case.step.loss, {fed.name: each})) for each in constants]
    if met.kind == "product" and any(each is not None and each <= good + LITTLE * width for each in others) and width:
        yield _constant(case, met)


def _turned(case: SessionCase, met: Supervision, good: float, bad: float) -> Finding:
    loss = case.names.of(case.step.loss, "loss") if case.step is not None else "loss"
    return rules.LOSS_SIGN_TURNED.found(
        expected="a loss that is lower for right predictions than for wrong ones",
        received=f"{good:.3g} for the labels themselves, {bad:.3g} for others{case.names.at(met.operation)}",
        fix=f"{loss} = -{loss}",
    )


def _summed(case: SessionCase) -> Finding:
    loss = case.names.of(case.step.loss, "loss") if case.step is not None else "loss"
    rows = max((len(value) for value in case.feed.values() if np.ndim(value)), default=1)
    return rules.SUMMED.found(
        expected="the mean over the examples: reduce_mean",
        received=f"the sum over {rows}{case.names.at(case.step.loss) if case.step is not None else ''}",
        fix=f"{loss} = {loss} / {rows}  # and a rate {rows} times as high",
    )


def _constant(case: SessionCase, met: Supervision) -> Finding:
    output, labels = case.names.of(met.output, "p"), case.names.of(met.labels, "y_")
    several = (units_of(met.output) or 1) > 1 and met.activation == "Softmax"
    fix = (
        cross_entropy(case, met)
        if several
        else f"-tf.reduce_mean({labels} * tf.log({output} + 1e-7) + (1 - {labels}) * tf.log(1 - {output} + 1e-7))"
    )
    return rules.LOSS_OF_CONSTANT.found(
        expected="a loss that is lowest for the right predictions",
        received=f"no more for the same prediction everywhere{case.names.at(met.operation)}",
        fix=assigned(case, case.step and case.step.loss, "loss", fix),
    )


def _predictions(case: SessionCase, met: Supervision, labels: Any) -> tuple[Any, Any, Any, list[Any]] | None:
    """Return (tensor to feed, right, wrong, constant ones), None where right is not clear."""
    fed = met.predicted if met.kind in ("softmax", "sparse", "sigmoid", "difference") else met.output
    now = case.value(fed)
    if now is None or labels is None or not labels.size or now.dtype.kind != "f":
        return None
    if labels.size < 2 and met.kind != "difference":
        return None
    if met.kind == "sparse":
        rows = np.eye(now.shape[-1], dtype=now.dtype)
        if labels.min() < 0 or labels.max() >= now.shape[-1] or now.shape[:-1] != labels.shape:
            return None
        labels = rows[labels]
    if labels.shape != now.shape or labels.dtype.kind not in "fiub":
        return None
    labels = labels.astype(now.dtype)
    if met.kind == "difference":
        spread = float(labels.std()) or 1.0
        return fed, labels, labels + 3 * spread, []
    if not are_labels(labels) or labels.min() == labels.max():
        return None
    if met.takes_logits:
        return fed, FAR * (2 * labels - 1), -FAR * (2 * labels - 1), []
    near = np.clip(labels, 0.05, 0.95)
    ends = [] if are_rows(now) else [np.full_like(labels, 0.95), np.full_like(labels, 0.05)]
    return fed, near, 1 - near, ends
