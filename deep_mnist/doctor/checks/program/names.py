"""Check of the names by which data, losses and their weights are given to a network with multiple inputs or outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

UNKNOWN_NAMES = Rule(
    code="P015",
    name="names-of-no-input-or-output",
    field="fit.names",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A dictionary of inputs, targets, losses or weights of losses has other keys than the network has names.",
    why="Keras stops before the first step: a key is missing, or the structures differ.",
)


@check(UNKNOWN_NAMES)
def check_names(case: Case) -> Iterator[Finding]:
    """Yield a finding for each dictionary whose keys are not the network's names; of Keras 3's functional models."""
    call = case.call
    model: Any = call.model if call is not None else None
    if call is None or not hasattr(model, "_inputs_struct") or not hasattr(model, "_outputs_struct"):
        return
    inputs = _names(model._inputs_struct, [each.name for each in model.inputs])
    outputs = _names(model._outputs_struct, list(getattr(model, "output_names", None) or ()))
    weights = getattr(getattr(model, "_compile_loss", None), "_user_loss_weights", None)
    exact = not isinstance(model._outputs_struct, Mapping)  # a list's outputs need a key each
    yield from _found(call.x, "x", inputs, extra=True, lacking=True)
    yield from _found(call.y, "y", outputs, extra=False, lacking=exact)
    of_loss = list(_found(getattr(model, "loss", None), "the loss of compile()", outputs, extra=False, lacking=exact))
    both = "the loss and the loss_weights of compile()" if of_loss else "the loss_weights of compile()"
    of_compile = list(_found(weights, both, outputs, extra=False, lacking=exact)) or of_loss
    yield from (replace(each, fix=_everywhere(each.fix, call, outputs)) for each in of_compile)


def _everywhere(fix: str, call: Any, outputs: list[str]) -> str:
    """Return a fix that says also where else the same name of no output stands: in the metrics, and in fit's y."""
    metrics = getattr(getattr(call.model, "_compile_metrics", None), "_user_metrics", None)
    named = (("the metrics", metrics), ("the targets of fit", call.y))
    others = [place for place, given in named if isinstance(given, Mapping) and not set(given) <= set(outputs)]
    return f"{fix.removesuffix('.')}, and in {' and '.join(others)}." if others else fix


def _names(struct: Any, names: list[str]) -> list[str]:
    return [str(each) for each in struct] if isinstance(struct, Mapping) else names


def _found(given: Any, place: str, names: list[str], *, extra: bool, lacking: bool) -> Iterator[Finding]:
    """Yield at most one finding: keys that are no name, unless they may be there, or names without a key."""
    if not isinstance(given, Mapping) or not names or not all(isinstance(each, str) for each in given):
        return
    unknown, missing = [each for each in given if each not in names], [each for each in names if each not in given]
    if not (unknown and not extra) and not (missing and lacking):
        return
    fix = f"Use the keys {', '.join(map(repr, names))} in {place}."
    if len(unknown) == len(missing) == 1:
        fix = f'Write "{missing[0]}" for "{unknown[0]}" in {place}.'
    yield UNKNOWN_NAMES.found(
        expected=f"the names of the network's {'inputs' if place == 'x' else 'outputs'} in {place}: {', '.join(names)}",
        received=f"the keys {', '.join(map(str, given)) or 'of none'}",
        fix=fix,
    )
