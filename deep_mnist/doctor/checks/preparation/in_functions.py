"""What numbers words or classes anew in a function of the program that is called for train's data and for test's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.doctor.checks.preparation.parts import Part, Parts
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import called

FITTING = ("fit_transform", "fit_on_texts", "adapt", "fit")


class Twice(NamedTuple):
    """A function that is called once for each side.

    Attributes:
        function: Its definition.
        train, test: The calls.
        place: 0 where inputs are made of them, 1 of targets.
    """

    function: ast.FunctionDef
    train: ast.Call
    test: ast.Call
    place: int

    def argument(self, call: ast.Call, name: str) -> ast.expr | None:
        """Return what one of the calls gives for a parameter."""
        names = [each.arg for each in self.function.args.args]
        stated = {each.arg: each.value for each in call.keywords} | dict(zip(names, call.args, strict=False))
        return stated.get(name)


def called_for_both(parts: Parts) -> Iterator[Twice]:
    """Yield the program's functions that one call makes train's part by, and another one test's."""
    told = set[int]()
    for place, part in parts.test:
        ours, theirs = (_own_calls(parts.lineage, each) for each in (parts.train[place], part))
        shared = {id(each) for each in ours} & {id(each) for each in theirs}
        for test in theirs:
            like = [each for each in ours if called(each) == called(test) and id(each) not in shared]
            around = parts.lineage.text.repeated_around(test)
            like = [each for each in like if parts.lineage.text.repeated_around(each) == around]
            function = parts.lineage.function(called(test))
            if like and function is not None and id(test) not in shared | told:
                told.add(id(test))
                yield Twice(function, like[-1], test, place)


def _own_calls(lineage: Lineage, part: Part) -> list[ast.Call]:
    """Return the calls of the module's own functions in what a part is made of."""
    names = {each.id for value in part.values for each in ast.walk(value) if isinstance(each, ast.Name)}
    own = [each for each in names if lineage.function(each) is not None]
    return [each for each in calls_in(part.values, *own) if isinstance(each.func, ast.Name)]


def fit_within(twice: Twice) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls that fit on a parameter whenever the function runs, each with the parameter's name."""
    parameters = {each.arg for each in twice.function.args.args}
    for statement in twice.function.body:
        if not isinstance(statement, ast.Assign | ast.Expr | ast.Return):
            continue
        for call in calls_in([statement], *FITTING):
            read = [name for name in names_in(call.args[0]) if name in parameters] if call.args else []
            if len(read) == 1 and isinstance(call.func, ast.Attribute):
                yield call, read[0]


def maker_within(twice: Twice, owner: ast.expr) -> ast.Call | None:
    """Return the call that makes a transformer within a function, None where it is made elsewhere."""
    if isinstance(owner, ast.Call):
        return owner
    for statement in twice.function.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == ast.unparse(owner):
            return statement.value if isinstance(statement.value, ast.Call) else None
    return None


def fix_within(lineage: Lineage, twice: Twice, call: ast.Call, parameter: str) -> str:
    """Return the statement that fits on what the call for train gives, whoever calls; "" where that cannot stand."""
    given = twice.argument(twice.train, parameter)
    at_module = lineage.body is getattr(lineage.text.tree, "body", None)
    rebound = {each.name for each in lineage.settings if given is not None and each.at >= place_of(twice.train)}
    own = {
        each.id for each in ast.walk(twice.function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    own |= {each.arg for each in twice.function.args.args}
    if given is None or not at_module or own & {parameter} - {each.arg for each in twice.function.args.args}:
        return ""
    if set(names_in(given)) & (rebound | own) or not isinstance(call.func, ast.Attribute):
        return ""
    if called(call) != "fit_transform":
        return lineage.text.with_expression(call.args[0], given)
    fitted = ast.Call(ast.Attribute(call.func.value, "fit", ast.Load()), [given], [])
    return lineage.text.with_expression(call, ast.Call(ast.Attribute(fitted, "transform", ast.Load()), call.args, []))
