"""The user's own code around an error: what a layer is called there, and a line of it with a change."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep

FIRST_ARGUMENT = ("units", "filters", "rate", "pool_size", "target_shape", "n", "input_dim")


def told(layer: Any) -> str:
    """Return a layer by its class and name."""
    return f"{type(layer).__name__} '{layer.name}'" if getattr(layer, "name", None) else type(layer).__name__


def shape_text(shape: Any) -> str:
    """Return a shape, or several, as Keras writes them."""
    if isinstance(shape, list):
        return " and ".join(map(shape_text, shape))
    return str(tuple(shape)) if shape is not None else "an unknown shape"


def spoken(crash: Crash, name: str) -> str:
    """Return what the user's code calls a layer of Keras: Reshape, layers.Reshape, keras.layers.Reshape, …"""
    names: dict[str, Any] = {}
    for step in crash.steps:
        if step.is_own:
            names |= step.frame.f_globals
    if isinstance(names.get(name), type):
        return name
    for held in ("layers", "L", "kl"):
        if isinstance(names.get(held), ModuleType) and hasattr(names[held], name):
            return f"{held}.{name}"
    for held, path in (("keras", "keras.layers"), ("tf", "tf.keras.layers"), ("tensorflow", "tensorflow.keras.layers")):
        if isinstance(names.get(held), ModuleType):
            return f"{path}.{name}"
    return f"keras.layers.{name}"


def calls_named(step: TraceStep, name: str) -> Iterator[ast.Call]:
    """Yield the calls of a class or function in the file of a frame, in the order of its lines."""
    found = [node for node in ast.walk(step.tree) if isinstance(node, ast.Call) and _last(node.func) == name]
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def made_at(crash: Crash, layer: Any) -> ast.Call | None:
    """Return the call that made a layer: of its class, with its arguments, before the error; None where unclear."""
    steps = [each for each in crash.steps if each.is_own]
    for step in reversed(steps):
        found = [node for node in calls_named(step, type(layer).__name__) if _fits(node, layer)]
        if len(found) > 1:
            named = [node for node in found if _literal(_keyword(node, "name")) == layer.name]
            is_last = layer is crash.layer
            here = [node for node in found if is_last and node.lineno <= step.line <= (node.end_lineno or node.lineno)]
            before = [node for node in found if node.lineno < step.line + is_last]
            found = named[:1] or here[-1:] or before[-1:] or found[:1]
        if found:
            return found[0]
    return None


def _fits(node: ast.Call, layer: Any) -> bool:
    """Whether a call may have made a layer: what it states as numbers is what the layer has."""
    stated = {each.arg: _literal(each.value) for each in node.keywords if each.arg}
    if node.args and not isinstance(node.args[0], ast.Starred):
        own = next((name for name in FIRST_ARGUMENT if hasattr(layer, name)), None)
        if own is not None:
            stated[own] = _literal(node.args[0])
    return all(
        _same(value, getattr(layer, name))
        for name, value in stated.items()
        if value is not None and hasattr(layer, name)
    )


def _same(stated: Any, held: Any) -> bool:
    if isinstance(stated, bool) and isinstance(held, bool):
        return stated == held
    if isinstance(stated, bool) or not isinstance(stated, int | float | tuple):
        return True
    if isinstance(held, tuple | list) and isinstance(stated, int | float):
        return all(each == stated for each in held)
    return bool(stated == (tuple(held) if isinstance(held, list) else held)) or callable(held)


def _literal(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError):
        return None


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg == name), None)


def with_keywords(crash: Crash, layer: Any, **changed: str) -> str:
    """Return the call that made a layer with these arguments, given as code."""
    node = made_at(crash, layer)
    if node is None:
        config = next((str(getattr(layer, name)) for name in FIRST_ARGUMENT if hasattr(layer, name)), "")
        config = "" if not (config.isdigit() or config.startswith("(")) else config
        stated = ", ".join([*([config] if config else []), *(f"{name}={value}" for name, value in changed.items())])
        return f"{spoken(crash, type(layer).__name__)}({stated})"
    return changed_call(node, changed)


def changed_call(node: ast.Call, changed: Mapping[str, str], drop: tuple[str, ...] = ()) -> str:
    """Return a call with some keyword arguments, given as code, in the place of its own and of those to drop."""
    kept = [each for each in node.keywords if each.arg not in changed and each.arg not in drop]
    new = [ast.keyword(name, ast.parse(value, mode="eval").body) for name, value in changed.items()]
    return ast.unparse(ast.Call(node.func, node.args, [*kept, *new]))


