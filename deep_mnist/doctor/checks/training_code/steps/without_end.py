"""Check of epochs that never end: fit without a number of steps, or a loop that nothing ends, on endless batches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FrameType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.batch_fixes import source_of
from deep_mnist.doctor.checks.program.steps import batches_in
from deep_mnist.doctor.checks.training_code.steps.endless import (
    FLOWS,
    Endless,
    endless,
    loop_without_end,
    what_is_walked,
    yields,
)
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OWN = ("train_on_batch", "a custom loop")
SIDES = (("x", "steps_per_epoch", "train"), ("validation", "validation_steps", "test"))

EPOCH_WITHOUT_END = Rule(
    code="P141",
    name="epoch-without-end",
    field="fit.epochs",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="An epoch takes batches of a generator or iterator that never ends, and nothing says after how many it is "
    "over.",
    why="The first epoch never ends: nothing behind it is reached.",
)


@check(EPOCH_WITHOUT_END)
def check_ends(case: Case) -> Iterator[Finding]:
    """Yield at most one finding."""
    call = case.call
    if call is None or case.frame is None:
        return
    found = _of_loop(case.frame) if call.verb in OWN else _of_fit(case, case.frame) if call.verb == "fit" else None
    if found is not None:
        yield found


def _of_fit(case: Case, frame: FrameType) -> Finding | None:
    """Return the finding on what fit trains on or validates on."""
    for held, argument, split in SIDES:
        data: Any = getattr(case.call, held)
        if case.call is None or case.call.facts.get(argument) is not None or isinstance(data, tuple | list):
            continue
        if batches_in(data, {}, case) is not None:
            continue
        if reason := endless(source_of(data), frame):
            return EPOCH_WITHOUT_END.found(
                split,
                expected=f"data with an end, or {argument}",
                received=f"no {argument}, and batches of {reason.words}",
                fix=_with_steps(frame, argument, reason.steps),
            )
    return None


def _with_steps(frame: FrameType, argument: str, steps: int | None) -> str:
    """Return the call of fit that is told how many batches an epoch has."""
    if not steps:
        return f"Give fit {argument}: how many batches hold each example once."
    text = ProgramText(frame)
    call = text.call_on(frame.f_lineno, "fit")
    line = text.rewritten(call, (), **{argument: ast.Constant(steps)}) if call is not None else ""
    return line or f"model.fit(..., {argument}={steps})"


def _of_loop(frame: FrameType) -> Finding | None:
    """Return the finding on the innermost loop around a step, where the program goes on behind it."""
    for outer in users_frames(frame):
        text, names = ProgramText(outer), {**outer.f_globals, **outer.f_locals}
        for loop in reversed(text.loops_around(outer.f_lineno)):
            if yields(loop) or not _goes_on_behind(text, loop):
                continue
            if reason := loop_without_end(loop, names, outer):
                return EPOCH_WITHOUT_END.found(
                    expected="a loop that ends with the epoch",
                    received=f"the loop at {text.at(loop)} over {reason.words}: it has no break",
                    fix=_counted(text, loop, reason),
                )
    return None


def _goes_on_behind(text: ProgramText, loop: ast.For) -> bool:
    """Whether a loop stands in another one, or something comes behind it: it is meant to end."""
    around = text.loops_around(loop.lineno)
    if any(each is not loop for each in around):
        return True
    bodies = (getattr(each, name, None) for each in text.nodes for name in ("body", "orelse"))
    return any(isinstance(body, list) and loop in body[:-1] for body in bodies)


def _counted(text: ProgramText, loop: ast.For, reason: Endless) -> str:
    """Return the loop's first line, over as many batches as an epoch has."""
    target, source, steps = ast.unparse(loop.target), ast.unparse(loop.iter), str(reason.steps or "")
    held = what_is_walked(loop.iter)
    if is_dataset(text.value_of(held)):
        taken = ast.parse(f"{ast.unparse(held)}.take({steps or 'examples // batch_size'})", mode="eval").body
        return f"for {target} in {ast.unparse(exchanged(loop.iter, [(held, taken)]))}:  # {IN_PLACE} {text.at(loop)}"
    for each in ast.walk(loop.iter):
        if isinstance(each, ast.Call) and called(each) in FLOWS:
            steps = f"len(flow := {ast.unparse(each)})"
            source = ast.unparse(exchanged(loop.iter, [(each, ast.Name("flow", ast.Load()))]))
    if not steps:
        return f"Leave the loop at {text.at(loop)} by break, after the batches that hold each example once."
    target = f"({target})" if isinstance(loop.target, ast.Tuple) and not target.startswith("(") else target
    return f"for _, {target} in zip(range({steps}), {source}):  # {IN_PLACE} {text.at(loop)}"
