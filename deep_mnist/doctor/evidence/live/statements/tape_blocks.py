"""The blocks of gradient tapes in a program: what a tape does not watch."""

from __future__ import annotations

import ast


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
