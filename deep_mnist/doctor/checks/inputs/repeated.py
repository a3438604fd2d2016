"""Checks of what repeats: a column of a table, as a join leaves it, and one row throughout."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import COLUMNS, Follows, Need, On, Rule, Scope, check

SAMPLE = 2000  # rows looked at
FEWEST_VALUES = 8  # different ones, without which two columns of flags are equal by chance
MOST_VALUES = 1 << 20  # of the examples looked at
FEWEST_ROWS = 16  # of a table of flags some may be alike
UNKNOWN_WORDS = "Find why no word of train_images is in the vocabulary that turned them into numbers."
ONE_ARRAY = "Find where train_images become alike: one array that is written over, and stored again and again, "
ONE_ARRAY += "should be stored as array.copy()."

REPEATED = Rule(
    code="I154",
    name="columns-repeated",
    field="images.distribution",
    severity="note",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="Two columns of a table hold the same values in every row looked at.",
    why="The network counts one feature twice; a join may also have brought the target itself that way.",
)
ALL_ALIKE = Rule(
    code="I161",
    name="rows-all-alike",
    field="images.distribution",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY, Need.LABELS),
    summary="Every example looked at is one and the same, while their labels differ.",
    why="The network is given nothing to tell the examples by: it learns the mean of the labels.",
    follows=(Follows(rules=("I100", "I101", "I192", "I107"), on=On.ANY_SPLIT),),
)


@check(REPEATED)
def check_repeated_columns(_: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one note on columns of train that repeat an earlier one."""
    images = split.images
    if split.name != "train" or images is None or images.ndim != 2:
        return
    values = take(images, sample_indices(len(images), SAMPLE))
    earlier: dict[bytes, int] = {}
    repeated = [
        (column, first)
        for column in range(values.shape[1])
        if (first := earlier.setdefault(values[:, column].tobytes(), column)) != column
        and len(np.unique(values[:, column])) >= FEWEST_VALUES
    ]
    if repeated:
        column, first = repeated[0]
        where = tuple(each for each, _ in repeated[:MAX_WHERE])
        yield REPEATED.found(
            split.name,
            expected="columns that each tell something of their own",
            received=f"column {column} equal to column {first} in all {len(values)} rows looked at"
            + (f", and {len(repeated) - 1} more" if len(repeated) > 1 else ""),
            fix=f"train_images = np.delete(train_images, {list(where)}, axis=1)  # in every split alike",
            where=where,
        )


@check(ALL_ALIKE)
def check_rows_alike(case: Case, split: Split) -> Iterator[Finding]:
    """Yield train's examples where they are all the same and its labels are not."""
    images, labels = split.images, split.labels
    if split.name != "train" or images is None or labels is None or case.contract.inputs:
        return
    if (
        images.ndim < 2
        or not FEWEST_ROWS <= len(images) == len(labels)
        or not (images[0] == images[len(images) // 2]).all()
    ):
        return
    places = sample_indices(len(images), max(FEWEST_ROWS, min(SAMPLE, MOST_VALUES // max(1, images[0].size))))
    some, aims = take(images, places), take(labels, places)
    if (aims == aims[:1]).all() or not (some == some[:1]).all():
        return
    yield ALL_ALIKE.found(
        split.name,
        expected="examples that differ from one another",
        received=f"one and the same in all {len(some)} looked at, {_said(some[0])}, under different labels",
        fix=_of_letters(case) or (UNKNOWN_WORDS if case.contract.vocabulary is not None else ONE_ARRAY),
    )


def _said(row: np.ndarray) -> str:
    values = np.unique(row)
    return f"{values[0]:g} throughout" if len(values) == 1 else f"of {len(values)} values"


def _of_letters(case: Case) -> str:
    """Return the line that fits a tokenizer to texts where it was fitted to the letters of one; "" where none was."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame)
    wrong = [each for each in text.calls("fit_on_texts") if each.args and _is_one_text(text, each.args[0])]
    turned = [each.args[0] for each in text.calls("texts_to_sequences") if each.args]
    if len(wrong) != 1 or not turned:
        return ""
    return text.with_expression(wrong[0], ast.Call(wrong[0].func, [turned[0]], []))


def _is_one_text(text: ProgramText, node: ast.expr) -> bool:
    joined = isinstance(node, ast.Call) and called(node) == "join"
    return joined or isinstance(node, ast.JoinedStr) or isinstance(text.value_of(node), str)
