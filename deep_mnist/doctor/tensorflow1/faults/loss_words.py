"""A loss in the user's own names, and what its parts are."""

from __future__ import annotations

from typing import Any

import numpy as np

from deep_mnist.doctor.tensorflow1.graph_walk import ancestors, behind, shaped_from
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.supervision import Supervision


def cross_entropy(case: SessionCase, met: Supervision) -> str:
    """Return the cross-entropy of a softmax in the user's own names, from its logits where these have a name."""
    labels, logits = case.names.shaped(met.labels, "y_"), logits_name(case, met)
    if logits:
        return f"tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels={labels}, logits={logits}))"
    output = case.names.of(met.output, "y")
    return f"tf.reduce_mean(-tf.reduce_sum({labels} * tf.log(tf.clip_by_value({output}, 1e-10, 1.0)), axis=1))"


def logits_name(case: SessionCase, met: Supervision) -> str:
    """Return the name of what the output's softmax or sigmoid takes, "" where it has none."""
    tensor = shaped_from(met.output)
    if tensor.op.type in ("Softmax", "Sigmoid"):
        return case.names.shaped(tensor.op.inputs[0], "")
    return case.names.shaped(met.output, "logits")


def operand_name(case: SessionCase, tensor: Any) -> str:
    """Return the name of what an activation takes; "logits" where it has none."""
    return case.names.shaped(shaped_from(tensor).op.inputs[0], "logits")


def assigned(case: SessionCase, tensor: Any, default: str, expression: str) -> str:
    """Return an assignment to the name of a tensor."""
    name = case.names.shaped(tensor, default) if tensor is not None else default
    return f"{name} = {expression}"


def mean_of(value: Any) -> float | None:
    """Return the mean of what a loss answered, None where it has no answer."""
    return None if value is None or not np.size(value) else float(np.mean(value))


def are_rows(labels: Any) -> bool:
    """Whether labels are rows that each sum to 1."""
    return labels is not None and labels.ndim == 2 and labels.shape[1] > 1 and bool(np.allclose(labels.sum(axis=1), 1))


def is_summed(case: SessionCase) -> bool:
    """Whether the loss is a sum over the examples: Sum makes it one number, and nothing divides it."""
    loss = case.step.loss if case.step is not None else None
    if loss is None:
        return False
    operation, met = loss.op, case.supervision
    while met is not None and operation is not met.operation:
        if operation.type in ("Mean", "RealDiv", "DivNoNan", "Div"):
            return False
        if operation.type == "Sum":
            axes = behind(operation.inputs[1]) if operation.inputs[1].shape.num_elements() == 1 else None
            return axes is None or axes == 0
        if operation.type not in ("Neg", "Mul", "Add", "AddV2", "AddN", "Identity", "Sub"):
            return False
        operation = next(
            (each.op for each in operation.inputs if met.operation in ancestors([each.op], control=False)),
            met.operation,
        )
    return False
