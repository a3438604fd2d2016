"""Check for a validation_split of what fit cannot cut: a dataset, a generator, a sequence of batches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.reshuffled import FROM_FOLDER, of_both_subsets, reshuffles
from deep_mnist.doctor.checks.program.steps import batches_in
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MOST_BATCHES = 1e9
OF_FOLDERS = "Give ImageDataGenerator validation_split={share:g}, call the flow once with subset='training' and once "
OF_FOLDERS += "with subset='validation', and give fit validation_data in the place of validation_split."
OF_BATCHES = "Hold examples out before batches are made of them, and give fit those as validation_data, "
OF_BATCHES += "without validation_split."

SPLIT_OF_BATCHES = Rule(
    code="P140",
    name="validation-split-of-batches",
    field="fit.validation",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="validation_split is given with a dataset, a generator or a sequence, which fit cannot cut.",
    why="Keras stops before the first step: validation_split is only supported for tensors or NumPy arrays.",
)


@check(SPLIT_OF_BATCHES)
def check_split_of_batches(case: Case) -> Iterator[Finding]:
    """Yield a validation_split of data without rows; beside validation_data Keras passes over it."""
    call = case.call
    share = call.facts.get("validation_split") if call is not None and call.verb == "fit" else None
    if call is None or not isinstance(share, float) or not 0 < share < 1 or call.validation is not None:
        return
    if call.x is None or hasattr(call.x, "shape") or isinstance(call.x, list | tuple | dict):
        return
    yield SPLIT_OF_BATCHES.found(
        expected="validation_data, or arrays or tensors of which validation_split takes the last rows",
        received=f"validation_split={share:g} of a {type(call.x).__name__}",
        fix=_fix(case, call.x, share),
    )


def _fix(case: Case, data: Any, share: float) -> str:
    if getattr(data, "image_data_generator", None) is not None:
        return OF_FOLDERS.format(share=share)
    count = batches_in(data, {}, case)
    text = ProgramText(case.frame) if case.frame is not None else None
    fit = text.call_on(case.frame.f_lineno, "fit") if text is not None and case.frame is not None else None
    if text is None or fit is None or not is_dataset(data):
        return OF_BATCHES
    given = fit.args[0] if fit.args else keyword_of(fit, "x")
    if not isinstance(given, ast.Name):
        return OF_BATCHES
    mixed = [each for each in below(data) if reshuffles(each)]
    if mixed:
        return _behind_a_shuffle(text, fit, given, share, count) or OF_BATCHES
    return _in_parts(text, fit, given, share, count) or OF_BATCHES


def _in_parts(text: ProgramText, fit: ast.Call, given: ast.Name, share: float, count: float | None) -> str:
    """Return the call of fit on all but some batches, and validated on these; "" where their number is not known."""
    if count is None or not 2 <= count < MOST_BATCHES:
        return ""
    held = max(1, int(count * share))
    parts = (ast.parse(f"{given.id}.{each}({held})", mode="eval").body for each in ("skip", "take"))
    return _on(text, fit, *parts)


def _on(text: ProgramText, fit: ast.Call, train: ast.expr, validation: ast.expr) -> str:
    """Return the statement of fit on other data, in its place."""
    kept = [each for each in fit.keywords if each.arg not in ("x", "validation_split")]
    again = ast.Call(fit.func, [train, *fit.args[1:]], [*kept, ast.keyword("validation_data", validation)])
    return text.with_expression(fit, again)


def _behind_a_shuffle(text: ProgramText, fit: ast.Call, given: ast.Name, share: float, count: float | None) -> str:
    """Return the line that shuffles once and for all, or reads both subsets of a folder, and what becomes of fit."""
    for call in text.calls(*FROM_FOLDER):
        statement = text.statement_of(call)
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == given.id:
            again = ast.unparse(of_both_subsets(call, share))
            told = _on(text, fit, given, ast.Name("validation", ast.Load()))
            return _both(text.in_place(f"{given.id}, validation = {again}", statement), told)
    calls = [each for each in text.calls("shuffle") if isinstance(each.func, ast.Attribute)]
    if len(calls) != 1:
        return ""
    once = text.rewritten(calls[0], reshuffle_each_iteration=ast.Constant(value=False))
    return _both(once, _in_parts(text, fit, given, share, count))


def _both(first: str, second: str) -> str:
    line, _, place = second.partition(f"  # {IN_PLACE} ")
    return f"{first}, and {IN_PLACE} {place}: {line}" if first and place else ""
