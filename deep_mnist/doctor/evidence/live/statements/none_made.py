"""Calls that return None though a value is taken of them: methods in place, functions without return."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from deep_mnist.doctor.evidence.live.statements.exchange import exchanged

IN_PLACE = ("sort", "reverse", "append", "extend", "insert", "remove", "clear", "shuffle", "update", "fill", "add",
            "compile", "build", "summary", "load_weights", "save_weights", "set_weights", "adapt", "fit_on_texts",
            )  # fmt: skip


def none_of(call: ast.Call, name: str, nodes: Iterable[ast.AST]) -> tuple[str, str] | None:
    """Return in words why a call, whose value is None, gives nothing, and what sets the name; None where it is open.

    Args:
        call: That a name was set to.
        name: What the statement sets.
        nodes: Of the program.

    Returns:
        The words, and the statement; a sentence where none can stand in the place of the old one.
    """
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    inplace = next((each for each in call.keywords if each.arg == "inplace"), None)
    if inplace is not None and ast.unparse(inplace.value) == "True":
        again = ast.Call(call.func, call.args, [each for each in call.keywords if each is not inplace])
        return f"{function}(…, inplace=True) changes its table and returns None", f"{name} = {ast.unparse(again)}"
    if any(isinstance(each, ast.FunctionDef) and each.name == function and not _returns(each) for each in nodes):
        return f"{function}() has no return with a value", f"End {function} by return, with what {name} is to be."
    if function in IN_PLACE and isinstance(call.func, ast.Attribute):
        changed = call.args[0] if function == "shuffle" and call.args else call.func.value
        return f"{function}() works in place and returns None", _set_in_place(call, changed, name)
    return None


def _set_in_place(call: ast.Call, changed: ast.expr, name: str) -> str:
    """Return the statement after which a name stands for what a call changes in place."""
    if ast.unparse(changed) == name:
        return ast.unparse(call)
    again = exchanged(call, [(changed, ast.Name(name, ast.Load()))])
    return f"{name} = {ast.unparse(changed)}; {ast.unparse(again)}"


def _returns(function: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Return | ast.Yield) and each.value is not None for each in ast.walk(function))
