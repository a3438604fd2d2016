"""Checks whether the splits' arrays were exchanged: unpacked in the wrong order, or labels of the other split."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

PARTS = Rule(
    code="S103",
    name="parts-unpacked-in-the-wrong-order",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.LABELS, Need.LIVE_MODEL),
    summary="What train_test_split() returned was unpacked in the wrong order: x and y are no parts of one another.",
    why="The targets are not those of the inputs: Keras stops, or what is learned means nothing.",
)

UNPACKED = Rule(
    code="S101",
    name="arrays-unpacked-in-the-wrong-order",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.LABELS, Need.TEST),
    follows=(Follows(rules=("S103",), on=On.ANY_SPLIT),),
    summary="What load_data() returned was unpacked in the wrong order: train_labels holds images.",
    why="Keras stops: the numbers of examples and labels differ.",
)
SWAPPED = Rule(
    code="S102",
    name="labels-of-the-other-split",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.LABELS, Need.TEST),
    follows=(Follows(rules=("S103",), on=On.ANY_SPLIT),),
    summary="Each split has as many labels as the other one has examples: they were exchanged.",
    why="Keras stops: the numbers of examples and labels differ.",
)


@check(UNPACKED, SWAPPED)
def check_mixed_up_arrays(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, on both splits."""
    train, test = case.train, case.test
    if test is None:
        return
    images, labels, others, other_labels = train.images, train.labels, test.images, test.labels
    if images is None or labels is None or others is None or other_labels is None:
        return
    if not (images.ndim and labels.ndim and others.ndim and other_labels.ndim):
        return
    holds_images = labels.ndim >= 2 and labels.shape[1:] == images.shape[1:] != others.shape[1:]
    of_each_other = len(others) == len(images) and len(other_labels) == len(labels)
    if holds_images and others.ndim <= 2 and (labels.ndim >= 3 or of_each_other):
        yield UNPACKED.found(
            "both",
            expected="labels of train_images in train_labels",
            received=f"{case.example}s of shape {labels.shape} there, and labels of shape {others.shape} "
            "in test_images",
            fix="train_labels, test_images = test_images, train_labels  "
            "# unpack load_data() as (x_train, y_train), (x_test, y_test)",
        )
    elif len(images) == len(other_labels) != len(labels) == len(others):
        yield SWAPPED.found(
            "both",
            expected=f"labels of the same split as the {case.example}s",
            received=f"{len(images)} train {case.example}s with {len(labels)} labels, and the reverse in test",
            fix="train_labels, test_labels = test_labels, train_labels",
        )


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
