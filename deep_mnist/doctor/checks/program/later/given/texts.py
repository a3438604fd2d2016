"""Whether an expression of a program is one text: read from literals, from values that are there, and from calls."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.lineage import Lineage, Place, place_of
from deep_mnist.doctor.evidence.live.source_text import COMPREHENSIONS, called, holds, keyword_of

ASKED = ("input", "str")  # functions that return a text
KEEPING = ("lower", "upper", "strip", "rstrip", "lstrip", "replace", "translate", "title", "capitalize", "casefold")
DEEPEST = 3  # functions looked into, one of another


def is_text(lineage: Lineage, node: ast.expr, at: Place, depth: int = 0) -> bool:
    """Return whether an expression surely stands for a str where it is evaluated.

    Args:
        lineage: Of the code that it stands in.
        node: The expression.
        at: Its place.
        depth: Functions that were gone through already.
    """
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return isinstance(node, ast.JoinedStr) or isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right) if isinstance(node.op, ast.Add) else (node.left,)
        return any(isinstance(each, ast.Constant | ast.JoinedStr) and is_text(lineage, each, at) for each in sides)
    if isinstance(node, ast.Subscript):
        return _is_text_of_list(lineage, node)
    if depth > DEEPEST:
        return False
    if isinstance(node, ast.Call):
        return _is_text_of_call(lineage, node, at, depth)
    return isinstance(node, ast.Name) and _is_text_by_name(lineage, node, at, depth)


def _is_text_of_list(lineage: Lineage, node: ast.Subscript) -> bool:
    """Whether one whole element is taken of texts that are there already."""
    index = node.slice.operand if isinstance(node.slice, ast.UnaryOp) else node.slice
    is_one = isinstance(index, ast.Constant) and isinstance(index.value, int)
    return is_one and _holds_texts(lineage.text.value_of(node.value))


def _holds_texts(value: Any) -> bool:
    if not isinstance(value, list | tuple | np.ndarray) or not len(value):
        return False
    return isinstance(value[0], str)


def _is_text_of_call(lineage: Lineage, node: ast.Call, at: Place, depth: int) -> bool:
    name, function = called(node), node.func
    if isinstance(function, ast.Name):
        own = lineage.function(name)
        return name in ASKED if own is None else _returns_text(lineage, own, node, at, depth)
    owner = function.value if isinstance(function, ast.Attribute) else None
    if owner is None:
        return False
    if name == "join":
        return isinstance(owner, ast.Constant) and isinstance(owner.value, str)
    if name == "sub":
        return isinstance(owner, ast.Name) and owner.id == "re"
    return name in KEEPING and is_text(lineage, owner, at, depth)


def _returns_text(lineage: Lineage, own: ast.FunctionDef, call: ast.Call, at: Place, depth: int) -> bool:
    """Whether all that a function of the program's returns for a call is text."""
    returned = [each.value for each in ast.walk(own) if isinstance(each, ast.Return) and each.value is not None]
    within = Lineage(lineage.text, own.body)
    names = [each.arg for each in own.args.args]

    def is_one(value: ast.expr) -> bool:
        kept = isinstance(value, ast.Name) and value.id in names and not any(within.before(value.id, place_of(value)))
        if kept and isinstance(value, ast.Name):
            given = _given(own, call, value.id, 0)
            return given is not None and is_text(lineage, given, at, depth + 1)
        return is_text(within, value, place_of(value), depth + 1)

    return bool(returned) and all(map(is_one, returned))


def _is_text_by_name(lineage: Lineage, node: ast.Name, at: Place, depth: int) -> bool:
    settings = list(lineage.before(node.id, at))
    if (drawn_from := _drawn_from(lineage, node)) is not None:
        return _holds_them(lineage, drawn_from, at, depth)
    if settings:
        statements = [lineage.text.statement_of(each.value) for each in settings]
        return all(
            _is_text_set(lineage, statement, setting.value, setting.at, depth + 1)
            for statement, setting in zip(statements, settings, strict=True)
        )
    function = _around(lineage)
    parameters = [each.arg for each in function.args.args] if function is not None else []
    if function is not None and node.id in parameters:
        return _is_text_given(lineage, function, node.id, depth)
    return isinstance(lineage.text.value_of(node), str)


def _is_text_set(lineage: Lineage, statement: ast.stmt | None, value: ast.expr, at: Place, depth: int) -> bool:
    """Whether what a statement sets a name to is text: a value, or what a loop takes of a list of texts."""
    if isinstance(statement, ast.For):
        if not isinstance(statement.target, ast.Name) or value is not statement.iter:
            return False
        return _holds_them(lineage, value, at, depth)
    is_plain = isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is value
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return is_plain and all(isinstance(each, ast.Name) for each in targets) and is_text(lineage, value, at, depth)


def _drawn_from(lineage: Lineage, node: ast.Name) -> ast.expr | None:
    """Return what a comprehension around a name takes it from, None where none does."""
    for each in lineage.text.nodes:
        if isinstance(each, COMPREHENSIONS) and holds(each, node):
            for made in each.generators:
                if isinstance(made.target, ast.Name) and made.target.id == node.id:
                    return made.iter
    return None


def _holds_them(lineage: Lineage, value: ast.expr, at: Place, depth: int) -> bool:
    """Whether what is gone through are texts: a list that the program states, or one that is there."""
    setting = next(lineage.before(value.id, at), None) if isinstance(value, ast.Name) else None
    listed = setting.value if setting is not None and setting.replaces else value
    if isinstance(listed, ast.List | ast.Tuple):
        return bool(listed.elts) and all(is_text(lineage, each, at, depth) for each in listed.elts)
    return _holds_texts(lineage.text.value_of(value))


def _around(lineage: Lineage) -> ast.FunctionDef | None:
    """Return the function whose statements a lineage is of, None of the module's."""
    first = lineage.body[0] if lineage.body else None
    functions = (each for each in lineage.text.nodes if isinstance(each, ast.FunctionDef))
    return next((each for each in functions if each.body[0] is first), None)


def _is_text_given(lineage: Lineage, function: ast.FunctionDef, name: str, depth: int) -> bool:
    """Whether a parameter is said to be text, or every call of the function gives it one."""
    text = lineage.text
    own = next(each for each in function.args.args if each.arg == name)
    if own.annotation is not None:
        return isinstance(own.annotation, ast.Name) and own.annotation.id == "str"
    given = [
        (each, _given(function, each, name, isinstance(each.func, ast.Attribute))) for each in text.calls(function.name)
    ]
    return bool(given) and all(
        value is not None and is_text(Lineage(text, text.around(call)), value, place_of(call), depth + 1)
        for call, value in given
    )


def _given(function: ast.FunctionDef, call: ast.Call, name: str, bound: int) -> ast.expr | None:
    """Return what a call gives for a parameter, None where that is not stated.

    Args:
        function: That is called.
        call: Of it.
        name: Of the parameter.
        bound: 1 where the first parameter is the object that the method is called on.
    """
    if any(isinstance(each, ast.Starred) for each in call.args):
        return None
    names = [each.arg for each in function.args.args]
    place = names.index(name) - (bound if names[:1] in (["self"], ["cls"]) else 0)
    return call.args[place] if 0 <= place < len(call.args) else keyword_of(call, name)
