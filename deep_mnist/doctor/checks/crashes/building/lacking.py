"""What classes and functions of one's own lack: get_config(), one parameter for all inputs, arguments of a loss."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.building.rules import CLASS_OTHERWISE
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, function_in
from deep_mnist.doctor.finding import Finding

Told = tuple[str, str, str]  # expected, received, fix
NO_CONFIG = re.compile(r"Object (\w+) was created by passing\s+non-serializable argument values")
NO_INPUT = re.compile(r"missing a required argument: '(\w+)'")
NO_LABELS = re.compile(r"(\w+)\(\) missing \d+ required positional arguments?: ")
MAPPED = re.compile(r"(?:tf__)?(\w+)\(\) takes 1 positional argument but (\d) were given")
TARGETS = re.compile(r"y_?true|true|y|labels?|targets?")


def explain_lacking(crash: Crash) -> Finding | None:
    """Name the method or parameter, and the line that it lacks."""
    step = crash.user
    if step is None:
        return None
    ways: tuple[Callable[[Crash, TraceStep], Told | None], ...] = (_no_config, _several_inputs, _loss, _pairs)
    found = next((told for way in ways if (told := way(crash, step)) is not None), None)
    return crash.found(CLASS_OTHERWISE, *found) if found is not None else None


def _defined(step: TraceStep, function: Any) -> tuple[ProgramText, ast.FunctionDef] | tuple[None, None]:
    """Return a function's text and definition; nothing of None, and of a library's without source."""
    return function_in(step.frame, getattr(function, "__code__", None)) or (None, None)


def _no_config(crash: Crash, step: TraceStep) -> Told | None:
    """A layer or model that is saved, and made of what Keras cannot write down."""
    match, held = NO_CONFIG.search(crash.text), crash.find("self", "get_config")
    text, init = _defined(step, type(held).__init__ if match is not None and held is not None else None)
    if text is None or init is None or match is None:
        return None
    names = [each.arg for each in (*init.args.args[1:], *init.args.kwonlyargs)]
    stored = {each.value.id: each.targets[0] for each in ast.walk(init) if isinstance(each, ast.Assign)
              and isinstance(each.value, ast.Name) and isinstance(each.targets[0], ast.Attribute)}  # fmt: skip
    parts, made_again = [], []
    for name in (each for each in names if each in stored):
        attribute = ast.unparse(stored[name])
        value = getattr(held, stored[name].attr, None)
        parts.append(f"{name!r}: {_written(attribute, value)}")
        if callable(value):
            again = f"{name} if callable({name}) else keras.saving.deserialize_keras_object({name})"
            made_again.append(f", and in place of {text.at(stored[name])}: {attribute} = {again}")
    head = f"def get_config(self): return {{**super().get_config(), {', '.join(parts)}}}"
    fix = f"{head}  # in class {match[1]}, behind {text.at(init.body[-1])}{''.join(made_again)}"
    if len(parts) < len(names):
        lost = ", ".join(each for each in names if each not in stored)
        fix = (
            f"Keep {lost} as attributes in __init__ of {match[1]}, and give it get_config(), which returns all of them."
        )
    return f"get_config() of {match[1]}, by which it can be made again", f"{match[1]}, saved without", fix


def _written(attribute: str, value: Any) -> str:
    if callable(value):
        return f"keras.saving.serialize_keras_object({attribute})"
    return f"{attribute}.tolist()" if isinstance(value, np.ndarray | np.generic) else attribute


def _several_inputs(crash: Crash, step: TraceStep) -> Told | None:
    """`def call(self, a, b)` of a model, which fit gives one list."""
    match, model = NO_INPUT.search(crash.text), crash.model
    if match is not None and match[1] in ("training", "mask"):
        return _no_default(crash, step, match[1])
    text, call = _defined(step, getattr(type(model), "call", None) if match is not None else None)
    if text is None or call is None or match is None:
        return None
    needed = [each.arg for each in call.args.args[1 : len(call.args.args) - len(call.args.defaults)]]
    if match[1] not in needed[1:]:
        return None
    rest = ast.unparse(call.args).split(", ")[1 + len(needed) :]
    head = f"def call({', '.join(['self', 'inputs', *rest])}):  # in place of {text.at(call)}"
    return (
        f"one parameter for all inputs in call() of {type(model).__name__}",
        f"def call({ast.unparse(call.args)}), which fit gives one list",
        f"{head}, and before {text.at(call.body[0])}: {', '.join(needed)} = inputs",
    )


def _no_default(crash: Crash, step: TraceStep, name: str) -> Told | None:
    """`def call(self, x, training)` of a layer that is called on x alone."""
    layer = crash.layer if crash.layer is not None else crash.model
    text, call = _defined(step, getattr(type(layer), "call", None))
    if text is None or call is None or [each.arg for each in call.args.args][-1:] != [name] or call.args.defaults:
        return None
    told = ast.unparse(call.args)
    return (
        f"a default for {name} in call() of {type(layer).__name__}",
        f"def call({told}), called without it",
        f"def call({told}=None):  # in place of {text.at(call)}",
    )


def _loss(crash: Crash, step: TraceStep) -> Told | None:
    """`loss=weighted(0.3)` of `def weighted(y_true, y_pred, weight)`."""
    match = NO_LABELS.search(crash.text)
    compiled = [each for each in calls_at(step, "compile") if match is not None]
    calls = [each for of in compiled for each in ast.walk(of) if isinstance(each, ast.Call)
             and match is not None and called(each) == match[1]]  # fmt: skip
    _, made = _defined(step, step.named(match[1]) if match is not None and len(calls) == 1 else None)
    names = [each.arg for each in made.args.args] if made is not None else []
    if len(names) < 3 or not TARGETS.fullmatch(names[0].lower()) or len(calls[0].args) > len(names) - 2:
        return None
    given = ", ".join([*names[:2], *map(ast.unparse, calls[0].args), *map(ast.unparse, calls[0].keywords)])
    function = f"lambda {names[0]}, {names[1]}: {ast.unparse(calls[0].func)}({given})"
    return (
        "a function of targets and predictions",
        f"{ast.unparse(calls[0])}, which calls it at once, without both",
        line_changed(step, [(calls[0], function)]),
    )


def _pairs(crash: Crash, step: TraceStep) -> Told | None:
    """`ds.map(function)` of a function that takes one element whole."""
    match = MAPPED.search(crash.text)
    calls = [each for each in calls_at(step, "map") if match is not None and each.args
             and isinstance(each.args[0], ast.Name) and each.args[0].id == match[1]]  # fmt: skip
    if match is None or len(calls) != 1:
        return None
    return (
        f"a function of {match[2]} parameters: map() gives the parts of an element one by one",
        f"{match[1]}, which takes one",
        line_changed(step, [(calls[0].args[0], f"lambda *parts: {match[1]}(parts)")]),
    )
