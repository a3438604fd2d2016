"""Which call of the source has made a layer."""

from __future__ import annotations

import ast
from typing import Any

from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of

AROUND = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def call_of(text: ProgramText, layer: Any, model: str) -> ast.Call | None:
    """Return the only call that can have made a layer, the last one of several in a row; None where it is not clear."""
    fitting = [each for each in text.calls(type(layer).__name__) if _can_have_made(text, each, layer)]
    fitting = [each for each in fitting if _is_known(text, each, layer)] or fitting
    fitting = [each for each in fitting if _owner(text, each) == f":{model}"] or fitting
    if not fitting or len({_owner(text, each) for each in fitting}) > 1 or not _is_known(text, fitting[-1], layer):
        return None
    inside = [each for each in text.nodes if isinstance(each, AROUND)]
    return None if any(any(node is fitting[-1] for node in ast.walk(each)) for each in inside) else fitting[-1]


def _is_known(text: ProgramText, call: ast.Call, layer: Any) -> bool:
    """Whether nothing that a call states is a function's own argument."""
    names = (each for each in _stated(call, layer).values() if isinstance(each, ast.Name))
    return all(text.value_of(each) is not None for each in names)


def _can_have_made(text: ProgramText, call: ast.Call, layer: Any) -> bool:
    known = {name: _constant(text, each) for name, each in _stated(call, layer).items()}
    real = {name: getattr(layer, name, None) for name in known}
    real["activation"] = getattr(real.get("activation"), "__name__", None)
    return all(value is None or value == real[name] for name, value in known.items())


def _stated(call: ast.Call, layer: Any) -> dict[str, ast.expr]:
    """Return what a call states of a layer's units, name and activation."""
    first = call.args[0] if call.args else None
    has_units = hasattr(layer, "units")
    stated = {
        "units": (first if first is not None else keyword_of(call, "units")) if has_units else None,
        "name": keyword_of(call, "name"),
        "activation": first if first is not None and not has_units else keyword_of(call, "activation"),
    }
    return {name: each for name, each in stated.items() if each is not None}


def _constant(text: ProgramText, node: ast.expr) -> Any:
    """Return the number or word that an expression states, None where it is not known."""
    value = node.value if isinstance(node, ast.Constant) else text.value_of(node)
    return value if isinstance(value, int | str) else None


def _owner(text: ProgramText, call: ast.Call) -> str:
    """Return which network a call adds to: the receiver of add(), the function that holds it."""
    statement = text.statement_of(call)
    value = statement.value if isinstance(statement, ast.Expr) else None
    added = isinstance(value, ast.Call) and called(value) == "add" and isinstance(value.func, ast.Attribute)
    receiver = ast.unparse(value.func.value) if added and isinstance(value, ast.Call) and isinstance(
        value.func, ast.Attribute) else ""  # fmt: skip
    if not receiver and isinstance(statement, ast.Assign) and called_sequential(statement.value):
        receiver = ast.unparse(statement.targets[0])
    functions = [each for each in text.nodes if isinstance(each, ast.FunctionDef | ast.ClassDef)]
    around = [each.name for each in functions if any(node is call for node in ast.walk(each))]
    return f"{'.'.join(around)}:{receiver}"


def called_sequential(value: ast.expr) -> bool:
    """Whether an expression is a call of Sequential(…)."""
    return isinstance(value, ast.Call) and called(value) == "Sequential"
