"""Checks of a program's calls that split: parts unpacked in another order, rows of train and test drawn twice."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.rows_of_both import hashes_of_both
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of, names_set
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

SHARE = 0.05  # of test rows that are in train
DRAWING = ("permutation", "choice", "sample", "train_test_split")

DRAWN_TWICE = Rule(
    code="S166",
    name="train-and-test-drawn-twice",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.SURVEY, Need.TEST, Need.LIVE_MODEL),
    follows=(Follows(rules=("S160", "S161", "S162", "S163", "S122"), on=On.ANY_SPLIT),),
    summary="Train's rows and test's were drawn by two draws of chance from all rows, so that they share many.",
    why="The test score counts what was learned by heart: it is too good.",
)
PARTS = Rule(
    code="S103",
    name="parts-unpacked-in-the-wrong-order",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.LABELS, Need.LIVE_MODEL),
    summary="What train_test_split() returned was unpacked in the wrong order: x and y do not belong together.",
    why="The targets are not those of the inputs: Keras stops, or what is learned means nothing.",
)


@check(DRAWN_TWICE)
def check_drawn_twice(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, where rows are shared and the source draws from the same rows twice."""
    if case.frame is None or case.call is None or case.call.held_out is None:
        return
    text = ProgramText(case.frame)
    pair = _two_draws(text)
    (ours, _), (theirs, tested) = hashes_of_both(case)
    if pair is None or not len(ours) or not len(theirs):
        return
    shared = np.isin(theirs, ours)
    natural = 1 - len(np.unique(ours)) / len(ours)
    if shared.mean() < SHARE + 2 * natural:
        return
    one, other = pair
    yield DRAWN_TWICE.found(
        "test",
        expected=f"test {case.example}s that training has not seen: one draw, whose rest is the other split",
        received=f"{shared.mean():.0%} of the test {case.example}s are in train too: {text.at(one)} and "
        f"{text.at(other)} each draw from all of them",
        fix=_fix(text, one, other),
        where=tuple(int(index) for index in tested[shared][:MAX_WHERE]),
    )


def _two_draws(text: ProgramText) -> tuple[ast.Call, ast.Call] | None:
    """Return two draws from the same rows that are no repetition of each other, None without."""
    draws = [each for each in text.calls(*DRAWING) if _sets_names(text, each)]
    for index, one in enumerate(draws):
        for other in draws[index + 1 :]:
            if text.statement_of(one) is text.statement_of(other) or called(one) != called(other):
                continue
            if _population(one) == _population(other) != "" and not _same_seed(one, other):
                return one, other
    return None


def _sets_names(text: ProgramText, call: ast.Call) -> bool:
    """Whether a call's statement sets names that the frame has."""
    statement = text.statement_of(call)
    names = list(names_set([statement])) if isinstance(statement, ast.Assign) else []
    return bool(names) and all(text.value_of(ast.Name(each, ast.Load())) is not None for each in names)


def _population(call: ast.Call) -> str:
    """Return the text of what is drawn from: the first argument, or the table whose method it is."""
    if called(call) == "sample" and isinstance(call.func, ast.Attribute):
        return ast.unparse(call.func.value)
    return ast.unparse(call.args[0]) if call.args else ""


def _same_seed(one: ast.Call, other: ast.Call) -> bool:
    ours, theirs = keyword_of(one, "random_state"), keyword_of(other, "random_state")
    return ours is not None and theirs is not None and ast.unparse(ours) == ast.unparse(theirs)


def _fix(text: ProgramText, one: ast.Call, other: ast.Call) -> str:
    first, second = text.statement_of(one), text.statement_of(other)
    sentence = "Draw once: what the first draw leaves is the test split."
    if not isinstance(first, ast.Assign) or not isinstance(second, ast.Assign):
        return sentence
    if called(one) == "train_test_split":
        seed = keyword_of(one, "random_state")
        return text.rewritten(other, random_state=seed) if seed is not None else sentence
    names = [each.targets[0] for each in (first, second)]
    if not all(isinstance(each, ast.Name) for each in names):
        return sentence
    ours, theirs = (ast.unparse(each) for each in names)
    if called(one) == "sample":
        return text.in_place(f"{theirs} = {_population(one)}.drop({ours}.index)", second)
    size = _population(one)
    rows = f"np.arange({size})" if not isinstance(text.value_of(one.args[0]), np.ndarray) else size
    return text.in_place(f"{theirs} = np.setdiff1d({rows}, {ours})", second)


@check(PARTS)
def check_parts(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, where fit's x and y came from one train_test_split, and not as inputs and targets."""
    if case.frame is None or case.call is None:
        return
    text = ProgramText(case.frame)
    for call in text.calls("train_test_split"):
        statement = text.statement_of(call)
        names = _names_of_parts(statement, len(call.args))
        values = [text.value_of(ast.Name(each, ast.Load())) for each in names]
        x, y = (_place_of(part, values) for part in (case.call.x, case.call.y))
        if not isinstance(statement, ast.Assign) or x is None or y is None or x == y:
            continue
        if ordered := _in_order(names, x, y):
            yield PARTS.found(
                "train" if case.test is None else "both",
                expected="x and y from two arrays, both for train: train_test_split returns train's and test's part of "
                "each array in turn",
                received=f"{_of_array(call, names, x)} as x and {_of_array(call, names, y)} as y ({text.at(call)})",
                fix=text.in_place(f"{', '.join(ordered)} = {ast.unparse(statement.value)}", statement),
            )
            return


def _of_array(call: ast.Call, names: list[str], place: int) -> str:
    return f"{names[place]}, {('train', 'test')[place % 2]}'s part of {ast.unparse(call.args[place // 2])},"


def _in_order(names: list[str], x: int, y: int) -> list[str]:
    """Return the names of a split's parts so that x and y get one part of two arrays, [] where they have or none does.

    Those who unpack both parts of one array as x and y have read it as train's part of every array, then test's.
    """
    half = len(names) // 2
    if x // 2 == y // 2:
        train, test = (names[:half], names[half:]) if x < half else (names[half:], names[:half])
        return [name for pair in zip(train, test, strict=True) for name in pair]
    if x % 2 == y % 2 or half != 2:
        return []
    ordered = list(names)
    ordered[y], ordered[y ^ 1] = names[y ^ 1], names[y]
    return ordered


def _names_of_parts(statement: ast.stmt | None, arrays: int) -> list[str]:
    """Return the names that a statement gives to the two parts of each array, [] where they are told in another way."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    elements = target.elts if isinstance(target, ast.Tuple | ast.List) else []
    names = [each.id for each in elements if isinstance(each, ast.Name)]
    return names if len(names) == len(elements) == 2 * arrays else []


def _place_of(part: object, values: list[object]) -> int | None:
    return next((place for place, each in enumerate(values) if each is part and part is not None), None)
