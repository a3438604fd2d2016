"""An attribute that a class of one's own sets, and that the library's class above it gives as a property to be read."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.rules import READ_ONLY
from deep_mnist.doctor.evidence.live.own_code import is_of_library_file
from deep_mnist.doctor.finding import Finding

REFUSED = re.compile(r"property '(\w+)' of '\w+' object has no setter")


def explain_read_only(crash: Crash) -> Finding | None:
    """Name an attribute that only the library sets, and the line with a name of one's own for it."""
    match, step = REFUSED.search(crash.text), crash.user
    if not isinstance(crash.error, AttributeError) or match is None or step is None:
        return None
    name = match.group(1)
    target = _set_on(step, name)
    if target is None or not isinstance(target.value, ast.Name):
        return None
    owner = target.value.id
    kind = type(step.named(owner))
    home = next((each for each in kind.__mro__ if isinstance(vars(each).get(name), property)), None)
    if home is None or not is_of_library_file(vars(home)[name].fget.__code__.co_filename):
        return None
    new = f"own_{name}"
    return READ_ONLY.found(
        expected=f"an attribute of {kind.__name__} that {home.__name__} does not give itself",
        received=f"{owner}.{name} = …, at {crash.place}: {name} is a property of {home.__name__} that can only be read",
        fix=re.sub(rf"\b{owner}\.{name}\b", f"{owner}.{new}", step.text) + _elsewhere(step, owner, name, new),
    )


def _set_on(step: TraceStep, name: str) -> ast.Attribute | None:
    """Return the attribute of this name that is set on the step's line."""
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store):
            if node.lineno == step.line:
                return node
    return None


def _elsewhere(step: TraceStep, owner: str, name: str, new: str) -> str:
    """Return the comment that tells the other lines of the class that read the attribute, "" without any."""
    around = [each for each in ast.walk(step.tree) if isinstance(each, ast.ClassDef)
              and each.lineno <= step.line <= (each.end_lineno or 0)]  # fmt: skip
    read = sorted({
        node.lineno for each in around for node in ast.walk(each)
        if isinstance(node, ast.Attribute) and node.attr == name and node.lineno != step.line
        and isinstance(node.value, ast.Name) and node.value.id == owner
    })  # fmt: skip
    lines = f"line{'s' * (len(read) > 1)} {', '.join(map(str, read))}"
    return f"  # and {owner}.{new} in {lines}" if read else ""
