"""Check of the names by which a program reads what the fit has logged, after it or in a callback."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.callbacks import nearest, validating, without
from deep_mnist.doctor.checks.program.later.hooks import OF_BATCHES, uses_in_hooks
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.logs import RATE, Logs, logs_of
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.names_then import Got, Meant
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MAKING = ("rename", "columns", "update", "insert", "setdefault", "add_prefix", "add_suffix", "assign", "join", "merge")
OF_OLD_BATCHES = ("batch", "size")  # in the logs of a batch, once
ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)

NOT_IN_LOGS = Rule(
    code="P080",
    name="reads-what-is-not-logged",
    field="fit.history",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The program reads a name from the history or the logs that this fit does not log.",
    why="The program stops with a KeyError, or a TypeError for None, after it has trained.",
)


@check(NOT_IN_LOGS)
def check_names_read(case: Case) -> Iterator[Finding]:
    """Yield at most one finding of what follows the fit, and one of its callbacks."""
    logs = logs_of(case) if case.call is not None and case.call.verb == "fit" else None
    if case.call is None or logs is None:
        return
    behind = ((logs.names, use) for use in after_fit(case.frame, case.call.model))
    within = ((_of_hook(hook, logs), use) for hook, use in uses_in_hooks(case))
    for uses in (behind, within):
        wrong = [(use, name, key) for names, use in uses for name, key in _keys(use, names)]
        yield from _found(case, logs, wrong)


def _of_hook(hook: str, logs: Logs) -> tuple[str, ...]:
    return tuple(each for each in logs.of_train if each != RATE) if hook in OF_BATCHES else logs.names


def _keys(use: Use, names: tuple[str, ...]) -> list[tuple[str, ast.expr]]:
    """Return the names, and where they are read, that an expression cannot do without and that are not logged."""
    node = use.node
    if isinstance(node, ast.Subscript):
        key = use.value(node.slice) if isinstance(node.ctx, ast.Load) else None
        is_read = isinstance(key, str) and key not in names and use.value(node.value) is Meant.LOGS
        return [(key, node.slice)] if isinstance(key, str) and is_read else []
    operands: list[ast.expr] = []
    if isinstance(node, ast.Compare) and all(isinstance(each, ORDERED) for each in node.ops):
        operands = [node.left, *node.comparators]
    elif isinstance(node, ast.BinOp):
        operands = [node.left, node.right]
    got = [(use.value(each), each) for each in operands]
    return [(key.key, _key_node(each)) for key, each in got if isinstance(key, Got) and key.key not in names]


def _key_node(node: ast.expr) -> ast.expr:
    return node.args[0] if isinstance(node, ast.Call) else node


def _found(case: Case, logs: Logs, wrong: list[tuple[Use, str, ast.expr]]) -> Iterator[Finding]:
    read = [(use, name, key) for use, name, key in wrong if not _is_made(use, name)]
    if not read:
        return
    use, name, key = read[0]
    stated = [each for each in read if isinstance(each[2], ast.Constant) and each[1] not in OF_OLD_BATCHES]
    changes = [(other, each, ast.Constant(nearest(asked, logs))) for other, asked, each in stated]
    words = f'Leave "{name}" out.' if name in OF_OLD_BATCHES else f'Read "{nearest(name, logs)}" instead.'
    again = rewritten(changes) if changes else words
    yield NOT_IN_LOGS.found(
        severity="" if use.sure else "warning",
        expected=f"one of what this fit logs: {', '.join(logs.names)}",
        received=f'"{name}", at {use.scope.text.at(key)}{without(name, logs)}',
        fix=_validating(case, name, logs) or again,
    )


def _validating(case: Case, name: str, logs: Logs) -> str:
    """Return the call of fit with validation, "" where it has that or no arrays to split."""
    fix = validating(case, name, logs)
    text = ProgramText(case.frame) if fix and case.frame is not None else None
    node = text.call_on(case.frame.f_lineno, "fit") if text is not None and case.frame is not None else None
    again = text.rewritten(node, validation_split=ast.Constant(0.1)) if text is not None and node is not None else ""
    return again or fix


def _is_made(use: Use, name: str) -> bool:
    """Whether the program may set this name itself, as a column of a table of the logs."""
    for node in use.scope.text.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if use.value(node.value) is Meant.LOGS and use.value(node.slice) in (name, None):
                return True
        elif isinstance(node, ast.Attribute) and node.attr in MAKING and use.value(node.value) is Meant.LOGS:
            return True
    return False
