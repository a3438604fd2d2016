"""Sessions of TensorFlow 1: feeds, variables, gradients and graphs that do not fit one another."""

from __future__ import annotations

import ast
import re
from types import ModuleType
from typing import Any

from deep_mnist.doctor.checks.crashes.building.reshapes import operation_of
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.layers import parsed_shape
from deep_mnist.doctor.checks.crashes.rules import FEED_KIND, FEED_MISSING, FEED_SHAPE
from deep_mnist.doctor.finding import Finding

FEED = re.compile(r"Cannot feed value of shape (\([^)]*\)) for Tensor ([\w/:.]+), which has shape (\([^)]*\))")
UNFED = re.compile(
    r"You must feed a value for placeholder tensor '([\w/.]+)' with dtype (\w+)(?: and shape (\[[^\]]*\]))?"
)
FED_TENSOR = re.compile(r"The value of a feed cannot be a tf\.Tensor object.*?key Tensor\(\"([\w/:.]+)\"", re.S)


def explain_feed(crash: Crash) -> Finding | None:
    """Name a placeholder, its shape and what it is fed, or that it is not fed at all."""
    if (match := FEED.search(crash.text)) is not None:
        got, takes = parsed_shape(match.group(1)), parsed_shape(match.group(3).replace("?", "None"))
        name, value = _fed(crash, match.group(2))
        return FEED_SHAPE.found(
            "train",
            expected=f"{feed_shape_text(takes)} for {name}",
            received=f"{value} of {feed_shape_text(got)}",
            fix=f"{name}: {_mended_feed(value, takes, got)}  # in feed_dict",
        )
    if (match := FED_TENSOR.search(crash.text)) is not None:
        name, value = _fed(crash, match.group(1))
        session = session_name(crash)
        return FEED_KIND.found(
            expected=f"an array for {name}",
            received=f"{value}, a tensor of the graph",
            fix=f"{name}: {session}.run({value})  # in feed_dict",
        )
    return _unfed(crash)


def _unfed(crash: Crash) -> Finding | None:
    match = UNFED.search(crash.text)
    if match is None:
        return None
    name = own_name(crash, f"{match.group(1)}:0")
    shape = parsed_shape(match.group(3) or "")
    operation = operation_of(crash, match.group(1))
    rank = operation.outputs[0].shape.rank if operation is not None else len(shape)
    value = (
        "1.0"
        if rank in (0, None) and match.group(2) in ("float", "double")
        else "False"
        if match.group(2) == "bool"
        else "…"
    )
    held = _feeds(crash)
    others = [f"{ast.unparse(key)}: {ast.unparse(each)}" for key, each in held] if held else []
    return FEED_MISSING.found(
        expected=f"a value for {name} ({match.group(2)}{', ' + match.group(3) if match.group(3) else ''})",
        received=f"feed_dict={{{', '.join(others)}}}" if others else "a run without it",
        fix=f"feed_dict={{{', '.join([*others, f'{name}: {value}'])}}}",
    )


def _mended_feed(value: str, takes: tuple[Any, ...], got: tuple[Any, ...]) -> str:
    """Return the value as an array of the placeholder's shape."""
    whole = value if value.replace("_", "a").replace(".", "a").isalnum() or value.endswith((")", "]")) else f"({value})"
    if (
        len(takes) == 2
        and len(got) == 1
        and takes[1] is not None
        and takes[1] > 1
        and (takes[0] is None or takes[0] == got[0])
    ):
        if got[0] == takes[1]:
            return f"{whole}[None]"
        return f"np.eye({takes[1]})[{value}]"
    if len(takes) == 1 and len(got) == 2 and got[1] > 1:
        return f"{whole}.argmax(axis=1)"
    if len(takes) == len(got) + 1 and takes[-1] == 1:
        return f"{whole}[..., None]"
    if not takes:
        return f"{whole}.item()"
    return f"{whole}.reshape({', '.join('-1' if each is None else str(each) for each in takes)})"


def _feeds(crash: Crash) -> list[tuple[ast.expr, ast.expr]]:
    call = crash.user.call if crash.user is not None else None
    if call is None:
        return []
    given = next(
        (each.value for each in call.keywords if each.arg == "feed_dict"), call.args[1] if len(call.args) > 1 else None
    )
    if isinstance(given, ast.Name) and crash.user is not None:
        assigned = [
            node.value for node in ast.walk(crash.user.tree)
            if isinstance(node, ast.Assign) and any(ast.unparse(each) == given.id for each in node.targets)
        ]  # fmt: skip
        given = assigned[-1] if assigned else None
    if not isinstance(given, ast.Dict):
        return []
    return [(key, value) for key, value in zip(given.keys, given.values, strict=True) if key is not None]


def _fed(crash: Crash, tensor: str) -> tuple[str, str]:
    """Return what a placeholder and its value are called in the user's feed_dict."""
    name = own_name(crash, tensor)
    for key, value in _feeds(crash):
        if ast.unparse(key) == name:
            return name, ast.unparse(value)
    held = _feeds(crash)
    if len(held) == 1:
        return ast.unparse(held[0][0]), ast.unparse(held[0][1])
    return name, "its value"


def own_name(crash: Crash, tensor: str) -> str:
    """Return what the user calls a tensor of a graph."""
    for step in reversed([each for each in crash.steps if each.is_own]):
        for space in (step.held, step.frame.f_globals):
            for name, value in list(space.items()):
                if not name.startswith("_") and getattr(value, "name", None) == tensor and hasattr(value, "op"):
                    return name
    return tensor.partition(":")[0]


def session_name(crash: Crash) -> str:
    call = crash.user.call if crash.user is not None else None
    return ast.unparse(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else "sess"


def tensorflow_name(crash: Crash) -> str:
    """Return the user's name for TensorFlow 1's interface."""
    space = crash.user.frame.f_globals if crash.user is not None else {}
    found = [
        name
        for name, value in space.items()
        if isinstance(value, ModuleType) and value.__name__.startswith("tensorflow") and hasattr(value, "get_variable")
    ]
    return "tf" if "tf" in found else found[0] if found else "tf.compat.v1"


def feed_shape_text(shape: tuple[Any, ...]) -> str:
    return str(tuple("?" if each is None else each for each in shape)).replace("'", "")
