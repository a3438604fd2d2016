"""What the values in a program are made of: the expressions that flow into them, read backwards from a place.

Only the statements of one function, or of the module, are followed; what another function does is not looked into.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from deep_mnist.doctor.evidence.live.source_text import ProgramText, called

ADDING = ("append", "extend", "insert", "add", "update")
SPLITTERS = ("train_test_split",)  # each array's two parts in turn

Place = tuple[int, int]  # line and column


class Setting(NamedTuple):
    """One value that a name is given.

    Attributes:
        name: That is set.
        value: The whole expression.
        follows: The part of it that the name is made of.
        at: Of the statement.
        replaces: What the name stood for before is gone.
    """

    name: str
    value: ast.expr
    follows: ast.expr
    at: Place
    replaces: bool


class Lineage:
    """The settings of the names of the code that a frame runs, or of other statements of its program."""

    def __init__(self, text: ProgramText, body: list[ast.stmt] | None = None) -> None:
        self.text = text
        own = text.function_at(text.frame.f_code) if body is None else None
        self.body = body if body is not None else own.body if own is not None else getattr(text.tree, "body", [])
        self.settings = sorted(_settings(self.body, sure=True), key=lambda each: each.at)

    def of(self, expression: ast.expr, at: Place, until: str = "") -> list[ast.expr]:
        """Return an expression and every value that flows into it, as the names stand before a place.

        Args:
            expression: Of the program.
            at: The place.
            until: What a call of this name is given is not followed.
        """
        found = {id(expression): expression}
        waiting = [(name, at) for name in data_in(expression, until)]
        seen = set(waiting)
        while waiting:
            for setting in self.before(*waiting.pop()):
                found[id(setting.value)] = setting.value
                more = {(name, setting.at) for name in data_in(setting.follows, until)} - seen
                waiting += more
                seen |= more
        return list(found.values())

    def before(self, name: str, at: Place) -> Iterator[Setting]:
        """Yield what a name was given before a place, the last first, up to what replaced all else.

        In `a = f(a)` the a within is what it was before.
        """
        for setting in reversed(self.settings):
            if setting.name == name and setting.at < at and not _is_within(setting.value, at):
                yield setting
                if setting.replaces:
                    return

    def stands(self, expression: ast.expr, since: Place, until: Place) -> bool:
        """Whether no name of an expression is set between two places."""
        names = names_in(expression)
        return not any(each.name in names and since[0] <= each.at[0] and each.at < until for each in self.settings)

    def function(self, name: str) -> ast.FunctionDef | None:
        """Return the module's only function of a name, None without."""
        tree = getattr(self.text.tree, "body", [])
        found = [each for each in tree if isinstance(each, ast.FunctionDef) and each.name == name]
        return found[0] if len(found) == 1 else None


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Return where a node begins."""
    return node.lineno, node.col_offset


def _is_within(node: ast.expr, at: Place) -> bool:
    return place_of(node) <= at < (node.end_lineno or 0, node.end_col_offset or 0)


def names_in(node: ast.AST) -> list[str]:
    """Return the names that an expression reads, once each."""
    return list(dict.fromkeys(each.id for each in ast.walk(node) if isinstance(each, ast.Name)))


def data_in(node: ast.AST, until: str = "") -> set[str]:
    """Return the names that an expression's values come from: not those of bounds that it is cut at, nor of lengths."""
    if until and isinstance(node, ast.Call) and called(node) == until:
        return set()
    if isinstance(node, ast.Slice) or (isinstance(node, ast.Attribute) and node.attr == "shape"):
        return set()
    if isinstance(node, ast.Call) and called(node) == "len":
        return set()
    own = {node.id} if isinstance(node, ast.Name) else set()
    return own | {name for child in ast.iter_child_nodes(node) for name in data_in(child, until)}


def nodes_behind(node: ast.AST, *names: str) -> Iterator[ast.AST]:
    """Yield the nodes of an expression, without those of what calls of these names are given."""
    yield node
    if not (isinstance(node, ast.Call) and called(node) in names):
        for child in ast.iter_child_nodes(node):
            yield from nodes_behind(child, *names)


def calls_in(values: Sequence[ast.AST], *names: str) -> list[ast.Call]:
    """Return the calls of functions or methods of these names within some nodes, in the order of lines."""
    found = [
        each for value in values for each in ast.walk(value) if isinstance(each, ast.Call) and called(each) in names
    ]
    return sorted({id(each): each for each in found}.values(), key=place_of)


def _settings(body: Sequence[ast.stmt], *, sure: bool) -> Iterator[Setting]:
    """Yield the settings of statements, and of those within them.

    Args:
        body: The statements.
        sure: They are run whenever those around them are.
    """
    for statement in body:
        yield from _own_settings(statement, sure)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        branches = isinstance(statement, ast.If | ast.Try)
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list):
                yield from _settings(inner, sure=sure and not branches)


def _own_settings(statement: ast.stmt, sure: bool) -> Iterator[Setting]:
    at = place_of(statement)
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _to_target(target, statement.value, statement.value, at, sure)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign) and statement.value is not None:
        yield from _to_target(
            statement.target, statement.value, statement.value, at, isinstance(statement, ast.AnnAssign)
        )
    elif isinstance(statement, ast.For):
        yield from _to_target(statement.target, statement.iter, statement.iter, at, sure)
    elif isinstance(statement, ast.With):
        for item in statement.items:
            if item.optional_vars is not None:
                yield from _to_target(item.optional_vars, item.context_expr, item.context_expr, at, sure)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        owner = statement.value.func.value if isinstance(statement.value.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and called(statement.value) in ADDING:
            yield Setting(owner.id, statement.value, statement.value, at, False)


def _to_target(target: ast.expr, value: ast.expr, follows: ast.expr, at: Place, sure: bool) -> Iterator[Setting]:
    if isinstance(target, ast.Name):
        yield Setting(target.id, value, follows, at, sure)
    elif isinstance(target, ast.Tuple | ast.List):
        pairs = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        split = isinstance(value, ast.Call) and called(value) in SPLITTERS and 2 * len(value.args) == len(target.elts)
        for index, each in enumerate(target.elts):
            part = value.elts[index] if pairs and isinstance(value, ast.Tuple | ast.List) else value
            made_of = value.args[index // 2] if split and isinstance(value, ast.Call) else part
            yield from _to_target(each, part, made_of, at, sure)
    elif isinstance(target, ast.Starred):
        yield from _to_target(target.value, value, follows, at, sure)
    elif isinstance(target, ast.Subscript | ast.Attribute):
        for owner in names_in(target.value)[:1]:
            yield Setting(owner, value, follows, at, False)
