"""The expressions of a program that become train's and test's inputs and targets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.lineage import Lineage, Place, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, keyword_of

FIT_INPUTS, FIT_TARGETS = (0, "x"), (1, "y")


class Part(NamedTuple):
    """What one argument of a call is made of.

    Attributes:
        expression: As it stands in the call.
        at: Of the call.
        values: The expression, and every value that flows into it.
    """

    expression: ast.expr
    at: Place
    values: list[ast.expr]


class Parts(NamedTuple):
    """Of one call of fit and of the calls behind it that judge the same model.

    Attributes:
        lineage: Of the code that makes the call.
        fit: The call.
        train: What inputs and targets are made of, in this order; where there is one.
        test: The same of validation_data and of later evaluate() and predict(), each with its place in `train`.
    """

    lineage: Lineage
    fit: ast.Call
    train: list[Part]
    test: list[tuple[int, Part]]


def parts_of(case: Case) -> Parts | None:
    """Return the parts of the call of fit by its source, None where that is not known."""
    if case.frame is None or case.call is None or case.call.verb != "fit":
        return None
    lineage = Lineage(ProgramText(case.frame))
    fit = next(iter(lineage.text.calls_on(case.frame.f_lineno, "fit")), None)
    x = argument_of(fit, *FIT_INPUTS) if fit is not None else None
    if fit is None or x is None:
        return None
    y = argument_of(fit, *FIT_TARGETS)
    train = [_part(lineage, each, fit) for each in (x, y if y is not None else x)]
    return Parts(lineage, fit, train, list(_test_parts(lineage, fit)))


def _part(lineage: Lineage, expression: ast.expr, call: ast.Call) -> Part:
    at = place_of(call)
    return Part(expression, at, lineage.of(expression, at))


def _test_parts(lineage: Lineage, fit: ast.Call) -> Iterator[tuple[int, Part]]:
    held = keyword_of(fit, "validation_data")
    if held is not None:
        both = held.elts[:2] if isinstance(held, ast.Tuple | ast.List) and len(held.elts) > 1 else [held, held]
        for index, each in enumerate(both):
            yield index, _part(lineage, each, fit)
    model = ast.unparse(fit.func.value) if isinstance(fit.func, ast.Attribute) else ""
    for call in lineage.text.calls("evaluate", "predict"):
        if place_of(call) <= place_of(fit) or not isinstance(call.func, ast.Attribute):
            continue
        if ast.unparse(call.func.value) != model or not any(_within(each, call) for each in lineage.body):
            continue
        of_call = [
            argument_of(call, *FIT_INPUTS),
            argument_of(call, *FIT_TARGETS) if called(call) == "evaluate" else None,
        ]
        for index, argument in enumerate(of_call):
            if argument is not None:
                yield index, _part(lineage, argument, call)


def _within(statement: ast.stmt, node: ast.expr) -> bool:
    """Whether a statement holds a node, and not in a function of its own."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    return place_of(statement) <= place_of(node) and node.lineno <= (statement.end_lineno or 0)
