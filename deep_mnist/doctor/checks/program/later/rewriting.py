"""Statements of a program with some of their expressions replaced, as the fix of what comes after a fit."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from deep_mnist.doctor.evidence.live.following import Use
from deep_mnist.doctor.evidence.live.source_text import statements_around
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE

MOST_STATEMENTS = 4


def rewritten(found: Sequence[tuple[Use, ast.expr, ast.expr]]) -> str:
    """Return the statements anew, and in place of which lines they stand; those of another function each by itself.

    Of one that holds a block, as `if` does, its first line alone.

    Args:
        found: Each with the expression that is replaced and the one in its place.
    """
    statements = list({id(use.statement): use for use, _, _ in found}.values())[:MOST_STATEMENTS]
    if any(hasattr(each.statement, "body") for each in statements):
        statements = statements[:1]
    functions: dict[int, tuple[list[str], list[str]]] = {}
    for use in statements:
        changes = [(old, new) for other, old, new in found if other.statement is use.statement]
        lines, places = functions.setdefault(_function_of(use), ([], []))
        lines.append(_anew(use.statement, changes))
        places.append(use.scope.text.at(use.statement))
    (lines, places), *others = functions.values()
    further = [f", and {IN_PLACE} {' and '.join(at)}: {'; '.join(again)}" for again, at in others]
    return f"{'; '.join(lines)}  # {IN_PLACE} {' and '.join(places)}{''.join(further)}"


def _function_of(use: Use) -> int:
    """Return what tells the function that a statement stands in from others."""
    return id(statements_around(use.scope.text.tree, use.statement.lineno)[0])


def _anew(statement: ast.stmt, changes: Sequence[tuple[ast.expr, ast.expr]]) -> str:
    return ast.unparse(exchanged(_head(statement), changes)).splitlines()[0]


def _head(statement: ast.stmt) -> ast.stmt:
    """Return a statement without the block that it holds."""
    if not hasattr(statement, "body"):
        return statement
    head = copy.copy(statement)
    for name in ("body", "orelse"):
        if hasattr(head, name):
            setattr(head, name, [ast.Pass()] if name == "body" else [])
    return head
