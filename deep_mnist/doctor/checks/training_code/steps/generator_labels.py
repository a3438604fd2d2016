"""Check of a generator and the network that judges it: each is trained towards another label of what is made."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, step_of
from deep_mnist.doctor.checks.training_code.two_ranges import Opponents, opponents_in
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.own_code import users_frame, users_frames
from deep_mnist.doctor.evidence.live.own_step import OwnStep, patched
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

TURNED = {"zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like"}
MOST_NOISE = 0.35  # of labels that are one and the same
MIDDLE = 0.5  # between the label of what is real and that of what is made

SAME_LABEL = Rule(
    code="L210",
    name="generator-aims-at-made",
    field="labels.values",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The generator's step takes for its target the label by which the discriminator learns what is made.",
    why="The generator learns to be told from what is real: its images get worse with every step.",
)


@dataclass
class Compared:
    """A loss of the judge's output: its value, the labels, which rows the generator made, and the line."""

    loss: Any
    labels: np.ndarray
    made: np.ndarray
    frame: FrameType | None
    line: int


@dataclass
class Seen:
    """What a run of a step showed: rows made, the judge's outputs with its inputs, losses, and what is minimized."""

    made: set[bytes] = field(default_factory=set)
    judged: list[tuple[Any, np.ndarray]] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    minimized: list[tuple[set[int], Compared]] = field(default_factory=list)


@check(SAME_LABEL)
def check_generator_labels(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of a step in which both networks learn from what the generator made."""
    step = step_of(case)
    run = _whole(case, step) if step is not None else None
    if step is None or run is None or not can_be_tried(case):
        return
    for pair in opponents_in(case):
        seen = _seen(replace(step, run=run), pair)
        of_judge, of_generator = (_minimized(seen, each) for each in (pair.judge, pair.generator))
        real = [label for each in of_judge for label in each.labels[~each.made]]
        made = [label for each in of_judge for label in each.labels[each.made]]
        aims = [label for each in of_generator for label in each.labels[each.made]]
        if not _are_one(real) or not _are_one(made) or not _are_one(aims):
            continue
        if _is_high(made) == _is_high(aims) != _is_high(real):
            yield SAME_LABEL.found(
                expected=f"a target of about {np.mean(real):.2g} for what the generator makes, as for what is real",
                received=f"{np.mean(aims):.2g} in the generator's own loss, by which the discriminator learns what is "
                f"made ({step.name}, {step.place})",
                fix=_turned(of_generator[-1]),
            )
            return


def _are_one(labels: list[float]) -> bool:
    return bool(labels) and float(np.ptp(labels)) <= MOST_NOISE


def _is_high(labels: list[float]) -> bool:
    return float(np.mean(labels)) > MIDDLE


def _minimized(seen: Seen, network: Any) -> list[Compared]:
    own = {id(each) for each in network.trainable_variables}
    return [each for sources, each in seen.minimized if own & sources]


def _whole(case: Case, step: OwnStep) -> Callable[[Any, Any], Any] | None:
    """Return what runs a step from its beginning: a train_step, or the statement that calls the function of it."""
    if step.is_whole or step.code is None:
        return step.run if step.is_whole else None
    for frame in users_frames(case.frame):
        text = ProgramText(frame)
        call = text.call_on(frame.f_lineno, step.code.co_name)
        statement = text.statement_of(call) if call is not None else None
        if isinstance(statement, ast.Assign | ast.Expr):
            code = compile(ast.Module([statement], []), text.file, "exec")
            names = {**frame.f_globals, **frame.f_locals}
            return lambda _x, _y: exec(code, names)
    return None


def _seen(step: OwnStep, pair: Opponents) -> Seen:
    tf, keras, seen = sys.modules["tensorflow"], sys.modules["keras"], Seen()
    with ExitStack() as stack:
        for owner in {type(pair.judge), type(pair.generator)}:
            stack.enter_context(patched(owner, "__call__", _call_watch(seen, pair)))
        stack.enter_context(patched(keras.losses.Loss, "__call__", _loss_watch(seen)))
        stack.enter_context(patched(tf.GradientTape, "gradient", _gradient_watch(seen)))
        record = step.record()
    return seen if record.error is None else Seen()


def _call_watch(seen: Seen, pair: Opponents) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = own(self, *args, **kwargs)
            if self is pair.generator and hasattr(result, "numpy"):
                seen.made |= {each.tobytes() for each in np.asarray(result)}
            if self is pair.judge and args and hasattr(args[0], "numpy"):
                seen.judged.append((result, np.asarray(args[0])))
            return result

        return call

    return wrap


def _loss_watch(seen: Seen) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:
        def call(self: Any, y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            loss = own(self, y_true, y_pred, *args, **kwargs)
            given = next((rows for result, rows in seen.judged if result is y_pred), None)
            labels = np.asarray(y_true, dtype=np.float64).reshape(-1) if given is not None else None
            if given is not None and labels is not None and len(labels) == len(given):
                made = np.array([each.tobytes() in seen.made for each in given])
                frame = users_frame(sys._getframe(1))
                line = frame.f_lineno if frame is not None else 0
                seen.compared.append(Compared(loss, labels, made, frame, line))
            return loss

        return call

    return wrap


def _gradient_watch(seen: Seen) -> Callable[[Any], Any]:
    """Return the watch that also asks a tape how what is differentiated grows with each loss."""
    tf = sys.modules["tensorflow"]

    def wrap(own: Any) -> Any:
        def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
            losses = [each.loss for each in seen.compared]
            found, growth = own(tape, target, [sources, losses], *args, **kwargs)
            of = {id(each) for each in tf.nest.flatten(sources)}
            grows = [each is not None and float(np.mean(each)) > 0 for each in growth]
            seen.minimized += [(of, each) for each, is_part in zip(seen.compared, grows, strict=True) if is_part]
            return found

        return gradient

    return wrap


def _turned(compared: Compared) -> str:
    """Return the statement that makes the generator's targets, with the other label; a sentence of several losses."""
    text = ProgramText(compared.frame) if compared.frame is not None else None
    made = [each for each in _targets_on(text, compared.line) if called(each) in TURNED] if text is not None else []
    if text is not None and len(made) == 1 and isinstance(made[0].func, ast.Attribute):
        other = ast.Attribute(made[0].func.value, TURNED[called(made[0])], ast.Load())
        if line := text.with_expression(made[0], ast.Call(other, made[0].args, made[0].keywords)):
            return line
    return "Give the generator's loss the label of what is real: loss(tf.ones_like(output), output)."


def _targets_on(text: ProgramText, line: int) -> Iterator[ast.Call]:
    """Yield the calls that make the first of two arguments of each call on a line."""
    calls = [each for each in text.nodes if isinstance(each, ast.Call) and len(each.args) == 2]
    for each in (each for each in calls if each.lineno <= line <= (each.end_lineno or 0)):
        made = each.args[0]
        if isinstance(made, ast.Name):
            settings = Lineage(text, text.around(made)).before(made.id, place_of(made))
            made = next((setting.follows for setting in settings), made)
        if isinstance(made, ast.Call):
            yield made
