"""Expressions of a statement put in the place of others, which are known by where they stand."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

Code = TypeVar("Code", ast.stmt, ast.expr)
Extent = tuple[str, int, int, int | None, int | None]


def extent_of(node: ast.expr) -> Extent:
    """Return an expression's kind and where it begins and ends: the same for a copy of it."""
    return type(node).__name__, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def exchanged(statement: Code, changes: Iterable[tuple[ast.expr, ast.expr]]) -> Code:
    """Return a copy of code with other expressions: of each pair the second one in the place of the first."""
    again = copy.deepcopy(statement)
    changed = _Exchange({extent_of(old): new for old, new in changes}).visit(again)
    return cast(Code, ast.fix_missing_locations(changed))


class _Exchange(ast.NodeTransformer):
    def __init__(self, new: Mapping[Extent, ast.expr]) -> None:
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the other expression for one that is exchanged, all else with its parts visited."""
        new = self.new.get(extent_of(node)) if isinstance(node, ast.expr) else None
        if new is not None:
            return new
        visited: ast.AST = self.generic_visit(node)
        return visited
