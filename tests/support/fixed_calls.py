"""Apply a fix to a call of fit: other arguments, another callback of the same class, statements on the model."""

from __future__ import annotations

import ast
from dataclasses import replace
from types import CodeType
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.fit_call import FACTS, FitCall

BATCHES = 2  # of an epoch, where a call does not say how many


def fixed(call: FitCall, fix: str, names: dict[str, Any] | None = None) -> FitCall | None:
    """Return the call after a fix as a reader would apply it; None where it is a sentence and no Python.

    Args:
        call: As the program made it.
        fix: Of a finding.
        names: Of the program's own.
    """
    import keras

    try:
        statements = ast.parse(fix).body
    except SyntaxError:
        return None
    space = {"np": np, "keras": keras, **(names or {}), "model": call.model}
    for statement in statements:
        text = ast.unparse(statement)
        if isinstance(statement, ast.Expr) and ".fit(" in text and "fit(..." not in text:
            continue  # what else stands on the line that the fix is written in place of
        if isinstance(statement, ast.Expr) and text.startswith("model.fit(..., "):
            call = _with_arguments(
                call, {each.arg: eval(_code(each.value), space) for each in statement.value.keywords}
            )
        elif isinstance(statement, ast.Expr) and text.startswith("keras.callbacks."):
            call = _with_callback(call, eval(_code(statement.value), space))
        else:
            exec(compile(ast.Module([statement], []), "<fix>", "exec"), space)
    return replace(call, model=space["model"])


def _code(node: Any) -> CodeType:
    return compile(ast.Expression(node), "<fix>", "eval")


def _with_arguments(call: FitCall, stated: dict[str, Any]) -> FitCall:
    facts = {**call.facts, **{name: value for name, value in stated.items() if name in FACTS}}
    facts = {name: value for name, value in facts.items() if value is not None}
    return replace(call, facts=facts, arguments={**call.arguments, **stated})


def _with_callback(call: FitCall, made: Any) -> FitCall:
    """Return the call with a callback in the place of the one of its class."""
    held = call.arguments["callbacks"]
    changed = [made if each is type(made) or type(each) is type(made) else each for each in held]
    return replace(call, arguments={**call.arguments, "callbacks": changed})


def trained(call: FitCall, epochs: int = 2) -> Any:
    """Return the history of the call, made for a few epochs of a few batches each.

    A step runs as it is written: to trace a graph for a few of them takes several times as long.

    Args:
        call: As the program made it, or fixed.
        epochs: At most.
    """
    stated = {name: each for name, each in call.arguments.items() if name not in ("x", "y", "validation_data")}
    last = min(int(stated.get("epochs", 1)), (stated.get("initial_epoch") or 0) + epochs)
    few = {"steps_per_epoch": BATCHES, "validation_steps": BATCHES, **stated, "epochs": last, "verbose": 0}
    eagerly, call.model.run_eagerly = call.model.run_eagerly, True
    try:
        return call.model.fit(call.x, call.y, validation_data=call.validation, **few)
    finally:
        call.model.run_eagerly = eagerly
