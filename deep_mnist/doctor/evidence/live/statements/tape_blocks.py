"""The blocks of gradient tapes in a program: what a tape does not watch, and where its block leaves it for numpy."""

from __future__ import annotations

import ast
import sys
from typing import NamedTuple

from deep_mnist.doctor.evidence.live.statements.exchange import exchanged


class WayOut(NamedTuple):
    """A statement of a tape's block that leaves for numpy, where no gradient comes from.

    Attributes:
        statement: As it stands.
        left_by: Its expression that does so.
        kept: The statement with tensors in its place.
    """

    statement: ast.stmt
    left_by: str
    kept: str


def blocks_of(tree: ast.AST, tape: str = "") -> list[ast.With]:
    """Return the blocks of gradient tapes, of that name where one is given, in the order of lines."""
    found = [each for each in ast.walk(tree) if isinstance(each, ast.With) and _opens(each, tape)]
    return sorted(found, key=lambda each: each.lineno)


def _opens(block: ast.With, tape: str) -> bool:
    made = [each for each in block.items if isinstance(each.context_expr, ast.Call)
            and ast.unparse(each.context_expr.func).endswith("GradientTape")]  # fmt: skip
    names = {ast.unparse(each.optional_vars) for each in made if each.optional_vars is not None}
    return bool(made) and (not tape or tape in names)


def unwatched(tree: ast.AST, asked: ast.Call) -> ast.With | None:
    """Return the block of the tape that is asked for a gradient with respect to what it does not watch; else None.

    Args:
        tree: Of the file.
        asked: tape.gradient(target, source), of a source that is no variable.
    """
    if not isinstance(asked.func, ast.Attribute) or len(asked.args) < 2:
        return None
    tape, source = ast.unparse(asked.func.value), ast.unparse(asked.args[1])
    before = [each for each in blocks_of(tree, tape) if each.lineno < asked.lineno]
    if not before:
        return None
    watched = [each for each in ast.walk(before[-1]) if isinstance(each, ast.Call)
               and ast.unparse(each.func) == f"{tape}.watch"]  # fmt: skip
    is_watched = any(source in {ast.unparse(of) for of in ast.walk(each)} for each in watched)
    return None if is_watched else before[-1]


def way_out(block: ast.With) -> WayOut | None:
    """Return the first statement of a tape's block whose value is numpy and is computed with there, else None."""
    made: set[str] = set()
    for place, statement in enumerate(block.body):
        stored = _names(statement, ast.Store)
        if isinstance(statement, ast.Assign) and any(stored & _names(each, ast.Load) for each in block.body[place:]):
            for node in (each for each in ast.walk(statement) if isinstance(each, ast.Call)):
                if (kept := _kept_on_tape(node, made)) is not None:
                    return WayOut(statement, ast.unparse(node), ast.unparse(exchanged(statement, [(node, kept)])))
        made |= stored
    return None


def _names(code: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {each.id for each in ast.walk(code) if isinstance(each, ast.Name) and isinstance(each.ctx, context)}


def _kept_on_tape(call: ast.Call, made: set[str]) -> ast.expr | None:
    """Return what stands for a call that gives numpy, None of any other call."""
    function = call.func
    reads = not made.isdisjoint(_names(call, ast.Load))
    if isinstance(function, ast.Name):
        return call.args[0] if function.id == "float" and len(call.args) == 1 and reads else None
    if not isinstance(function, ast.Attribute):
        return None
    if function.attr in ("predict", "predict_on_batch") and call.args:
        return ast.Call(function.value, [call.args[0]], [ast.keyword("training", ast.Constant(True))])
    if function.attr == "numpy" and not call.args and reads:
        return function.value
    ops = getattr(sys.modules.get("keras"), "ops", None)
    if ast.unparse(function.value) in ("np", "numpy") and reads and hasattr(ops, function.attr):
        return ast.Call(ast.parse(f"keras.ops.{function.attr}", mode="eval").body, call.args, call.keywords)
    return None
