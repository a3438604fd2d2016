"""The source's own call of compile() with another loss, optimizer or metrics, and all else as it stands there."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable

from deep_mnist.doctor.evidence.live.statements.call_line import line_with, statement_of
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE

ORDER = ("optimizer", "loss", "loss_weights", "metrics")  # of compile()'s arguments by place
OF_LABELS = ("sparse", "categorical", "binary")  # in the names of metrics that ask for one form of labels


def in_compile_call(fix: str, model: str, tree: ast.AST | None, at: Callable[[int], str]) -> str:
    """Return a fix that compiles a model again as the source's own call of compile(), changed; else the fix as it is.

    Args:
        fix: That is one statement, or anything else.
        model: What the source calls the model.
        tree: Of the source, None without.
        at: Tells a line in words.
    """
    body, _, comment = fix.partition("  # ")
    found = _recompiled(tree, model, body) if tree is not None and IN_PLACE not in comment else None
    return fix if found is None else f"{found[0]}  # {f'{comment}; ' if comment else ''}{IN_PLACE} {at(found[1])}"


def _recompiled(tree: ast.AST, model: str, fix: str) -> tuple[str, int] | None:
    """Return the line of compile() in a source with what a fix sets, and its number; None where it is not clear."""
    new = _call_alone(fix)
    calls = _compiles(tree)
    own = [each for each in calls if _receiver(each) == model] or [
        each for each in calls if _is_in_function(tree, each)
    ]
    if new is None or _receiver(new) != model or len(own) != 1:
        return None
    statement = statement_of(tree, own[0])
    if not (isinstance(statement, ast.Expr) and statement.value is own[0]):
        return None
    again = copy.deepcopy(own[0])
    if any(isinstance(each, ast.Starred) for each in again.args) or any(each.arg is None for each in again.keywords):
        return None
    for keyword in new.keywords:
        if keyword.arg and ast.unparse(keyword.value) != f"{model}.{keyword.arg}":
            _set(again, keyword.arg, keyword.value)
    wanted = next((each.value for each in new.keywords if each.arg == "metrics"), None)
    if wanted is not None and ast.unparse(again) == ast.unparse(own[0]):
        _set(again, "metrics", wanted, whole=True)  # they are what the fix is about
    text = line_with(tree, statement, ast.unparse(ast.fix_missing_locations(again)))
    return (text, statement.lineno) if text else None


def _call_alone(fix: str) -> ast.Call | None:
    try:
        statements = ast.parse(fix).body
    except (SyntaxError, ValueError):
        return None
    value = getattr(statements[0], "value", None) if len(statements) == 1 else None
    is_compile = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "compile"
    return value if is_compile and isinstance(value, ast.Call) else None


def _compiles(tree: ast.AST) -> list[ast.Call]:
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
    return [each for each in calls if getattr(each.func, "attr", "") == "compile" and _receiver(each) not in ("re", "")]


def _is_in_function(tree: ast.AST, call: ast.Call) -> bool:
    """Whether a call stands in a function: one that builds the model has another name for it."""
    functions = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))
    return any(each is call for function in functions for each in ast.walk(function))


def _receiver(call: ast.Call) -> str:
    text = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    return "" if text.startswith("super()") else text


def _set(call: ast.Call, name: str, value: ast.expr, *, whole: bool = False) -> None:
    """Set an argument where the call states it, else as a keyword; of metrics, those that fit any labels stay.

    Args:
        call: That compiles.
        name: Of the argument.
        value: In its place.
        whole: Of metrics, none stays.
    """
    place = ORDER.index(name) if name in ORDER else len(call.args)
    keyword = next((each for each in call.keywords if each.arg == name), None)
    stated = call.args[place] if place < len(call.args) else keyword.value if keyword is not None else None
    if name == "metrics" and stated is None:
        return  # none were counted before
    value = _metrics(stated, value) if name == "metrics" and stated is not None and not whole else value
    if place < len(call.args):
        call.args[place] = value
    elif keyword is not None:
        keyword.value = value
    else:
        call.keywords.append(ast.keyword(name, value))


def _metrics(stated: ast.expr, new: ast.expr) -> ast.expr:
    """Return the metrics as stated, "accuracy" for those of one form of labels, where the fix counts accuracy alone."""
    if ast.unparse(new) != "['accuracy']" or not isinstance(stated, ast.List):
        return new
    accuracy = ast.Constant("accuracy")
    kept = [accuracy if any(of in ast.unparse(each).lower() for of in OF_LABELS) else each for each in stated.elts]
    return ast.List(list({ast.unparse(each): each for each in kept}.values()), ast.Load())
