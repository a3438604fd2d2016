"""Checks of predict() behind the fit: one example without the batch axis, such as x_test[0], and a list of numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.given.image_ranks import image_rank
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.own_code import is_of_keras_2
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

Shape = tuple[int, ...]
DRAWING = ("randint", "randrange")  # one number, where they are given bounds alone
COUNTING = ("range", "enumerate")

WITHOUT_BATCH = Rule(
    code="P095",
    name="predicts-without-batch-axis",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="Behind the fit predict() is given one example, such as x_test[0], without the axis of a batch.",
    why="Its first axis is taken for that of the examples: predict() stops, or answers for each of its rows.",
)
LISTED = Rule(
    code="P147",
    name="predicts-on-a-list",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="Behind the fit predict() or evaluate() is given a number, or a list of numbers, in place of an array.",
    why="Keras 3 takes arrays and tensors alone, and lists of them for several inputs: unrecognized data type.",
)


@check(LISTED)
def check_listed(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call, images = case.call, case.train.images
    if call is None or call.verb != "fit" or images is None or case.train.inputs or is_of_keras_2(call.model):
        return
    for use in after_fit(case.frame, call.model):
        node = use.called_on(call.model, "predict", "evaluate")
        given = (node.args[0] if node.args else keyword_of(node, "x")) if node is not None else None
        depth = _depth(use, given) if given is not None else None
        if given is not None and depth is not None:
            text = f"[{ast.unparse(given)}]" if _is_one(depth, images.shape) else ast.unparse(given)
            made = ast.parse(f"np.array({text})", mode="eval").body
            yield LISTED.found(
                expected="an array of numpy, or a tensor",
                received=f"{ast.unparse(given)[:60]}, at {use.scope.text.at(use.node)}",
                fix=rewritten([(use, given, made)]),
            )
            return


def _is_one(depth: int, shape: Shape) -> bool:
    """Whether numbers nested so are one example of arrays of this shape: a number for numbers, a row for rows."""
    return depth < len(shape) and not (depth == 1 and shape[1:] == (1,))


def _depth(use: Use, node: ast.expr) -> int | None:
    """Return how deeply numbers are nested that a program states as a list, 0 of a number; None of anything else."""
    if isinstance(node, ast.Name):
        source = _source(use, node)
        return _depth(use, source) if isinstance(source, ast.List) else None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return depth if isinstance(value, int | float) and not isinstance(value, bool) else None


@check(WITHOUT_BATCH)
def check_one_example(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call, images = case.call, case.train.images
    if call is None or call.verb != "fit" or images is None or case.train.inputs:
        return
    shape = tuple(images.shape[1:])
    keeps_rank = any(each.__name__ in ("Functional", "Sequential") for each in type(call.model).__mro__)
    if math.prod(shape) < 2 or not (keeps_rank or len(shape) in (1, 3)):
        return
    for use in after_fit(case.frame, call.model):
        node = use.called_on(call.model, "predict", "predict_on_batch")
        given = (node.args[0] if node.args else keyword_of(node, "x")) if node is not None else None
        new = _as_batch(use, given, shape) if given is not None else None
        if given is not None and new is not None:
            yield WITHOUT_BATCH.found(
                expected=f"a batch of examples: {('n', *shape)}".replace("'", ""),
                received=f"{ast.unparse(given)} of {shape}, at {use.scope.text.at(use.node)}",
                fix=rewritten([(use, given, ast.parse(new, mode="eval").body)]),
            )
            return


def _as_batch(use: Use, given: ast.expr, shape: Shape) -> str | None:
    """Return a batch of the one example that an expression is, None where it is no single example."""
    if _shape(use.value(given)) == shape:
        return f"{ast.unparse(given)}[None]"
    if len(shape) == 3 and (new := _image_as_batch(use, given, shape)) is not None:
        return new
    if isinstance(given, ast.Subscript):
        return _sliced(use, given, shape)
    source = _source(use, given) if isinstance(given, ast.Name) else None
    if isinstance(source, ast.For):
        is_row = isinstance(source.target, ast.Name) and _rows(use, source.iter) == shape
        return f"{ast.unparse(given)}[None]" if is_row else None
    if not isinstance(source, ast.Subscript) or _sliced(use, source, shape) is None or not _is_array(use, source):
        return None
    return f"{ast.unparse(given)}[None]"


def _image_as_batch(use: Use, given: ast.expr, shape: Shape) -> str | None:
    """Return the batch of one image that is read behind the fit, None where it has an axis of examples or may have."""
    text = use.scope.text
    rank = image_rank(text, Lineage(text, text.around(use.node)), given, place_of(use.node))
    if rank == 2 and shape[-1] == 1:
        return f"{ast.unparse(given)}[None, ..., None]"
    return f"{ast.unparse(given)}[None]" if rank == 3 else None


def _sliced(use: Use, given: ast.Subscript, shape: Shape) -> str | None:
    """Return the batch of the one row that is taken of an array or table, None of any other subscript."""
    owner, index = given.value, given.slice
    of_table = isinstance(owner, ast.Attribute) and owner.attr == "iloc"
    rows = _rows(use, owner.value if of_table and isinstance(owner, ast.Attribute) else owner)
    if rows != shape or not _is_whole(use, index) or (not of_table and not _is_array(use, given)):
        return None
    text, at = ast.unparse(owner), ast.unparse(index)
    if of_table:
        return f"{text}[[{at}]]"
    if isinstance(index, ast.Constant) and isinstance(index.value, int):
        return f"{text}[{at}:{index.value + 1}]"
    return f"{text}[{at}:]" if at == "-1" else f"{text}[{at}:{at} + 1]"


def _is_array(use: Use, node: ast.Subscript) -> bool:
    """Whether what a subscript is of is an array, whose rows have no labels of their own."""
    owner = node.value
    is_values = isinstance(owner, ast.Attribute) and owner.attr == "values"
    return is_values or not hasattr(use.value(owner), "iloc")


def _rows(use: Use, node: ast.expr) -> Shape | None:
    """Return the shape of one row of an array or table that is there already, None of any other expression."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        node = node.value
    if isinstance(node, ast.Attribute) and node.attr == "values":
        node = node.value
    shape = _shape(use.value(node))
    return shape[1:] if shape else None


