"""Checks of optimizers, losses and callbacks that the program makes with settings of their own and gives to nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import loss_title
from deep_mnist.doctor.checks.program.logs import is_callback
from deep_mnist.doctor.evidence.live.lineage import calls_in
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, code_behind, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

TAKEN = {"optimizer": 0, "loss": 1}  # arguments of compile(), and their places
BY_OTHER_WAYS = ("eval", "exec", "globals", "locals", "vars")  # to read a name
ACTING = ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "LearningRateScheduler", "BackupAndRestore")
FIELDS = {"optimizer": "model.optimizer", "loss": "contract.loss"}

UNUSED = Rule(
    code="P121",
    name="settings-made-and-not-given",
    field="model.optimizer",
    other_fields=("contract.loss",),
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="An optimizer or a loss is made with settings, and compile() gets its name as a string instead.",
    why="A string stands for the defaults: the rate, or whatever else was set, is not the one that is used.",
)


CALLBACK_UNUSED = Rule(
    code="P144",
    name="callback-made-and-not-given",
    field="fit.callbacks",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A callback that stops, saves or sets the rate is made, and fit() does not get it.",
    why="Training goes on to the last epoch, saves nothing, or keeps its rate, as if the callback were not there.",
)


class _Unused(NamedTuple):
    """An object that nothing reads: the statement, its name and call; and compile(), with the argument in its place."""

    statement: ast.Assign
    name: str
    made: ast.Call
    compiled: ast.Call
    argument: str


@check(UNUSED)
def check_made_and_unused(case: Case) -> Iterator[Finding]:
    """Yield each such object whose class is that of the string."""
    if case.frame is None or case.call is None or case.call.verb != "fit":
        return
    text = ProgramText(case.frame)
    for each in _unused(text):
        stated = argument_of(each.compiled, TAKEN[each.argument], each.argument)
        given = ast.Name(each.name, ast.Load())
        line = text.with_expression(stated, given) if stated is not None else ""
        yield UNUSED.found(
            field=FIELDS[each.argument],
            expected=f"{each.name} = {ast.unparse(each.made)} for compile()",
            received=f"{ast.unparse(stated) if stated is not None else ''}, at {text.at(each.compiled)}: {each.name}, "
            f"made at {text.at(each.statement)}, is read nowhere",
            fix=line or f"Give compile() {each.argument}={each.name}.",
        )


@check(CALLBACK_UNUSED)
def check_callbacks_unused(case: Case) -> Iterator[Finding]:
    """Yield each callback, or list of some, that nothing reads, beside the program's only fit()."""
    if case.frame is None or case.call is None or case.call.verb != "fit":
        return
    text = ProgramText(case.frame)
    fits = [each for each in text.calls("fit", "fit_generator") if _may_be_of_keras(text, each)]
    if len(fits) != 1 or fits[0] not in text.calls_on(case.frame.f_lineno, "fit", "fit_generator"):
        return
    for statement, name in _never_read(text):
        held = text.value_of(ast.Name(name, ast.Load()))
        listed = [*held] if isinstance(held, list | tuple) else [held]
        kinds = [type(each).__name__ for each in listed]
        if not all(is_callback(each, "Callback") for each in listed) or not {*kinds} & {*ACTING}:
            continue
        yield CALLBACK_UNUSED.found(
            expected=f"{name} among the callbacks of fit()",
            received=f"{' and '.join(kinds)}, made at {text.at(statement)} and read nowhere",
            fix=_with_callbacks(text, fits[0], name, isinstance(held, list | tuple)),
        )


def _may_be_of_keras(text: ProgramText, fit: ast.Call) -> bool:
    """Whether a fit may be of a network, and not of a scaler or a tokenizer."""
    owner = text.value_of(fit.func.value) if isinstance(fit.func, ast.Attribute) else None
    return hasattr(owner, "compile") or (owner is None and bool(fit.args[1:] or fit.keywords))


def _with_callbacks(text: ProgramText, fit: ast.Call, name: str, is_list: bool) -> str:
    """Return the fit() that gets a callback, or several, too."""
    stated = keyword_of(fit, "callbacks")
    added = ast.Name(name, ast.Load())
    if stated is None:
        given: ast.expr = added if is_list else ast.List([added], ast.Load())
    else:
        more: ast.expr = ast.Starred(added, ast.Load()) if is_list else added
        before = stated.elts if isinstance(stated, ast.List) else [ast.Starred(stated, ast.Load())]
        given = ast.List([*before, more], ast.Load())
    return text.rewritten(fit, callbacks=given) or f"Give fit() callbacks={ast.unparse(given)}."


def _unused(text: ProgramText) -> Iterator[_Unused]:
    for statement, name in _never_read(text):
        made = statement.value
        if isinstance(made, ast.Call) and (made.args or made.keywords):
            for compiled, argument in _given_by_name(text, made):
                yield _Unused(statement, name, made, compiled, argument)


def _never_read(text: ProgramText) -> Iterator[tuple[ast.Assign, str]]:
    """Yield the assignments to one name each that nothing in the program reads, in this cell or a later one."""
    later = [node for cell in code_behind(text.file) for node in ProgramText(text.frame, cell).nodes]
    nodes = [*text.nodes, *later]
    read = {each.id for each in nodes if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Store)}
    read |= {name for each in nodes if isinstance(each, ast.Global | ast.Nonlocal) for name in each.names}
    if calls_in([text.tree], *BY_OTHER_WAYS):
        return
    for statement in text.nodes:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name) and target.id not in read:
                yield statement, target.id


def _given_by_name(text: ProgramText, made: ast.Call) -> Iterator[tuple[ast.Call, str]]:
    """Yield the only compile() of a call's function where it gets the class of the call as a string."""
    calls = calls_in(text.around(made), "compile")
    for argument, place in TAKEN.items() if len(calls) == 1 else ():
        stated = argument_of(calls[0], place, argument)
        if isinstance(stated, ast.Constant) and isinstance(stated.value, str):
            kinds = (stated.value.lower(), loss_title(stated.value).lower())
            if called(made).lower() in kinds:
                yield calls[0], argument
