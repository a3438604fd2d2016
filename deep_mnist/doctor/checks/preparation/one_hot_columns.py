"""Check for tables whose categories become columns by themselves on each side, which then are other columns."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.in_functions import called_for_both
from deep_mnist.doctor.checks.preparation.parts import Parts, parts_of
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MAKING = "get_dummies"

OTHER_COLUMNS = Rule(
    code="S172",
    name="categories-of-each-side-as-columns",
    field="splits.preparation",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="get_dummies() made columns of train's categories and of test's apart, and they are not the same columns.",
    why="Keras refuses the other width; where it is the same, a column means another category than in training.",
)


class Pair(NamedTuple):
    """The calls that make train's columns and test's: get_dummies(), or a function that runs it."""

    train: ast.Call
    test: ast.Call


@check(OTHER_COLUMNS)
def check_columns(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, where both tables are there and have other columns."""
    parts = parts_of(case)
    if parts is None:
        return
    lineage = parts.lineage
    for pair in _pairs(parts):
        ours, theirs = (_table(lineage, each) for each in pair)
        columns = [_columns(lineage, each) for each in (ours, theirs)]
        if ours and theirs and None not in columns and columns[0] != columns[1]:
            yield _found(lineage, pair, ours, theirs, columns)
            return


def _pairs(parts: Parts) -> Iterator[Pair]:
    for place, part in parts.test:
        ours, theirs = (calls_in(each.values, MAKING) for each in (parts.train[place], part))
        shared = {id(each) for each in ours} & {id(each) for each in theirs}
        own = [[each for each in several if id(each) not in shared] for several in (ours, theirs)]
        if own[0] and own[1]:
            yield Pair(own[0][-1], own[1][-1])
    for twice in called_for_both(parts):
        if calls_in(twice.function.body, MAKING):
            yield Pair(twice.train, twice.test)


def _table(lineage: Lineage, call: ast.Call) -> str:
    """Return the name of the table that a call makes, "" where it is given none."""
    return next((each.name for each in lineage.settings if each.value is call), "")


def _columns(lineage: Lineage, name: str) -> list[str] | None:
    held = getattr(lineage.text.value_of(ast.Name(name, ast.Load())), "columns", None)
    return [str(each) for each in held] if held is not None else None


def _found(lineage: Lineage, pair: Pair, ours: str, theirs: str, columns: list[list[str] | None]) -> Finding:
    text, (mine, other) = lineage.text, columns
    lacking = [each for each in mine or () if each not in (other or ())]
    more = [each for each in other or () if each not in (mine or ())]
    words = [f"lacks {', '.join(lacking[:4])}"] * bool(lacking) + [f"has {', '.join(more[:4])} besides"] * bool(more)
    statement = text.statement_of(pair.test)
    again = f"{theirs} = {theirs}.reindex(columns={ours}.columns, fill_value=0)"
    stands = statement is not None and isinstance(statement, ast.Assign)
    return OTHER_COLUMNS.found(
        "test",
        expected=f"the columns of `{ours}` in `{theirs}`, in one order",
        received=f"`{theirs}`, made by itself at {text.at(pair.test)}, "
        f"{' and '.join(words) or 'has them in another order'}",
        fix=text.in_place(f"{ast.unparse(statement)}; {again}", statement)
        if statement is not None and stands
        else f"{again}  # behind {text.at(pair.test)}",
    )
