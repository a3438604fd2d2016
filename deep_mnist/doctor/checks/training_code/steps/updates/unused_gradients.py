"""Check of a loop of one's own: the gradients that it asks a tape for are read by something."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.own_training import CHANGING, NOT_APPLIED
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.source_text import (
    ProgramText,
    argument_of,
    called,
    is_in_a_loop,
    names_set,
    statements_around,
)
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check


@check(NOT_APPLIED)
def check_unused_gradients(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of gradients of a loop's step that nothing reads beside an optimizer without work."""
    step = step_of(case)
    if step is None or step.is_whole or step.code is None or case.frame is None or not is_in_a_loop(case.frame):
        return
    text = ProgramText(case.frame, step.code.co_filename)
    optimizer = _optimizer(text, step)
    record = step.first
    if optimizer is None or record.error is not None or not record.asked or record.applied or _changes(text):
        return
    asked = [each for each in map(text.statement_of, text.calls("gradient")) if isinstance(each, ast.Assign)]
    if len(asked) != 1 or len(text.calls("gradient")) != 1 or not _is_unread(text, asked[0]):
        return
    yield NOT_APPLIED.found(
        expected=f"{optimizer}.apply_gradients(zip(gradients, variables)) behind tape.gradient",
        received=f"the gradients of {len(record.asked[0])} variables at {text.at(asked[0])}, which nothing reads",
        fix=_applied(text, asked[0], optimizer),
    )


def _optimizer(text: ProgramText, step: OwnStep) -> str | None:
    """Return the name of the only optimizer of the frame, None where there are none or several."""
    spaces = (text.frame.f_globals, text.frame.f_locals)
    held = {id(each): each for space in spaces for each in list(space.values()) if _is_optimizer(each)}
    held.pop(id(getattr(step.model, "optimizer", None)), None)
    return text.name_of(next(iter(held.values()))) if len(held) == 1 else None


def _is_optimizer(value: Any) -> bool:
    return any(each.__name__ == "BaseOptimizer" for each in type(value).__mro__)


def _changes(text: ProgramText) -> bool:
    """Whether anything in a program may change a variable, of whichever object."""
    words = {*CHANGING, "assign_add", "update_step", "get_updates", "set_weights"}
    return any(isinstance(each, ast.Attribute) and each.attr in words for each in text.nodes)


def _is_unread(text: ProgramText, asked: ast.Assign) -> bool:
    """Whether what a statement sets, and what is made of it by further assignments, is read by prints alone."""
    body = statements_around(text.tree, asked.lineno)
    names = {*names_set([asked])}
    if not names or not all(isinstance(each, ast.Name) for each in asked.targets):
        return False
    nodes = [node for statement in body for node in ast.walk(statement)]
    read = [each for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)]
    while True:
        readers = [text.statement_of(each) for each in read if each.id in names]
        made = [each for each in readers if isinstance(each, ast.Assign) and _sets_names(each)]
        if not all(each in made or _prints(each) for each in readers):
            return False
        if names >= {*names_set(list(made))}:
            return True
        names |= {*names_set(list(made))}


def _sets_names(statement: ast.Assign) -> bool:
    targets = [each for of in statement.targets for each in (of.elts if isinstance(of, ast.Tuple) else [of])]
    return all(isinstance(each, ast.Name) for each in targets)


def _prints(statement: ast.stmt | None) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Call) and called(value) == "print"


def _applied(text: ProgramText, asked: ast.Assign, optimizer: str) -> str:
    """Return the statement that asks for the gradients, and the one that applies them."""
    call = next(each for each in ast.walk(asked.value) if isinstance(each, ast.Call) and called(each) == "gradient")
    sources = argument_of(call, 1, "sources")
    of = ast.unparse(sources) if sources is not None else "model.trainable_variables"
    applied = f"{optimizer}.apply_gradients(zip({ast.unparse(asked.targets[0])}, {of}))"
    return text.in_place(f"{ast.unparse(asked)}; {applied}", asked)
