"""Check of an accuracy in training code of the user's own: its argmax is over the classes, not over the batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.scored import units_of
from deep_mnist.doctor.checks.program.later.truncated import OVER_THE_BATCH, axis_of_argmax, over_classes, sides_of
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check

KEEPING = ("softmax", "sigmoid", "numpy")  # calls that leave rows rows


@check(OVER_THE_BATCH)
def check_argmax_of_rows(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first comparison with the greatest of each column of outputs."""
    step, call = step_of(case), case.call
    if step is None or call is None or case.frame is None or (units_of(call.model) or 1) < 2:
        return
    text = ProgramText(case.frame, step.code.co_filename if step.code is not None else "")
    body = _body(text, step.code)
    lineage = Lineage(text, body)
    for node in sorted(_argmaxes(text, body), key=place_of):
        statement = text.statement_of(node)
        if statement is None or not _is_of_outputs(text, lineage, node, call.model) or not _is_compared(lineage, node):
            continue
        nodes = [each for each in ast.walk(statement) if axis_of_argmax(each) in ("", "0")]
        again = exchanged(statement, [(each, over_classes(each)) for each in nodes if isinstance(each, ast.Call)])
        plain = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return)
        yield OVER_THE_BATCH.found(
            expected="argmax over the classes of each row: axis=1",
            received=f"{ast.unparse(node)}, at {text.at(node)}",
            fix=text.in_place(ast.unparse(again), statement) if plain else "Give argmax axis=1.",
        )
        return


def _body(text: ProgramText, code: CodeType | None) -> list[ast.stmt]:
    function = text.function_at(code) if code is not None else None
    return function.body if function is not None else list(getattr(text.tree, "body", []))


def _argmaxes(text: ProgramText, body: list[ast.stmt]) -> Iterator[ast.Call]:
    """Yield the calls of TensorFlow's argmax without an axis, or over axis 0."""
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.Call) and axis_of_argmax(node) in ("", "0") and node.args:
            root: Any = node.func
            while isinstance(root, ast.Attribute):
                root = root.value
            if getattr(text.value_of(root), "__name__", "") == "tensorflow":
                yield node


def _is_of_outputs(text: ProgramText, lineage: Lineage, node: ast.Call, model: Any) -> bool:
    """Whether argmax is given what the model's call returned, as it came."""
    given = node.args[0]
    while isinstance(given, ast.Call) and getattr(given.func, "attr", "") in KEEPING and given.args:
        given = given.args[0]
    settings = list(lineage.before(given.id, place_of(node))) if isinstance(given, ast.Name) else []
    made = settings[0].value if settings and settings[0].value is settings[0].follows else given
    if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name):
        return False
    return made.func.id == "self" or text.value_of(made.func) is model


def _is_compared(lineage: Lineage, chosen: ast.Call) -> bool:
    nodes = [each for statement in lineage.body for each in ast.walk(statement)]
    for node in (each for each in nodes if not isinstance(getattr(each, "func", None), ast.Name)):
        values = [each for side in sides_of(node) for each in lineage.of(side, place_of(side), "argmax")]
        if any(each is chosen for value in values for each in ast.walk(value)):
            return True
    return False
