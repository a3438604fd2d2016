"""Check for a test table whose columns are not train's, or stand in another order: Keras takes them by place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.columns import is_frame
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, Rule, Scope, check

MOST_COLUMNS = 4096  # looked at
MOST_SHOWN = 4  # in a sentence

OTHER_TABLE = Rule(
    code="S173",
    name="test-table-of-other-columns",
    field="splits.preparation",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    follows=(Follows(rules=("S172",)),),
    summary="The columns of the test table are not those of train's table, or stand in another order.",
    why="Keras knows no names: it takes columns by their place, so that one means another than in training.",
)


@check(OTHER_TABLE)
def check_table_columns(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, where fit and what it is tested on are given tables with names."""
    held = case.call.held_out if case.call is not None else None
    tables = (case.call.x, held[0]) if case.call is not None and isinstance(held, tuple | list) and held else ()
    if not tables or not all(is_frame(each) and _is_named(each) for each in tables):
        return
    train, test = tables
    ours, theirs = ([*each.columns] for each in tables)
    lacking, more = ([each for each in one if each not in two] for one, two in ((ours, theirs), (theirs, ours)))
    moved = [name for place, name in enumerate(ours) if name in theirs and theirs.index(name) != place]
    if len(lacking) == len(ours) or not (moved or lacking or more):
        return
    coded = all(_is_category(each, train) for each in lacking) and all(_is_category(each, test) for each in more)
    if len(ours) == len(theirs) and not moved and not coded:
        return  # renamed, as it seems
    yield OTHER_TABLE.found(
        "test",
        expected="the columns of train's table, in one order",
        received=_words(lacking, more, moved),
        fix=_fix(lacking, coded),
    )


def _is_named(table: Any) -> bool:
    names = [*table.columns]
    return len(names) <= MOST_COLUMNS and all(isinstance(each, str) for each in names) and len({*names}) == len(names)


def _is_category(name: str, table: Any) -> bool:
    """Whether a column is one of several that one column of words was made into: of 0 and 1, "kind_bus"."""
    stem = name.rpartition("_")[0]
    alike = [each for each in table.columns if stem and each.rpartition("_")[0] == stem]
    return len(alike) > 1 and all(bool(np.isin(table[each].to_numpy(), (0, 1)).all()) for each in alike)


def _words(lacking: Sequence[str], more: Sequence[str], moved: Sequence[str]) -> str:
    several = (("lacks", lacking, ""), ("has", more, " besides"), ("has at another place", moved, ""))
    told = [
        f"{verb} {', '.join(each[:MOST_SHOWN])}{f' and {len(each) - MOST_SHOWN} more' * (len(each) > MOST_SHOWN)}{end}"
        for verb, each, end in several
        if each
    ]
    return "a table that " + ", and ".join(told)


def _fix(lacking: Sequence[str], coded: bool) -> str:
    if not lacking:
        return "test_images = test_images[train_images.columns]"
    if coded:
        return "test_images = test_images.reindex(columns=train_images.columns, fill_value=0)"
    return f"Make test_images with all columns of train_images: it lacks {', '.join(lacking[:MOST_SHOWN])}."
