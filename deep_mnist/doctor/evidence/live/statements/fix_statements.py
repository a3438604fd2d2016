"""The statements of a fix, taken apart: which names they set, and the fix without some of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Set
from typing import Any

from deep_mnist.doctor.evidence.live.statements.call_line import parameter

ROLE = re.compile(r"\b(train|test)_(images|labels)(_\w+)?\b")
IN_PLACE = "in place of"  # in a fix's comment: it stands for a line of the source


def is_code(fix: str) -> bool:
    """Whether a fix is Python, and no sentence."""
    try:
        ast.parse(fix)
    except (SyntaxError, ValueError):
        return False
    return True


def of_library(fix: str, unnamed: Set[str], call: str) -> str:
    """Return a fix of what a library makes of a program's data as a sentence, "" of any other fix.

    Args:
        fix: Code on roles.
        unnamed: Roles that have no name in the program.
        call: The program's line that the library was called by.
    """
    body = fix.partition("  # ")[0]
    if not is_code(body) or unnamed.isdisjoint(match.group() for match in ROLE.finditer(body)):
        return ""
    done = ROLE.sub(lambda match: parameter(match.group()), body)
    return f"Do this to what {call} gives the network, or have the network take what it is given: {done}."


def without_roles(shared: Set[str], body: str) -> str:
    """Return statements but for what they do to names of the test split that they do to train's as well.

    Args:
        shared: Names of the test split that are train's own in the source.
        body: Of a fix; a sentence is returned as it is.
    """
    if not is_code(body):
        return body
    statements = ast.parse(body).body
    ours = {role for each in statements for role in _roles_set(each)}
    spare = {role for role in shared if role.replace("test_", "train_") in ours}
    kept: list[str] = []
    used: set[str] = set()
    for each in reversed(statements):
        text, made = _without(spare, each, body), _roles_set(each)
        read = {node.id for node in ast.walk(each) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        is_unused = bool(read & spare) and used.isdisjoint(made) and not any(map(ROLE.match, made))
        if text and not is_unused:
            kept.insert(0, text)
            used |= read
    return "; ".join(kept)


def _without(roles: Set[str], statement: ast.stmt, body: str) -> str:
    """Return a statement as it stands in `body`, but for what it does to these roles; "" where nothing is left."""
    text, made = ast.get_source_segment(body, statement) or "", _roles_set(statement)
    if not roles & set(made):
        return text
    if set(made) <= roles:
        return ""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    value = getattr(statement, "value", None)
    if not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts)):
        return text
    pairs = [(name, each) for name, each in zip(target.elts, value.elts, strict=True) if root_of(name) not in roles]
    sides = zip(*pairs, strict=True)
    return " = ".join(", ".join(ast.get_source_segment(body, each) or "" for each in side) for side in sides)


def _roles_set(statement: ast.stmt) -> list[str]:
    """Return the names that a statement sets, whole or in part: train_images of `train_images.reshape(-1)[3] = 0`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [root_of(name) for each in targets for name in (each.elts if isinstance(each, ast.Tuple) else [each])]


def root_of(expression: ast.expr) -> str:
    """Return the name that an expression begins with, "" where it begins with none."""
    node: Any = expression
    while node is not None and not isinstance(node, ast.Name):
        node = getattr(node, "value", None) or getattr(node, "func", None)
    return node.id if node is not None else ""
