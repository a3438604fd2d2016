"""An argument by a name that nothing takes: the parameter that was meant, or the call that takes it."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.names.arguments import MISSING, called_with, line_with
from deep_mnist.doctor.checks.crashes.rules import ARGUMENT_GONE
from deep_mnist.doctor.finding import Finding

LIKENESS = 0.75  # of a name to the one that is meant, by difflib
OF_LAYERS = ("name", "dtype", "trainable", "input_shape")
OF_OPTIMIZERS = ("learning_rate", "lr", "momentum", "decay", "weight_decay", "clipnorm", "clipvalue")
OF_COMPILE = ("optimizer", "loss", "metrics", "loss_weights")
OF_FIT = ("epochs", "batch_size", "validation_data", "validation_split", "callbacks", "class_weight", "shuffle")


def explain_misspelled(crash: Crash) -> Finding | None:
    """Name the parameters that were meant, in the user's own line."""
    step = crash.user
    call = step.call if step is not None else None
    if step is None or call is None or not isinstance(crash.error, TypeError | ValueError):
        return None
    taken, given = {*_parameters(_value(step, call.func))}, {each.arg: each for each in call.keywords if each.arg}
    target, names = called_with(crash, call) or ("", [])
    if (missing := MISSING.search(crash.text)) is not None:
        target, names = missing.group(1), [each for each in given if each not in taken]
    if not names or not taken:
        return None
    taken -= {*given}
    meant = {each: next(iter(difflib.get_close_matches(each, taken, 1, LIKENESS)), "") for each in names}
    places = {each: _elsewhere(target, each) for each in names if not meant[each]}
    if not all(places.values()):
        return None
    kept = [
        ast.keyword(meant.get(each.arg or "", "") or each.arg, each.value)
        for each in call.keywords
        if each.arg not in places
    ]
    told = [*(f"{new} for {old}" for old, new in meant.items() if new), *(f"no {old}" for old in places)]
    note = "; ".join(f"{old} is an argument of {place}" for old, place in places.items())
    return ARGUMENT_GONE.found(
        expected=f"{target} with {', '.join(told)}",
        received=f"{', '.join(names)}, which {target} does not take, at {crash.place}",
        fix=line_with(step, call, ast.Call(call.func, call.args, kept)) + (f"  # {note}" if note else ""),
    )


def _elsewhere(target: str, name: str) -> str:
    """Return the call that takes an argument which training is given at another place, "" where it is none."""
    if target not in ("fit", "compile", "Sequential", "Model", "evaluate", "predict"):
        return ""
    if name in OF_OPTIMIZERS:
        return "the optimizer, as in keras.optimizers.Adam(learning_rate=...)"
    if name in OF_COMPILE and target != "compile":
        return "compile()"
    return "fit()" if name in OF_FIT and target != "fit" else ""


def _value(step: TraceStep, node: ast.expr) -> Any:
    """Return what a name, or an attribute of one, stands for where the error came up; None where it is not known."""
    if isinstance(node, ast.Name):
        return step.named(node.id)
    return getattr(_value(step, node.value), node.attr, None) if isinstance(node, ast.Attribute) else None


def _parameters(function: Any) -> Iterator[str]:
    """Yield the names of what a function takes, of a class what it and the classes above it are made with."""
    makers = [each.__dict__.get("__init__") for each in function.__mro__] if isinstance(function, type) else [function]
    for each in makers:
        try:
            parameters = inspect.signature(each).parameters.values() if callable(each) else ()
        except (TypeError, ValueError):  # written in C
            continue
        yield from (each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY))
    if isinstance(function, type) and any(each.__name__ == "Layer" for each in function.__mro__):
        yield from OF_LAYERS
