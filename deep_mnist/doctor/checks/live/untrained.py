"""Checks of frozen layers that were never trained: their weights are still those that an initializer makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import (
    EXAMINED,
    holds_initial_values,
    is_trainable,
    is_untouched_norm,
    layers_of,
    own_weights,
)
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MOST_NAMED = 3  # layers in a line

FROZEN_UNTRAINED = Rule(
    code="M062",
    name="frozen-layers-untrained",
    field="model.trainable",
    severity="warning",
    scope=Scope.NETWORK,
    needs=(Need.LIVE_MODEL,),
    summary="The layers that come first are frozen with the random weights that they were made with.",
    why="What the trainable layers see is a random function of the input: little of it can be learned from.",
)


@check(FROZEN_UNTRAINED)
def check_untrained(case: Case) -> Iterator[Finding]:
    """Yield a base that was frozen before it was trained, or whose weights were never loaded."""
    weighted = [each for each in layers_of(case) if own_weights(each)]
    frozen = [each for each in weighted if not is_trainable(each)]
    if not frozen or len(frozen) == len(weighted) or weighted[0] is not frozen[0] or _may_be_trained(case, frozen):
        return
    kernels = _new_kernels(frozen)
    if not kernels:
        return
    alone = len(kernels) == 1 and type(kernels[0]).__name__ != "Embedding"
    names = ", ".join(each.name for each in kernels[:4])
    yield FROZEN_UNTRAINED.found(
        severity="note" if alone else "",  # one random layer may be meant
        expected="frozen layers with weights that were trained or loaded",
        received=f"{len(frozen)} frozen layers that hold what their initializers make: {names}",
        fix=f"{_unfreezing(case)}; model.compile(optimizer=model.optimizer, loss=model.loss)  "
        '# or load the weights first: weights="imagenet", load_weights(...)',
    )


def _unfreezing(case: Case) -> str:
    """Return the statement that lets the frozen ones of the model's own layers train, models among them."""
    own = case.call.model.layers if case.call is not None else []
    frozen = [each.name for each in own if not each.trainable]
    if len(frozen) > MOST_NAMED:
        return '[setattr(layer, "trainable", True) for layer in model.layers]'
    return "; ".join(f'model.get_layer("{name}").trainable = True' for name in frozen) or "model.trainable = True"


def _new_kernels(frozen: list[Any]) -> list[Any]:
    """Return some of the layers with kernels; none where any layer that was looked at has been trained."""
    kernels: list[Any] = []
    for each in frozen:
        new = _is_new(each)
        if new is False:
            return []
        if new and is_untouched_norm(each) is None:
            kernels.append(each)
        if len(kernels) == EXAMINED:
            break
    return kernels


def _is_new(layer: Any) -> bool | None:
    norm = is_untouched_norm(layer)
    return norm if norm is not None else holds_initial_values(layer)


def _may_be_trained(case: Case, frozen: list[Any]) -> bool:
    """Whether an earlier fit, which was judged and not run, was to train these layers."""
    earlier = case.call.earlier if case.call is not None else ()
    return any(not fit.ran and any(each in fit.trained for each in frozen) for fit in earlier)
