"""A condition that is asked of many values at once: arrays, columns, symbols of a network."""

from __future__ import annotations

import ast

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import MANY_TRUTHS
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

SAYS = ("truth value of an array with more than one element", "truth value of a Series", "truth value of a DataFrame")
BITWISE = {ast.And: ast.BitAnd, ast.Or: ast.BitOr}


def explain_truth(crash: Crash) -> Finding | None:
    """Name what has many values, and the user's condition as one of all of them, or of each."""
    step = crash.user
    if step is None or not any(each in crash.text for each in SAYS):
        return None
    nodes = [each for each in ProgramText(step.frame, step.file).nodes if getattr(each, "lineno", 0) == step.line]
    joined = next((each for each in nodes if isinstance(each, ast.BoolOp)), None)
    tested = next((each.test for each in nodes if isinstance(each, ast.If | ast.While | ast.IfExp | ast.Assert)), None)
    told: ast.expr
    if joined is not None and tested is None:
        told, fix = joined, line_changed(step, [(joined, _of_each(joined))])
    elif tested is not None:
        told, fix = tested, _of_all(step, tested)
    else:
        return None
    return MANY_TRUTHS.found(
        expected=f"one True or False of `{ast.unparse(told)[:80]}`",
        received=f"one of each of its values, at {crash.place}",
        fix=fix,
    )


def _of_each(joined: ast.BoolOp) -> str:
    """Return a condition of each value: `(a > 0) & (b > 0)`."""
    sign = " & " if isinstance(joined.op, ast.And) else " | "
    return sign.join(f"({ast.unparse(each)})" for each in joined.values)


def _of_all(step: TraceStep, tested: ast.expr) -> str:
    """Return the condition of all values where it compares them, of their number where it is the values alone."""
    if isinstance(tested, ast.Name | ast.Attribute | ast.Subscript):
        is_table = type(held_by(tested, step.frame)).__name__ in ("Series", "DataFrame")
        return line_changed(
            step, [(tested, f"{'not ' * is_table}{ast.unparse(tested)}{'.empty' if is_table else '.size'}")]
        )
    if isinstance(tested, ast.UnaryOp) and isinstance(tested.op, ast.Not):
        return line_changed(step, [(tested, f"{ast.unparse(tested.operand)}.size == 0")])
    if isinstance(tested, ast.BoolOp):
        return line_changed(step, [(tested, f"({_of_each(tested)}).all()")])
    return line_changed(step, [(tested, f"({ast.unparse(tested)}).all()")])
