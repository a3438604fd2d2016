"""Check of regularizers so strong that the weights can only go to 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

STRONG = 1.0  # factor of the sum of squares or sizes of a kernel; usual ones are 1e-5 to 1e-2
MOST_OF_LOSS = 20.0  # penalty at the start; a loss of classes begins at 0.7 to 7

PENALTY = Rule(
    code="M063",
    name="regularizer-far-too-strong",
    field="model.regularizer",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A regularizer's factor is 1 or more, so that its penalty is many times the loss.",
    why="The weights are pulled to 0, and every example gets the same prediction.",
)


@check(PENALTY)
def check_penalties(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the layers whose kernels are penalised beyond any loss."""
    strong = [(each, factor) for each in layers_of(case) if (factor := _factor(each)) >= STRONG]
    penalty = sum(_penalty(each) for each, _ in strong)
    if not strong or penalty < MOST_OF_LOSS:
        return
    names = ", ".join(each.name for each, _ in strong[:4])
    yield PENALTY.found(
        expected="factors of about 0.00001 to 0.01",
        received=f"{strong[0][1]:g} in {names}: {penalty:.3g} is added to the loss at the start",
        fix=f"Make {strong[0][0].name} with a factor of about a ten-thousandth: "
        "kernel_regularizer=keras.regularizers.L2(1e-4).",
    )


def _factor(layer: Any) -> float:
    held = getattr(layer, "kernel_regularizer", None)
    return max((_number(getattr(held, name, 0)) for name in ("l1", "l2")), default=0.0)


def _penalty(layer: Any) -> float:
    """What L1 and L2 of Keras add for a kernel as it is; 0 where it is not built."""
    held, kernel = layer.kernel_regularizer, getattr(layer, "kernel", None) if layer.built else None
    if kernel is None:
        return 0.0
    values = np.asarray(layer.get_weights()[0], np.float64)
    l1, l2 = (_number(getattr(held, name, 0)) for name in ("l1", "l2"))
    return float(l1 * np.abs(values).sum() + l2 * np.square(values).sum())


def _number(stated: Any) -> float:
    try:
        return float(stated)
    except (TypeError, ValueError):
        return 0.0
