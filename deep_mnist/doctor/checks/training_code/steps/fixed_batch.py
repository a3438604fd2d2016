"""Check of code within a network or its loss that knows one size of batches: an epoch's last batch has another."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.program.steps import DEFAULT_BATCH, whole_number
from deep_mnist.doctor.checks.training_code.live_batch import ROWS, can_be_tried, rows_of, step_of
from deep_mnist.doctor.checks.training_code.own_gradients import holds_own, most_rows
from deep_mnist.doctor.checks.training_code.raised import told
from deep_mnist.doctor.checks.training_code.steps.step_error import is_of_a_machine
from deep_mnist.doctor.evidence.live.loss_trial import is_own
from deep_mnist.doctor.evidence.live.own_step import recording
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

MOST_ROWS = 512  # of a batch that is tried
MOST_NUMBERS = 1 << 22  # in it

BATCH_FIXED = Rule(
    code="P108",
    name="last-batch-of-another-size",
    field="fit.batch_size",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    summary="Code of one's own within the network, its loss or its step runs on whole batches alone, and the last "
    "batch of an epoch has fewer examples.",
    why="The fit stops with an error at the end of its first epoch.",
    follows=(
        Follows(rules=("P005", "P070", "P074", "P076", "C030", "I140"), on=On.ANY_SPLIT),
        Follows(
            fields=("labels.rank", "labels.width", "labels.values", "images.shape"), on=On.ANY_SPLIT, least="error"
        ),
    ),
)


@check(BATCH_FIXED)
def check_last_batch(case: Case) -> Iterator[Finding]:
    """Yield a last batch, of train or of validation, that the network does not run on as it does on a whole one."""
    call = case.call
    if call is None or call.verb != "fit" or call.step is not None or not can_be_tried(case):
        return
    if not isinstance(call.x, np.ndarray | list | tuple | dict) or not _has_own_code(case):
        return
    most = most_rows(case)
    for split, batch, left in _last_batches(case):
        if left > most:
            continue
        error = _error_of(case, left, training=split == "train")
        own = [each for each in Crash(error).steps if each.is_own] if error is not None else []
        inner = [each for each in own if case.frame is None or each.frame.f_code is not case.frame.f_code]
        if error is None or not inner or is_of_a_machine(error) or _error_of(case, batch, training=split == "train"):
            continue
        yield BATCH_FIXED.found(
            split,
            expected=f"a step that runs on any number of examples, as on {batch}",
            received=f"on the last {left} of {split} it {told(error)}",
            fix=_of_the_batch(inner[-1], batch)
            or "Take the number of examples from the tensor that is given, as in "
            "keras.ops.shape(x)[0], or leave the last examples out: a multiple of the batch size.",
        )
        return


def asks_for_whole_batches(case: Case) -> bool:
    """Whether the step raises on a few examples, and runs on as many as fit gives it at once."""
    batch = whole_number(case.call.arguments.get("batch_size")) if case.call is not None else None
    if case.call is None or case.call.step is not None or _error_of(case, ROWS, training=True) is None:
        return False
    count = batch or DEFAULT_BATCH
    held = len(case.train.images) if case.train.images is not None else 0
    return held >= count and count <= MOST_ROWS and _error_of(case, count, training=True) is None


def _has_own_code(case: Case) -> bool:
    """Whether more than layers and losses of Keras's is run, which take any number of examples."""
    model = case.call.model if case.call is not None else None
    losses = sys.modules["tensorflow"].nest.flatten(getattr(model, "loss", None))
    return holds_own(model) or any(map(is_own, losses))


def _last_batches(case: Case) -> Iterator[tuple[str, int, int]]:
    """Yield each split whose last batch is smaller: its name, the size of the others and of the last one."""
    asked = case.call.arguments if case.call is not None else {}
    batch = whole_number(asked.get("batch_size")) or DEFAULT_BATCH
    sizes = {"train": batch, "test": whole_number(asked.get("validation_batch_size")) or batch}
    limits = {"train": "steps_per_epoch", "test": "validation_steps"}
    for name, split in case.splits.items():
        images, size = split.images, sizes.get(name, 0)
        if images is None or not images.ndim or not split.is_whole or asked.get(limits.get(name, "")) is not None:
            continue
        count, numbers = len(images), size * int(np.prod(images.shape[1:]))
        if 1 < size <= MOST_ROWS and numbers <= MOST_NUMBERS and count > size and count % size:
            yield name, size, count % size


def _error_of(case: Case, count: int, *, training: bool) -> Exception | None:
    """Return what the step raises on as many rows of train; None where it runs, or there are not as many."""
    x, y = rows_of(case, count)
    if x is None or y is None or len(y) != count or case.call is None:
        return None
    tf, model, step = sys.modules["tensorflow"], case.call.model, step_of(case) if training else None
    inputs, targets = tf.nest.map_structure(tf.convert_to_tensor, x), tf.convert_to_tensor(y)
    if step is not None:
        return replace(step, x=inputs, y=targets).record().error
    with recording(), unchanged(model):
        try:
            made = model(inputs, training=training)
            model.compute_loss(x=inputs, y=targets, y_pred=made)
        except Exception as error:  # the user's own code may raise anything, and does so in fit
            return error
    return None


def _of_the_batch(step: TraceStep, batch: int) -> str:
    """Return the line of a function that states a size of batches, with that of a tensor it is given; "" of others."""
    text = ProgramText(step.frame)
    function = text.function_at(step.frame.f_code)
    if function is None:
        return ""
    within = [each for of in function.body for each in ast.walk(of)]
    stated = [each for each in within if isinstance(each, ast.expr) and _is_size(_value(each, step), batch)]
    if len(stated) != 1:
        return ""
    known = {each.arg for each in function.args.args} | {
        each.id for each in within if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        and each.lineno < stated[0].lineno
    }  # fmt: skip
    tensors = [name for name, held in step.held.items() if name in known and _is_batch(held, batch)]
    size = f"keras.ops.shape({tensors[0]})[0]" if tensors else ""
    return text.with_expression(stated[0], ast.parse(size, mode="eval").body) if size else ""


def _value(node: ast.expr, step: TraceStep) -> Any:
    """Return what a name, a number or an attribute of self is in a frame, None of any other expression."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return step.named(node.id) if isinstance(node.ctx, ast.Load) else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return getattr(step.held.get("self"), node.attr, None)
    return None


def _is_batch(held: Any, batch: int) -> bool:
    """Whether a value is a tensor of the last batch's rows."""
    shape = tuple(getattr(held, "shape", None) or ())
    return len(shape) > 0 and isinstance(shape[0], int) and 0 < shape[0] < batch


def _is_size(value: Any, batch: int) -> bool:
    return type(value) is int and value == batch
