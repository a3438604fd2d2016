"""The line of a call written anew: what it is given by an expression gets a name there, on which a fix can work."""

from __future__ import annotations

import ast
import copy
import itertools
import re
from collections.abc import Mapping
from types import FrameType
from typing import Any

from deep_mnist.doctor.evidence.live.statements.exchange import extent_of

LONGEST = 1200  # characters of a statement, or of its line, that is shown as a fix


def with_arguments(tree: ast.AST, call: ast.Call, body: str, named: Mapping[str, str]) -> str:
    """Return the line of a call that names some of its arguments, changes them and is given the names; "" of none.

    Args:
        tree: That holds the call.
        call: In a plain statement.
        body: Statements on the names.
        named: Name -> the expression that the call is given.
    """
    statement = statement_of(tree, call)
    if not isinstance(statement, ast.Assign | ast.Expr | ast.Return):
        return ""
    again = copy.deepcopy(statement)
    place = extent_of(call)
    inner = next((each for each in ast.walk(again) if isinstance(each, ast.Call) and extent_of(each) == place), None)
    if inner is None:
        return ""
    names = _Names(named)
    arguments: list[Any] = [inner.args, inner.keywords]
    for held in arguments:
        held[:] = [names.visit(each) for each in held]
    if names.used != set(named):
        return ""
    set_first = "; ".join(f"{name} = {expression}" for name, expression in named.items())
    return line_with(tree, statement, f"{set_first}; {body}; {ast.unparse(ast.fix_missing_locations(again))}")


def line_with(tree: ast.AST, statement: ast.stmt, written: str) -> str:
    """Return a statement's whole line with other text in its place, "" where a compound statement has the line too."""
    holder, block = block_of(tree, statement)
    line = [each for each in block if each.lineno == statement.lineno]
    shared = getattr(holder, "lineno", 0) == statement.lineno or any(hasattr(each, "body") for each in line)
    text = "; ".join(written if each is statement else ast.unparse(each) for each in line)
    return "" if shared or len(text) > LONGEST else text


def block_of(tree: ast.AST, statement: ast.stmt) -> tuple[ast.AST, list[ast.stmt]]:
    """Return what holds a statement, and the statements beside it; the tree and none where it is not of this tree."""
    for holder in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            held = getattr(holder, part, None)
            if isinstance(held, list) and any(each is statement for each in held):
                return holder, held
    return tree, []


def statement_of(tree: ast.AST, node: ast.AST) -> ast.stmt | None:
    """Return the innermost statement that holds a node, None where it is not of this tree."""
    waiting: list[tuple[ast.AST, ast.stmt | None]] = [(tree, None)]
    while waiting:
        each, around = waiting.pop()
        around = each if isinstance(each, ast.stmt) else around
        if each is node:
            return around
        waiting += [(inner, around) for inner in ast.iter_child_nodes(each)]
    return None


def calls_method_of(node: ast.Call | None, method: str, owner: Any, frame: FrameType) -> bool:
    """Whether a call is of this method of an object, as far as its frame tells."""
    if node is None or not isinstance(node.func, ast.Attribute) or node.func.attr != method:
        return False
    held = {**frame.f_globals, **frame.f_locals}.get(getattr(node.func.value, "id", ""), owner)
    return held is owner


# --- names of arguments ------------------------------------------------------------------------------


def parameter(role: str) -> str:
    """Return fit's own name for a role: "x_val" of "test_images", "x_item" of "train_images_item"."""
    split, part, *rest = [*role.split("_", 2), ""][:3]
    name = {"images": "x", "labels": "y"}.get(part, "")
    if not name or split not in ("train", "test"):
        return role
    return "_".join(each for each in (name, "val" if split == "test" else "", *rest) if each)


def free_name(name: str, tree: ast.AST) -> str:
    """Return a name that the source does not have: this one, or one that begins with it."""
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return next(
        each for each in itertools.chain([name], (f"{name}_{n}" for n in itertools.count(1))) if each not in taken
    )


def is_plain(expression: ast.expr) -> bool:
    """Whether an expression is a name, an attribute, or an element by a constant key."""
    named = isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant)
    return named or isinstance(expression, ast.Name | ast.Attribute)


def is_settable(expression: ast.expr, frame: FrameType) -> bool:
    """Whether a statement may assign to an expression anything that stands for its value.

    A column of a table takes only as many rows as the table has, and each on one axis.
    """
    if not is_plain(expression):
        return False
    owner = held_by(expression.value, frame) if isinstance(expression, ast.Attribute | ast.Subscript) else None
    if _is_a_table(owner):
        return False
    if owner is not None and isinstance(expression, ast.Subscript):
        return hasattr(owner, "__setitem__")
    held = getattr(type(owner), expression.attr, None) if isinstance(expression, ast.Attribute) else None
    return not (isinstance(held, property) and held.fset is None)


def held_by(node: ast.expr, frame: FrameType) -> Any:
    """Return what a name, an attribute or an element of one stands for in a frame; None where it is not known."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if not isinstance(node, ast.Attribute | ast.Subscript):
        return None
    owner = held_by(node.value, frame)
    if isinstance(node, ast.Attribute):
        return getattr(owner, node.attr, None)
    plain = isinstance(owner, dict) or _is_a_table(owner)
    try:
        return owner[node.slice.value] if plain and isinstance(node.slice, ast.Constant) else None
    except (KeyError, TypeError, IndexError):
        return None


def _is_a_table(owner: Any) -> bool:
    return type(owner).__module__.partition(".")[0] == "pandas"


def line_of_class(tree: ast.AST | None, text: str) -> int | None:
    """Return the line of the only call of a class that a text names, None of none or several."""
    words = set(re.findall(r"\b[A-Z]\w+", text))
    calls = (node for node in ast.walk(tree or ast.Module([], [])) if isinstance(node, ast.Call))
    lines = {node.lineno for node in calls if ast.unparse(node.func).rpartition(".")[2] in words}
    return lines.pop() if len(lines) == 1 else None


class _Names(ast.NodeTransformer):
    """Puts names in the place of expressions."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self.names = {expression: name for name, expression in named.items()}
        self.used: set[str] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the name of an expression, else the node with names in it."""
        name = self.names.get(ast.unparse(node)) if isinstance(node, ast.expr) else None
        if name is None:
            return self.generic_visit(node)
        self.used.add(name)
        return ast.Name(name, ast.Load())
