"""Numbers of numpy, and floats, where a layer takes an int of Python alone: a number of units, a kernel's size."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, is_layer
from deep_mnist.doctor.checks.crashes.names.arguments import line_with
from deep_mnist.doctor.checks.crashes.rules import NOT_AN_INT
from deep_mnist.doctor.checks.crashes.source_code import made_at
from deep_mnist.doctor.finding import Finding

OF_STATES = re.compile(r"(output|state)_size must be an integer")  # of a recurrent layer that is built


def explain_number(crash: Crash) -> Finding | None:
    """Name the argument that is no int, and the user's line with one."""
    for step, call, layer, name, value in _arguments(crash):
        given = _given(call, type(layer), name)
        if given is None or not isinstance(value, np.integer | float | np.floating):
            continue
        new = ast.Call(ast.Name("int", ast.Load()), [given], [])
        mended = ast.Call(
            call.func,
            [new if each is given else each for each in call.args],
            [ast.keyword(each.arg, new if each.value is given else each.value) for each in call.keywords],
        )
        kind = f"numpy.{type(value).__name__}" if isinstance(value, np.generic) else "float"
        return NOT_AN_INT.found(
            expected=f"an int of Python as {name} of {type(layer).__name__}",
            received=f"{ast.unparse(given)}, the {kind} {value}, at {crash.place}",
            fix=line_with(step, call, mended),
        )
    return None


def _arguments(crash: Crash) -> Iterator[tuple[TraceStep, ast.Call, Any, str, Any]]:
    """Yield the arguments that the error speaks of: the user's frame, the layer's call, the layer, name and value."""
    user = crash.user
    if user is None:
        return
    if OF_STATES.search(crash.text) and (made := made_at(crash, crash.layer)) is not None:
        yield user, made, crash.layer, "units", getattr(crash.layer, "units", None)
        return
    behind = crash.steps[crash.steps.index(user) + 1 :]
    own = next((each for each in behind if each.function == "__init__" and is_layer(each.held.get("self"))), None)
    if own is None or user.call is None:
        return
    for name, value in own.held.items():
        if re.search(rf"\b{name}\b", crash.text):
            yield user, user.call, own.held["self"], name, value


def _given(call: ast.Call, kind: type, name: str) -> ast.expr | None:
    """Return what a call of a class states for a parameter, None where it does not or cannot be told."""
    stated = {each.arg: each.value for each in call.keywords}
    if name in stated or None in stated or any(isinstance(each, ast.Starred) for each in call.args):
        return stated.get(name)
    return dict(zip(inspect.signature(kind).parameters, call.args, strict=False)).get(name)
