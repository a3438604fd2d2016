"""Checks of regularization: dropout by the share that was meant to be kept, penalties far above any loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

KINDS = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", "AlphaDropout")
HIGH = 0.8  # above what is used on purpose, but for single layers of thousands of units
OFTEN = 2  # such layers one behind the other leave a twenty-fifth
FEW_LEFT = 10  # units, on average
NEARLY_ALL = 0.95
LEAST, HALF = 0.05, 0.5  # rates in the place of others; a rate of 1 is no share that was meant to be kept
STRONG = 1.0  # factor of the sum of squares or sizes of a kernel; usual ones are 1e-5 to 1e-2
MOST_OF_LOSS = 20.0  # penalty at the start; a loss of classes begins at 0.7 to 7

KEPT_SHARE = Rule(
    code="M060",
    name="dropout-of-nearly-all",
    field="model.dropout",
    severity="warning",
    scope=Scope.NETWORK,
    needs=(Need.LIVE_MODEL,),
    summary="Dropout drops four of five or more, again and again: the rate is the share that is dropped, not kept.",
    why="Hardly anything passes in training: the network learns slowly or not at all, and is better in validation.",
)
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


@check(KEPT_SHARE)
def check_rates(case: Case) -> Iterator[Finding]:
    """Yield rates that leave next to nothing."""
    high = [each for each in layers_of(case) if _rate(each) >= HIGH]
    if not high:
        return
    left = [(each, kept) for each in high if (kept := _kept(each)) is not None and kept < FEW_LEFT]
    grave = len(high) >= OFTEN or bool(left) or any(_rate(each) > NEARLY_ALL for each in high)
    shown = ", ".join(f"{each.name} {_rate(each):g}" for each in high[:5])
    units = f"; {left[0][0].name} leaves {left[0][1]:.1f} units on average" if left else ""
    yield KEPT_SHARE.found(
        severity="" if grave else "note",
        expected=f"rates of about {LEAST} to 0.6: the share that is dropped",
        received=f"{shown}{units}",
        fix=_lower(case, high),
    )


def _rate(layer: Any) -> float:
    rate = getattr(layer, "rate", None) if type(layer).__name__ in KINDS else None
    return float(rate) if isinstance(rate, float | int) and not isinstance(rate, bool) else 0.0


def _kept(layer: Any) -> float | None:
    """Return how many of the numbers that come in are kept on average, None where that is unknown."""
    try:
        shape = tuple(layer.input.shape)[1:]
    except Exception:  # never called, called several times, or of another Keras
        return None
    if not shape or any(each is None for each in shape):
        return None
    width = shape[-1] if type(layer).__name__.startswith("Spatial") else int(np.prod(shape))
    return float(width) * (1 - _rate(layer))


def _lower(case: Case, high: list[Any]) -> str:
    top = {id(each) for each in getattr(case.call.model, "layers", ())} if case.call is not None else set()
    if not all(id(each) in top for each in high):
        return "Write Dropout(rate) with the share that is dropped: 1 less the share that is kept."
    rates = {each.name: float(f"{max(1 - _rate(each), LEAST):.3g}") if _rate(each) < 1 else HALF for each in high}
    if len(rates) > 1 and len(set(rates.values())) == 1:
        names = str(list(rates)).replace("'", '"')
        return f"for name in {names}: model.get_layer(name).rate = {next(iter(rates.values())):g}"
    return "; ".join(f'model.get_layer("{name}").rate = {rate:g}' for name, rate in rates.items())


@check(PENALTY)
def check_penalties(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the layers whose kernels are penalised beyond any loss."""
    strong = [(each, factor) for each in layers_of(case) if (factor := max(_factors(each))) >= STRONG]
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


def _factors(layer: Any) -> tuple[float, float]:
    """Return the factors of a kernel's sizes and of their squares, 0 for none."""
    held = getattr(layer, "kernel_regularizer", None)
    return _number(getattr(held, "l1", 0)), _number(getattr(held, "l2", 0))


def _penalty(layer: Any) -> float:
    """What L1 and L2 of Keras add for a kernel as it is; 0 where it is not built."""
    if not layer.built or getattr(layer, "kernel", None) is None:
        return 0.0
    (l1, l2), values = _factors(layer), np.asarray(layer.get_weights()[0], np.float64)
    return float(l1 * np.abs(values).sum() + l2 * np.square(values).sum())


def _number(stated: Any) -> float:
    try:
        return float(stated)
    except (TypeError, ValueError):
        return 0.0
