"""Check of random.shuffle on an array of rows: Python's own exchange of two rows copies one over the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from random import Random
from types import ModuleType

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OVERWRITTEN = Rule(
    code="P122",
    name="rows-lost-in-shuffle",
    field="program.values",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Python's random.shuffle is given an array of numpy's with rows.",
    why="It exchanges two rows by views of them, so that one is written over the other: many rows are lost.",
)


@check(OVERWRITTEN)
def check_rows_overwritten(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the function that calls fit or of one that called it."""
    frame = case.frame if case.call is not None and case.call.verb == "fit" else None
    for text in map(ProgramText, users_frames(frame)):
        for call, name in _shuffled_rows(text):
            numpy = text.name_of(np) or "__import__('numpy')"
            function = ast.parse(f"{numpy}.random.shuffle", mode="eval").body
            yield OVERWRITTEN.found(
                "train",
                expected=f"numpy's own shuffle for {name}, an array of {text.value_of(call.args[0]).ndim} axes",
                received=f"{ast.unparse(call)} of Python's random, at {text.at(call)}",
                fix=text.with_expression(call.func, function) or f"Call {numpy}.random.shuffle({name}).",
            )
            return


def _shuffled_rows(text: ProgramText) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls on arrays of rows that the function of a frame has made, and the arrays' names."""
    lineage, now = Lineage(text), (text.frame.f_lineno, 0)
    for statement in lineage.body:
        for call in (each for each in ast.walk(statement) if isinstance(each, ast.Call)):
            given = call.args[0] if call.args and place_of(call) < now and _is_of_random(text, call) else None
            value = text.value_of(given) if given is not None else None
            if not isinstance(given, ast.Name) or not isinstance(value, np.ndarray) or value.ndim < 2:
                continue
            if lineage.stands(given, place_of(call), now) and not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                yield call, given.id


def _is_of_random(text: ProgramText, call: ast.Call) -> bool:
    """Whether a call is of random.shuffle, or of a Random's."""
    function, owner = call.func, None
    if isinstance(function, ast.Attribute) and function.attr == "shuffle":
        owner = text.value_of(function.value)
    elif isinstance(function, ast.Name):
        method = text.value_of(function)
        owner = getattr(method, "__self__", None) if getattr(method, "__name__", "") == "shuffle" else None
    return isinstance(owner, Random) or (isinstance(owner, ModuleType) and owner.__name__ == "random")
