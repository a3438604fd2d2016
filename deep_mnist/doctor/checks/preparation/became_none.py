"""Check of data that a statement made None: x = np.random.shuffle(x), whose work is done in place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called
from deep_mnist.doctor.evidence.live.statements.none_made import none_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MAKERS = ("array", "asarray", "stack")  # of which None makes an array without axes
RANDOM = ("random", "numpy.random")
NO_DATA = "callbacks"  # of which another rule speaks, and which may be None
_Use = tuple[ast.Name, bool]  # a name, and whether it is an index

BECAME_NONE = Rule(
    code="P097",
    name="data-that-became-none",
    field="program.values",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="What fit is given, or the order that data are taken by, was set to None by a call that works in place.",
    why="Keras cannot step without the data, and an array at the index None only gains an axis.",
)


class _Read(NamedTuple):
    """A name that stands for None, where it is read, and the call that it was set to."""

    name: ast.Name
    made: ast.Call
    as_index: bool


@check(BECAME_NONE)
def check_became_none(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the innermost function of the program that reads such a name."""
    if case.frame is None or case.call is None or case.call.verb != "fit":
        return
    for text in map(ProgramText, users_frames(case.frame)):
        read = next(_reads(text), None)
        if read is not None:
            yield from _found(text, read)
            return


def _found(text: ProgramText, read: _Read) -> Iterator[Finding]:
    told = none_of(read.made, read.name.id, text.nodes)
    statement = text.statement_of(read.made)
    if told is None or statement is None:
        return
    words, line = told
    line = _in_one_order(text, read) or line
    use = f"the index {read.name.id} at {text.at(read.name)}" if read.as_index else f"{read.name.id} for fit"
    yield BECAME_NONE.found(
        "train",
        expected=f"a value in {use}",
        received=f"None: {words}, at {text.at(statement)}",
        fix=line if line[:1].isupper() else text.in_place(line, statement),
    )


def _in_one_order(text: ProgramText, read: _Read) -> str:
    """Return the statement that shuffles inputs and labels alike, "" where another thing than one of them was shuffled.

    Either, shuffled in place as it was meant to be, would lose its partner.
    """
    fit = text.call_on(text.frame.f_lineno, "fit")
    given = [argument_of(fit, *each) for each in ((0, "x"), (1, "y"))] if fit is not None else []
    names = [each.id for each in given if isinstance(each, ast.Name)]
    if called(read.made) != "shuffle" or len(set(names)) != 2 or read.name.id not in names:
        return ""
    taken = ", ".join(f"np.asarray({each})[order]" for each in names)
    return f"order = np.random.permutation(len({names[0]})); {', '.join(names)} = {taken}"


def _reads(text: ProgramText) -> Iterator[_Read]:
    """Yield the names that are read up to the line that a frame is at, and that a call made None."""
    line, lineage = text.frame.f_lineno, Lineage(text)
    nodes = [node for each in lineage.body if each.lineno <= line for node in _own_nodes(each)]
    at_line = [each for each in nodes if isinstance(each, ast.Call) and each.lineno <= line <= (each.end_lineno or 0)]
    yield from _made_none(lineage, [*map(_taken_by, nodes), *map(_given, at_line)], text.value_of)
    for function in text.functions(*(called(each) for each in nodes if isinstance(each, ast.Call))):
        inner = [node for each in function.body for node in _own_nodes(each)]
        yield from _made_none(Lineage(text, function.body), map(_taken_by, inner), lambda _: ...)


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, without those of a function that it defines."""
    return iter(()) if isinstance(statement, ast.FunctionDef | ast.ClassDef) else ast.walk(statement)


def _made_none(lineage: Lineage, taken: Iterable[list[_Use]], value_of: Callable[[ast.expr], Any]) -> Iterator[_Read]:
    for name, as_index in (use for uses in taken for use in uses):
        setting = next(lineage.before(name.id, place_of(name)), None)
        call = setting.value if setting is not None and setting.replaces else None
        if not isinstance(call, ast.Call) or called(call) == "summary":
            continue
        if _is_nothing(value_of(name)) or _shuffles(lineage.text, call):
            yield _Read(name, call, as_index)


def _taken_by(node: ast.AST) -> list[_Use]:
    """Return the names that are an index, or that an array is made of."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return [(each, True) for each in parts if isinstance(each, ast.Name)]
    if isinstance(node, ast.Call) and called(node) in MAKERS:
        return [(each, False) for each in node.args[:1] if isinstance(each, ast.Name)]
    return []


def _given(call: ast.Call) -> list[_Use]:
    """Return the names that a call is given, alone or side by side in a tuple."""
    given = [*call.args, *(each.value for each in call.keywords if each.arg != NO_DATA)]
    flat = [part for each in given for part in (each.elts if isinstance(each, ast.Tuple | ast.List) else [each])]
    return [(each, False) for each in flat if isinstance(each, ast.Name)]


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, np.ndarray) and value.ndim == 0 and value[()] is None)


def _shuffles(text: ProgramText, call: ast.Call) -> bool:
    """Whether a call is numpy's shuffle, or random's."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) and called(call) == "shuffle" else None
    value = (
        getattr(text.value_of(owner.value), owner.attr, None)
        if isinstance(owner, ast.Attribute)
        else (text.value_of(owner) if owner is not None else None)
    )
    return isinstance(value, ModuleType) and value.__name__ in RANDOM
