"""Check of optimizers and losses that the program makes with settings of their own and gives to nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import loss_title
from deep_mnist.doctor.evidence.live.lineage import calls_in
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, code_behind
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

TAKEN = {"optimizer": 0, "loss": 1}  # arguments of compile(), and their places
BY_OTHER_WAYS = ("eval", "exec", "globals", "locals", "vars")  # to read a name
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


def _unused(text: ProgramText) -> Iterator[_Unused]:
    later = [node for cell in code_behind(text.file) for node in ProgramText(text.frame, cell).nodes]
    nodes = [*text.nodes, *later]
    read = {each.id for each in nodes if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Store)}
    read |= {name for each in nodes if isinstance(each, ast.Global | ast.Nonlocal) for name in each.names}
    if calls_in([text.tree], *BY_OTHER_WAYS):
        return
    for statement in text.nodes:
        made = statement.value if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.Assign) or not isinstance(made, ast.Call) or len(statement.targets) != 1:
            continue
        name = statement.targets[0].id if isinstance(statement.targets[0], ast.Name) else ""
        if not name or name in read or not (made.args or made.keywords):
            continue
        for compiled, argument in _given_by_name(text, made):
            yield _Unused(statement, name, made, compiled, argument)


def _given_by_name(text: ProgramText, made: ast.Call) -> Iterator[tuple[ast.Call, str]]:
    """Yield the only compile() of a call's function where it gets the class of the call as a string."""
    calls = calls_in(text.around(made), "compile")
    for argument, place in TAKEN.items() if len(calls) == 1 else ():
        stated = argument_of(calls[0], place, argument)
        if isinstance(stated, ast.Constant) and isinstance(stated.value, str):
            kinds = (stated.value.lower(), loss_title(stated.value).lower())
            if called(made).lower() in kinds:
                yield calls[0], argument