def at_line(node: ast.AST | None) -> str:
    line = getattr(node, "lineno", None)
    return f" at line {line}" if line else ""


def inserted(crash: Crash, code: str) -> str:
    """Return the line that puts a layer, given as code, before the one that failed, as the user builds the network."""
    step = crash.user
    call = step.call if step is not None else None
    if call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "add":
        return f"{ast.unparse(call.func)}({code})"
    is_tried = step is not None and step.frame is crash.caller
    if call is not None and call.args and not is_tried and _is_layer_call(call):
        value = call.args[0]
        if isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
            return f"{ast.unparse(value)} = {code}({ast.unparse(value)})"
        return f"{code}({ast.unparse(value)})"
    if step is not None and any(_last(node.func) == "add" and node.args for node in calls_named(step, "add")):
        owner = next(node for node in calls_named(step, "add") if node.args)
        return f"{ast.unparse(owner.func)}({code})"
    return f"{code},"


def restated_input(crash: Crash, layer: Any, shape: Any, new: tuple[int, ...]) -> str:
    """Return the call that states the network's input shape with another one; "" where it is not found or not alone."""
    own = made_at(crash, layer)
    if own is not None and (_keyword(own, "input_shape") is not None or _keyword(own, "input_dim") is not None):
        return changed_call(own, {"input_shape": str(new)}, ("input_dim", "input_length"))
    found = []
    for step in (each for each in crash.steps if each.is_own):
        for name in ("Input", "InputLayer"):
            found += [node for node in calls_named(step, name) if _states(node, shape)]
    distinct = {(node.lineno, node.col_offset): node for node in found}
    if len(distinct) != 1:
        return ""
    node = next(iter(distinct.values()))
    if _keyword(node, "shape") is not None:
        return changed_call(node, {"shape": str(new)})
    return ast.unparse(ast.Call(node.func, [ast.parse(str(new), mode="eval").body, *node.args[1:]], node.keywords))


def _states(node: ast.Call, shape: Any) -> bool:
    stated = _literal(_keyword(node, "shape") or (node.args[0] if node.args else None))
    return isinstance(stated, tuple | list) and tuple(stated) == tuple(shape)


def assigned(name: str, value: str) -> str:
    """Return `name = value` where the name may be assigned to, else the value alone, which goes in its place."""
    plain = all(each.isidentifier() for each in name.split("."))
    return f"{name} = {value}" if plain else value


def given_array(crash: Crash) -> str:
    """Return what the user's line calls the array that it gives a layer or model directly; "" where it is no array."""
    step = crash.user
    call = step.call if step is not None else None
    if call is None or step is None or step.function == "call" or step.frame is crash.caller or not call.args:
        return ""
    is_array = type(crash.symbol).__module__.partition(".")[0] in ("numpy", "tensorflow") or type(
        crash.symbol
    ).__name__ in ("EagerTensor", "ndarray")
    return ast.unparse(call.args[0]) if is_array and _is_layer_call(call) else ""


def _is_layer_call(call: ast.Call) -> bool:
    """Whether a call is layer(tensor): of a call, `self.dense(x)`, or of a name that is no class."""
    if isinstance(call.func, ast.Call):
        return True
    last = _last(call.func)
    return (
        bool(last) and not last[:1].isupper() and last not in ("fit", "evaluate", "predict", "add", "build", "summary")
    )


def with_first(crash: Crash, layer: Any, value: int) -> str:
    """Return the call that made a layer with another first argument: its units or filters."""
    node = made_at(crash, layer)
    name = next((each for each in FIRST_ARGUMENT if hasattr(layer, each)), "units")
    if node is None or not node.args:
        return (
            with_keywords(crash, layer, **{name: str(value)})
            if node is not None
            else (f"{spoken(crash, type(layer).__name__)}({value})")
        )
    return ast.unparse(ast.Call(node.func, [ast.Constant(value), *node.args[1:]], node.keywords))


def argument(crash: Crash, place: int, name: str) -> str:
    """Return an argument of the user's call as it stands there, `name` itself where it cannot be told."""
    call = crash.user.call if crash.user is not None else None
    if call is None:
        return name
    node = _keyword(call, name)
    if node is None and place < len(call.args) and not any(isinstance(each, ast.Starred) for each in call.args):
        node = call.args[place]
    return ast.unparse(node) if node is not None else name


def receiver(crash: Crash) -> str:
    """Return what the user's call is a method of: `model` of `model.fit(…)`."""
    call = crash.user.call if crash.user is not None else None
    return ast.unparse(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else "model"
