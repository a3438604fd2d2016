"""Check for tables whose categories become columns by themselves on each side, which then are other columns."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.in_functions import called_for_both
from deep_mnist.doctor.checks.preparation.parts import Parts, parts_of
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, place_of
from deep_mnist.doctor.evidence.live.source_text import called
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


class Side(NamedTuple):
    """What a call of get_dummies() made.

    Attributes:
        name: Of the table or array, "" where it is given none.
        columns: Their names, None of an array.
        width: Of the table or array, None where that is not known.
    """

    name: str
    columns: list[str] | None
    width: int | None


@check(OTHER_COLUMNS)
def check_columns(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, where both tables are there and have other columns."""
    parts = parts_of(case)
    if parts is None:
        return
    lineage = parts.lineage
    for pair in _pairs(parts):
        ours, theirs = (_side(lineage, each) for each in pair)
        if None not in (ours.columns, theirs.columns) and ours.columns != theirs.columns:
            yield _found(pair, theirs, _words(ours, theirs), _reindexed(lineage, pair, ours, theirs), lineage)
            return
        if None in (ours.columns, theirs.columns) and None not in (ours.width, theirs.width):
            if ours.width != theirs.width:
                words = f"has {theirs.width} columns, and train {ours.width}"
                yield _found(pair, theirs, words, _of_trains_columns(lineage, pair), lineage)
                return


def _pairs(parts: Parts) -> Iterator[Pair]:
    for place, part in parts.test:
        ours, theirs = (calls_in(each.values, MAKING) for each in (parts.train[place], part))
        own = [each for each in theirs if not any(each is other for other in ours)]
        if ours and own:
            yield Pair(ours[-1], own[-1])
    for twice in called_for_both(parts):
        if calls_in(twice.function.body, MAKING):
            yield Pair(twice.train, twice.test)


def _side(lineage: Lineage, call: ast.Call) -> Side:
    named = (each for each in lineage.settings if each.replaces and any(node is call for node in ast.walk(each.value)))
    name = next((each.name for each in named), "")
    held = lineage.text.value_of(ast.Name(name, ast.Load()))
    columns, shape = getattr(held, "columns", None), tuple(getattr(held, "shape", None) or ())
    return Side(
        name, None if columns is None else [str(each) for each in columns], shape[1] if len(shape) > 1 else None
    )


def _words(ours: Side, theirs: Side) -> str:
    mine, other = ours.columns or [], theirs.columns or []
    lacking, more = ([each for each in one if each not in two] for one, two in ((mine, other), (other, mine)))
    words = [f"lacks {', '.join(lacking[:4])}"] * bool(lacking) + [f"has {', '.join(more[:4])} besides"] * bool(more)
    return " and ".join(words) or "has them in another order"


def _found(pair: Pair, theirs: Side, words: str, fix: str, lineage: Lineage) -> Finding:
    table = f"`{theirs.name}`" if theirs.name else "the test table"
    return OTHER_COLUMNS.found(
        "test",
        expected=f"the columns of train's table in {table}, in one order",
        received=f"{table}, made by itself at {lineage.text.at(pair.test)}, {words}",
        fix=fix,
    )


def _reindexed(lineage: Lineage, pair: Pair, ours: Side, theirs: Side) -> str:
    """Return the line that gives test's table train's columns, behind the later one of the two that make them."""
    text, last = lineage.text, max(pair, key=place_of)
    statement = text.statement_of(last)
    again = f"{theirs.name} = {theirs.name}.reindex(columns={ours.name}.columns, fill_value=0)"
    if isinstance(statement, ast.Assign):
        return text.in_place(f"{ast.unparse(statement)}; {again}", statement)
    return f"{again}  # behind {text.at(last)}"


def _of_trains_columns(lineage: Lineage, pair: Pair) -> str:
    """Return test's own statement with the columns that the call for train makes, where that can stand in it."""
    both_made = called(pair.train) == called(pair.test) == MAKING
    again = ""
    if both_made and lineage.stands(pair.train, place_of(pair.train), place_of(pair.test)):
        columns = ast.Attribute(pair.train, "columns", ast.Load())
        keywords = [ast.keyword("columns", columns), ast.keyword("fill_value", ast.Constant(0))]
        made = ast.Call(ast.Attribute(pair.test, "reindex", ast.Load()), [], keywords)
        again = lineage.text.with_expression(pair.test, made)
    return (
        again or f"Give the table of {lineage.text.at(pair.test)} train's columns: .reindex(columns=…, fill_value=0)."
    )
