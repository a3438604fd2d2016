"""Checks of what fit takes with arrays alone, beside a dataset, a generator, a sequence of batches: shares and rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.reshuffled import FROM_FOLDER, of_both_subsets, reshuffles
from deep_mnist.doctor.checks.program.steps import batches_in
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset, kind_of
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, keyword_of
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
ROWS_BESIDE_BATCHES = Rule(
    code="P171",
    name="rows-beside-batches",
    field="fit.arguments",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Targets or sample_weight are given beside a dataset, a generator or a sequence, which holds them itself.",
    why="Keras stops before the first step: the argument is not supported beside such inputs.",
)
PLURAL = {"y": "the targets", "sample_weight": "the weights"}


@check(SPLIT_OF_BATCHES)
def check_split_of_batches(case: Case) -> Iterator[Finding]:
    """Yield a validation_split of data without rows; beside validation_data Keras passes over it."""
    call = case.call
    share = call.facts.get("validation_split") if call is not None and call.verb == "fit" else None
    if call is None or not isinstance(share, float) or not 0 < share < 1 or call.validation is not None:
        return
    if _has_rows(call.x):
        return
    yield SPLIT_OF_BATCHES.found(
        expected="validation_data, or arrays or tensors of which validation_split takes the last rows",
        received=f"validation_split={share:g} of a {type(call.x).__name__}",
        fix=_fix(case, call.x, share),
    )


@check(ROWS_BESIDE_BATCHES)
def check_rows_beside_batches(case: Case) -> Iterator[Finding]:
    """Yield y or sample_weight beside data of which each batch holds its own."""
    call = case.call
    if call is None or call.verb != "fit" or not call.direct or _has_rows(call.x) or "fit" in own_names(call.model):
        return
    given = [name for name in PLURAL if call.arguments.get(name) is not None]
    if not given:
        return
    text = ProgramText(case.frame) if case.frame is not None else None
    fit = text.call_on(case.frame.f_lineno, "fit") if text is not None and case.frame is not None else None
    fix = ""
    if text is not None and fit is not None and is_dataset(call.x) and len(fit.args) < 3 and not case.contract.inputs:
        fix = _in_slices(text, fit, call.x, given)
    told = " and ".join(PLURAL[each] for each in given)
    where = "yield (x, y), or (x, y, sample_weight)"
    if is_dataset(call.x):
        where = "tf.data.Dataset.from_tensor_slices((x, y)), before it is shuffled and batched"
    yield ROWS_BESIDE_BATCHES.found(
        expected="inputs, targets and weights in each batch: (x, y) or (x, y, sample_weight)",
        received=f"{' and '.join(given)} beside a {'tf.data.Dataset' if is_dataset(call.x) else type(call.x).__name__}",
        fix=fix or f"Put {told} into each batch, behind the inputs: {where}.",
    )


def _has_rows(data: Any) -> bool:
    return data is None or hasattr(data, "shape") or isinstance(data, list | tuple | dict)


def _in_slices(text: ProgramText, fit: ast.Call, data: Any, given: list[str]) -> str:
    """Return the only line that slices arrays, with these beside them, and what becomes of fit; "" of another form.

    A dataset that holds targets already wants none beside it.
    """
    kept = [each for each in fit.keywords if each.arg not in PLURAL]
    without = text.with_expression(fit, ast.Call(fit.func, fit.args[:1], kept))
    held = len(data.element_spec) if isinstance(data.element_spec, tuple) else 1
    if held > 1 and given == ["y"]:
        return without
    slices = text.calls("from_tensor_slices")
    added = [argument_of(fit, 1, name) if name == "y" else keyword_of(fit, name) for name in given]
    is_mapped = any(kind_of(each) == "Map" for each in below(data))  # by a function of as many parts as there are now
    if len(slices) != 1 or len(slices[0].args) != 1 or held != (1 if "y" in given else 2) or is_mapped:
        return ""
    first = slices[0].args[0]
    parts = first.elts if held > 1 and isinstance(first, ast.Tuple) else [first]
    if len(parts) != held:
        return ""
    beside = ast.Tuple([*parts, *(each for each in added if each is not None)], ast.Load())
    again = ast.Call(slices[0].func, [beside], slices[0].keywords)
    return _both(text.with_expression(slices[0], again), without)


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
