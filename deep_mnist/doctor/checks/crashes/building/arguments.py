"""Methods of one's own that take less than they are given: compile, __init__, update_state of a metric."""

from __future__ import annotations

import ast
import copy
from typing import Any

from deep_mnist.doctor.checks.crashes.building.rules import CLASS_OTHERWISE
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.names.arguments import UNEXPECTED
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, function_in
from deep_mnist.doctor.finding import Finding

OF_KERAS = {  # what Keras's own method takes, which a method of one's own is to hand on
    "__init__": ("name", "dtype", "trainable", "activity_regularizer", "autocast", "reduction", "inputs", "outputs"),
    "compile": ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "jit_compile",
                "steps_per_execution", "auto_scale_loss"),
    "update_state": ("sample_weight",),
}  # fmt: skip


def explain_own_method(crash: Crash) -> Finding | None:
    """Name the method, and the lines by which it takes the argument and hands it on."""
    step = crash.user
    match = UNEXPECTED.search(crash.text)
    if step is None or match is None:
        return None
    owner, method, argument = match.groups()
    if argument not in OF_KERAS.get(method, ()):
        return None
    found = _definition(step, owner, method)
    fix = _taking(*found, argument) if found is not None else ""
    if found is None or not fix:
        return None
    told = f"def {method}({ast.unparse(found[1].args)})"
    return crash.found(CLASS_OTHERWISE, f"{method}() of {owner} that takes {argument}", told, fix)


def _definition(step: TraceStep, owner: str | None, method: str) -> tuple[ProgramText, ast.FunctionDef] | None:
    """Return a method of a class of the user's own, by the names in an error; None of a library's."""
    held: Any = vars(step.named(owner)).get(method) if owner and isinstance(step.named(owner), type) else None
    return function_in(step.frame, getattr(held, "__code__", None))


def _taking(text: ProgramText, definition: ast.FunctionDef, argument: str) -> str:
    """Return the head of a method that takes an argument, and its call of the method above; "" without that."""
    again = copy.deepcopy(definition)
    place = f"in place of {text.at(definition)}"
    if definition.name == "update_state":
        again.args.args.append(ast.arg(argument))
        again.args.defaults.append(ast.Constant(None))
        return f"{_head(again)}  # {place}"
    calls = (each for each in ast.walk(definition) if isinstance(each, ast.Call) and called(each) == definition.name)
    above = [each for each in calls if ast.unparse(each.func).startswith("super(")]
    statement = text.statement_of(above[0]) if len(above) == 1 else None
    if statement is None or definition.args.kwarg is not None or any(each.arg is None for each in above[0].keywords):
        return ""
    again.args.kwarg = ast.arg("kwargs")
    kept = [each for each in above[0].keywords if each.arg != argument]
    handed = ast.Call(above[0].func, above[0].args, [*kept, ast.keyword(None, ast.Name("kwargs", ast.Load()))])
    line = ast.unparse(statement).replace(ast.unparse(above[0]), ast.unparse(handed))
    return f"{_head(again)}  # {place}, and in place of {text.at(statement)}: {line}"


def _head(definition: ast.FunctionDef) -> str:
    told = f" -> {ast.unparse(definition.returns)}" if definition.returns is not None else ""
    return f"def {definition.name}({ast.unparse(definition.args)}){told}:"