def _shape(value: Any) -> Shape | None:
    shape = getattr(value, "shape", None) if not isinstance(value, type) else None
    try:
        return tuple(int(each) for each in shape) if shape is not None else None
    except (TypeError, ValueError):
        return None


def _source(use: Use, name: ast.Name) -> ast.expr | ast.For | None:
    """Return what a name was last given as a whole, the loop that sets it; None where that is not clear."""
    text = use.scope.text
    setting = next(Lineage(text, text.around(name)).before(name.id, place_of(name)), None)
    statement = text.statement_of(setting.value) if setting is not None and setting.replaces else None
    if isinstance(statement, ast.For):
        return statement
    plain = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    return statement.value if plain and isinstance(statement, ast.Assign) else None


def _is_whole(use: Use, node: ast.expr) -> bool:
    """Whether an index is one whole number: a number, a counter of a loop, one that is drawn."""
    if isinstance(node, ast.UnaryOp | ast.BinOp):
        parts = [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]
        return all(_is_whole(use, each) for each in parts)
    if isinstance(node, ast.Call):
        return called(node) in DRAWING and not node.keywords and len(node.args) < 3
    value = use.value(node)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return True
    source = _source(use, node) if isinstance(node, ast.Name) else None
    if not isinstance(source, ast.For):
        return source is not None and not isinstance(source, ast.Name) and _is_whole(use, source)
    counter = source.target.elts[0] if isinstance(source.target, ast.Tuple) else source.target
    is_first = isinstance(node, ast.Name) and isinstance(counter, ast.Name) and counter.id == node.id
    name = called(source.iter) if isinstance(source.iter, ast.Call) else ""
    return is_first and name in COUNTING and isinstance(source.target, ast.Tuple) == (name == "enumerate")
