"""The line that makes a training operation, in the user's own names."""

from __future__ import annotations

from deep_mnist.doctor.tensorflow1.graph_walk import trains
from deep_mnist.doctor.tensorflow1.session_case import SessionCase

CLASSES = {"Adam": "AdamOptimizer", "GradientDescent": "GradientDescentOptimizer", "RMSProp": "RMSPropOptimizer",
           "Adagrad": "AdagradOptimizer", "Adadelta": "AdadeltaOptimizer"}  # fmt: skip


def name_of_step(case: SessionCase) -> str:
    """Return what the training operation of the run is called."""
    operations = [each for each in case.run.fetches if trains(each)]
    return case.names.of(operations[0], "train_step") if operations else "train_step"


def minimized(case: SessionCase, *, rate: float | None = None, more: str = "") -> str:
    """Return "train_step = tf.train.…Optimizer(…).minimize(loss)".

    Args:
        case: With a training.
        rate: In the place of its own.
        more: Further arguments of minimize.
    """
    if case.step is None:
        return ""
    if case.step.rate is None:
        return "Take a lower rate where the variables are updated." if rate is None else f"Take a rate of {rate:.2g}."
    own = case.names.of(case.step.rate, "") if case.step.rate is not None else ""
    value = f"{rate:.2g}" if rate is not None else own or f"{rate_of(case):.3g}"
    momentum = ", 0.9" if case.step.optimizer == "Momentum" else ""
    made = CLASSES.get(case.step.optimizer, f"{case.step.optimizer}Optimizer")
    loss = case.names.of(case.step.loss, "loss") if case.step.loss is not None else "loss"
    return f"{name_of_step(case)} = tf.train.{made}({value}{momentum}).minimize({loss}{more})"


def rate_of(case: SessionCase) -> float:
    """Return the rate of the run, NaN where it is not known."""
    value = case.value(case.step.rate) if case.step is not None and case.step.rate is not None else None
    return float(value) if value is not None and value.ndim == 0 else float("nan")
