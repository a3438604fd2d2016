"""Lists in what a generator or sequence yields, where Keras 3 makes a signature of tuples of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.rules import LISTS_IN_BATCH
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.live.batch_fixes import function_of, given_by, plain_statements
from deep_mnist.doctor.evidence.live.own_code import is_of_keras_2
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.finding import Finding

PARTS = ("inputs", "targets", "sample weights")


def lists_in(split: str, element: Any, case: Case, code: CodeType | None, *, of_sequence: bool) -> Iterator[Finding]:
    """Yield the finding on a batch that is a list, or that has a list of arrays in the place of a part.

    Args:
        split: "train" or "test".
        element: The first batch, as it was yielded.
        case: For the network and the source.
        code: That yields or returns it.
        of_sequence: It comes from a PyDataset, whose batch itself may be a list.
    """
    keras = sys.modules.get("keras")
    model = case.call.model if case.call is not None else None
    if keras is None or model is None or is_of_keras_2(model) or keras.config.backend() != "tensorflow":
        return
    parts = list(element) if isinstance(element, tuple | list) else []
    listed = [name for name, part in zip(PARTS, parts, strict=False) if type(part) is list]
    is_list = type(element) is list and not of_sequence and len(parts) in (2, 3)
    if not listed and not is_list:
        return
    yield LISTS_IN_BATCH.found(
        split,
        expected="tuples: (inputs, targets), and a tuple of arrays where there are several inputs or targets",
        received="a batch that is a list" if is_list else f"a list of arrays as {' and '.join(listed)} of a batch",
        fix=_with_tuples(case, code, parts) or "yield (first_input, second_input), targets",
    )


def _with_tuples(case: Case, code: CodeType | None, parts: list[Any]) -> str:
    """Return the line that yields the batch, with tuples in the place of lists; "" where several lines do."""
    found = function_of(case, code)
    if found is None:
        return ""
    text, definition = found
    given = [(each, value) for each in plain_statements(definition) if (value := given_by(each)) is not None]
    if len(given) != 1:
        return ""
    statement, value = given[0]
    held = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    if len(held) != len(parts):
        return ""
    numpy = alias_of(case.frame, "numpy", "np")[0]
    again = [
        _as_tuple(each, part, numpy) if type(part) is list else each for each, part in zip(held, parts, strict=True)
    ]
    return text.in_place(ast.unparse(exchanged(statement, [(value, ast.Tuple(again, ast.Load()))])), statement)


def _as_tuple(node: ast.expr, part: list[Any], numpy: str) -> ast.expr:
    """Return an expression of a list as one of a tuple, of plain numbers as one of an array."""
    if all(np.isscalar(each) for each in part):
        return ast.parse(f"{numpy}.array({ast.unparse(node)})", mode="eval").body
    if isinstance(node, ast.List):
        return ast.Tuple(node.elts, ast.Load())
    return ast.parse(f"tuple({ast.unparse(node)})", mode="eval").body
