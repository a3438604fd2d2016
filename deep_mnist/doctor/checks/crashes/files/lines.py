"""A line of the user's with other expressions in it, written as it stands there."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable

from deep_mnist.doctor.checks.crashes.crash import TraceStep
from deep_mnist.doctor.evidence.live.source_text import ProgramText


def line_changed(step: TraceStep, changes: Iterable[tuple[ast.expr, str]]) -> str:
    """Return a line with code in the place of expressions of it, and where it belongs; of several lines the code alone.

    Args:
        step: In whose file the expressions stand.
        changes: Pairs of an expression and the code in its place, all of one line.
    """
    ordered = sorted(changes, key=lambda pair: pair[0].col_offset, reverse=True)
    first, code = ordered[0]
    place = ProgramText(step.frame, step.file).at(first)
    if any(each.lineno != first.lineno or each.end_lineno != first.lineno for each, _ in ordered):
        return f"{code}  # in place of `{ast.unparse(first)}` at {place}"
    line = linecache.getline(step.file, first.lineno, step.frame.f_globals).encode()
    for each, text in ordered:
        line = line[: each.col_offset] + text.encode() + line[each.end_col_offset :]
    return f"{line.decode().partition('  #')[0].strip()}  # in place of {place}"


def line_with_keywords(step: TraceStep, call: ast.Call, without: tuple[str, ...] = (), **values: object) -> str:
    """Return the line of a call that gives these keywords, by their values, and none of others."""
    kept = [each for each in call.keywords if each.arg not in (*without, *values)]
    added = [ast.keyword(name, ast.Constant(value)) for name, value in values.items()]  # type: ignore[arg-type]
    return line_changed(step, [(call, ast.unparse(ast.Call(call.func, call.args, [*kept, *added])))])


def calls_at(step: TraceStep, *names: str) -> list[ast.Call]:
    """Return the calls of these names that stand on a frame's line, or around it."""
    return ProgramText(step.frame, step.file).calls_on(step.line, *names)
