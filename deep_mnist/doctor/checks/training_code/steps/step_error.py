"""A loop's own step, or a model's own call(), that raises: it is run on a batch before the program does."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.rules import NAMED_BY_OTHERS
from deep_mnist.doctor.checks.program.first_step import TRIED
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of, step_of
from deep_mnist.doctor.checks.training_code.loss_lines import lines_of
from deep_mnist.doctor.checks.training_code.raised import told
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE, is_code
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

STEP_RAISES = Rule(
    code="P076",
    name="step-raises",
    field="rehearsal.updates",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The step of a loop of one's own raises on its own batch.",
    why="The program stops at its first step.",
    follows=(
        Follows(fields=NAMED_BY_OTHERS, on=On.ANY_SPLIT, least="error"),
        Follows(rules=("P070", "P074", "I140"), on=On.ANY_SPLIT),
    ),
)
CALL_RAISES = Rule(
    code="P110",
    name="call-raises",
    field="rehearsal.updates",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The call() of a model or layer of one's own raises on a batch of train.",
    why="fit stops at its first step.",
    follows=(
        Follows(fields=NAMED_BY_OTHERS, on=On.ANY_SPLIT, least="error"),
        Follows(rules=("E121", "P074", "I140"), on=On.ANY_SPLIT),
    ),
)
MOST_ROWS = 64  # of a batch; how many are given may matter to code that counts on a batch's size
OLD_SCALING = re.compile(r"no attribute '(get_scaled_loss|get_unscaled_gradients)'")
SIGNALS = (StopIteration, NotImplementedError)  # an iterator at its end, and what only a graph or a strategy can do


@check(STEP_RAISES)
def check_step_runs(case: Case) -> Iterator[Finding]:
    """Yield the error that a loop's own step ends by, of its own lines, eagerly and as the graph that it is."""
    from deep_mnist.doctor.checks.crashes.explain import finding_of

    step = case.call.step if case.call is not None else None
    if step is None or not step.is_exact or not can_be_tried(case):
        return
    error = step.first.error
    if error is None or not _is_of_program(error) or (step.is_whole and not raises_as_graph(step)):
        return
    known = finding_of(error, model=step.model)
    yield STEP_RAISES.found(
        expected=known.expected if known is not None else f"{step.name} ({step.place}) to run on its batch",
        received=known.received if known is not None else f"it {told(error)}",
        fix=known.fix if known is not None else _mended(error, case) or "Mend that line: the step ends there.",
    )


@check(CALL_RAISES)
def check_call_runs(case: Case) -> Iterator[Finding]:
    """Yield the error that a batch ends by in lines of the user's own, eagerly and as the graph that it is in fit."""
    from deep_mnist.doctor.checks.crashes.explain import finding_of

    call = case.call
    if call is None or call.verb not in TRIED or not can_be_tried(case) or step_of(case) is not None:
        return
    size = call.facts.get("batch_size") or 32
    x, _ = rows_of(case, min(size, MOST_ROWS)) if isinstance(size, int) else (None, None)
    if x is None or call.model.built:
        return  # built of layers that have run, or by an earlier batch
    error = _error_of(call.model, x)
    if error is None or not _is_of_program(error):
        return
    known, name = finding_of(error, model=call.model), type(call.model).__name__
    yield CALL_RAISES.found(
        expected=known.expected if known is not None else f"{name} to run on a batch of train",
        received=known.received if known is not None else f"it {told(error)}",
        fix=placed(known.fix, Crash(error).place) if known is not None else "Mend that line: fit ends there.",
    )


def placed(fix: str, place: str) -> str:
    """Return a statement with the line that it stands for; a fix that tells more, or a sentence, as it is."""
    return f"{fix}  # {IN_PLACE} {place}" if is_code(fix) and "  # " not in fix else fix


def _error_of(model: Any, x: Any) -> Exception | None:
    """Return what a batch raises eagerly, where a graph of it raises, too."""
    tf = sys.modules["tensorflow"]
    held = tf.nest.map_structure(tf.convert_to_tensor, x)
    specs = tf.nest.map_structure(lambda each: tf.TensorSpec((None, *each.shape[1:]), each.dtype), held)
    graph = tf.function(lambda rows: model(rows, training=True), autograph=False)
    found: list[Exception] = []
    for run in (partial(model, held, training=True), partial(graph.get_concrete_function, specs)):
        try:
            with unchanged(model):
                run()
        except Exception as error:  # the user's own code may raise anything
            found.append(error)
            continue
        return None
    return found[0]


def _mended(error: Exception, case: Case) -> str:
    """Return the lines for losses scaled as Keras 2 did; "" for other errors."""
    return lines_of(case).changed(_of_keras_3) if OLD_SCALING.search(str(error)) else ""


def _of_keras_3(node: ast.AST) -> ast.AST | None:
    """Return what Keras 3 has for a loss to be scaled, and for gradients that apply() itself scales back."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or len(node.args) != 1:
        return None
    if called(node) == "get_scaled_loss":
        return ast.Call(ast.Attribute(node.func.value, "scale_loss"), node.args, [])
    return node.args[0] if called(node) == "get_unscaled_gradients" else None


def _is_of_program(error: Exception) -> bool:
    is_own = any(each.is_own for each in Crash(error).steps)
    return is_own and not isinstance(error, SIGNALS) and not is_of_a_machine(error)


def is_of_a_machine(error: Exception) -> bool:
    """Whether an error is the doctor's own, or says what this machine, or its way of running a step, cannot do."""
    steps = Crash(error).steps
    is_ours = bool(steps) and str(steps[-1].frame.f_globals.get("__name__")).startswith("deep_mnist.")
    return is_ours or type(error).__name__ in ("OutOfRangeError", "UnimplementedError", "ResourceExhaustedError")


def raises_as_graph(step: OwnStep) -> bool:
    """Whether a step that is a tf.function raises when it is traced, too."""

    def traced(x: Any, y: Any) -> None:
        sys.modules["tensorflow"].function(lambda: step.run(x, y)).get_concrete_function()

    return replace(step, run=traced).record().error is not None
