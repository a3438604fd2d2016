"""Checks of how long a fit is: no epoch at all, steps beyond the data, patience beyond the fit."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import is_put_off, is_trainable, is_untouched_norm, layers_of
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of
from deep_mnist.doctor.checks.program.logs import expression_of_callback, is_callback
from deep_mnist.doctor.checks.program.steps import batches_in, steps_of, whole_number
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, is_in_a_loop
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

COUNTS = ("batch_size", "epochs", "steps_per_epoch", "validation_steps", "initial_epoch", "validation_batch_size")
HARDLY = 0.1  # of the data, seen in the whole fit
MUCH_LEFT, LITTLE_LEFT = 0.5, 0.05  # of the averages' beginning
ROUNDED = 1e-6  # of a rate in float32
SHORT, WAITS = 8, 3  # epochs of a fit that gives no room for patience; how often a fit outlasts the patience
LIVE = (Need.LIVE_MODEL,)

OVER_BEFORE = Rule(
    code="P046",
    name="fit-ends-before-it-begins",
    field="fit.epochs",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="initial_epoch is not below epochs, which is the number of the last epoch and not how many there are.",
    why="Not one step is made, and Keras says nothing.",
)
NOT_WHOLE = Rule(
    code="P047",
    name="count-not-whole",
    field="fit.steps",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A number of steps, epochs or examples is a fraction.",
    why="fit stops before its first batch, or at the end of the first epoch.",
)
STEPS_BEYOND_DATA = Rule(
    code="P048",
    name="steps-beyond-data",
    field="fit.steps",
    severity="note",
    scope=Scope.CASE,
    needs=LIVE,
    summary="steps_per_epoch asks for more batches than the data hold.",
    why="Every epoch ends early with a warning; in Keras 2 the whole fit does.",
)
STEPS_FEW = Rule(
    code="P049",
    name="steps-see-little-of-data",
    field="fit.steps",
    severity="note",
    scope=Scope.CASE,
    needs=LIVE,
    summary="steps_per_epoch and epochs together reach only a small part of the data.",
    why="Most examples are never seen.",
)
NEVER_STOPS = Rule(
    code="P050",
    name="patience-beyond-fit",
    field="fit.callbacks",
    severity="note",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A callback waits for longer than the fit lasts, or a plateau for longer than early stopping does.",
    follows=(Follows(rules=("P020", "P021", "P022"), on=On.MODEL),),  # whose line it would contradict
    why="It cannot act: training is not stopped early, or the rate not lowered.",
)
RATE_AT_FLOOR = Rule(
    code="P051",
    name="plateau-rate-at-its-floor",
    field="fit.callbacks",
    severity="warning",
    scope=Scope.CASE,
    needs=LIVE,
    summary="ReduceLROnPlateau has a min_lr that is not below the rate that the fit begins with.",
    why="The rate is never lowered.",
)

AVERAGES_BEHIND = Rule(
    code="P007",
    name="moving-averages-behind",
    field="fit.epochs",
    severity="warning",
    scope=Scope.CASE,
    needs=(*LIVE, Need.IMAGES),
    follows=(Follows(rules=("P002", "P003", "P004"), on=On.ANY_SPLIT),),
    summary="A new BatchNormalization gets too few updates for its moving averages, which still hold their beginning.",
    why="evaluate() and predict() normalize by the moving averages: they are far below what fit itself shows.",
)
NO_VALIDATION = Rule(
    code="P151",
    name="validation-of-no-batch",
    field="fit.validation",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The validation data have a length of 0 batches, mostly because fewer examples than a batch are rounded "
    "down.",
    why="Nothing is validated: there is no val_loss, and callbacks that wait for it never act.",
)


@check(AVERAGES_BEHIND)
def check_averages(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the first such layer whose outputs the averages will put far off."""
    steps, call = steps_of(case), case.call
    known = case.train.is_whole or (call is not None and "steps_per_epoch" in call.facts)
    if not steps.total or not known or call is None or call.verb != "fit":
        return
    norms = [each for each in layers_of(case) if is_untouched_norm(each) and is_trainable(each)]
    if not norms or (case.frame is not None and is_in_a_loop(case.frame)):
        return
    for layer in norms:
        if not isinstance(layer.momentum, float):
            continue
        left = layer.momentum**steps.total
        if left >= MUCH_LEFT and is_put_off(call.model, layer, case.train.images, left):
            enough = math.ceil(math.log(LITTLE_LEFT) / math.log(layer.momentum))
            yield AVERAGES_BEHIND.found(
                "train",
                severity="note" if steps.epochs - steps.initial == 1 else "",
                expected=f"at least {enough} updates for a momentum of {layer.momentum:g}, or a smaller momentum",
                received=f"{steps.total} updates: {left:.0%} of what {layer.name} evaluates by is its beginning",
                fix='[setattr(each, "momentum", 0.9) for each in model.layers if hasattr(each, "momentum")]  '
                "# or BatchNormalization(momentum=0.9) where each is made; or more epochs",
            )
            return


@check(OVER_BEFORE)
def check_epochs(case: Case) -> Iterator[Finding]:
    """Yield a fit without an epoch."""
    steps = steps_of(case)
    stated = case.call is not None and ("epochs" in case.call.facts or steps.initial)
    if stated and steps.initial >= steps.epochs:
        more = max(steps.epochs, 10)
        yield OVER_BEFORE.found(
            expected="epochs above initial_epoch: the number of the last epoch",
            received=f"epochs={steps.epochs}, initial_epoch={steps.initial}",
            fix=f"model.fit(..., epochs={steps.initial + more})",
        )


@check(NOT_WHOLE)
def check_counts(case: Case) -> Iterator[Finding]:
    """Yield fractions where Keras counts."""
    stated = case.call.arguments if case.call is not None else {}
    for name in COUNTS:
        value = stated.get(name)
        if isinstance(value, float | np.floating):
            whole = max(math.ceil(float(value)), 1) if math.isfinite(float(value)) else 1
            yield NOT_WHOLE.found(
                expected=f"a whole number of {name}", received=f"{value}", fix=f"model.fit(..., {name}={whole})"
            )


@check(STEPS_BEYOND_DATA, STEPS_FEW)
def check_steps(case: Case) -> Iterator[Finding]:
    """Yield steps that do not fit the data's length."""
    steps = steps_of(case)
    asked = whole_number(case.call.facts.get("steps_per_epoch")) if case.call is not None else None
    if not asked or steps.of_data is None or not math.isfinite(steps.of_data) or steps.of_data < 1:
        return
    held = int(steps.of_data)
    fix = "model.fit(..., steps_per_epoch=None)"
    if asked > held:
        yield STEPS_BEYOND_DATA.found(
            "train", expected=f"at most {held} steps: the batches of the data", received=f"{asked}", fix=fix
        )
    elif asked * max(steps.epochs - steps.initial, 1) <= HARDLY * held:
        received = f"{asked} steps in each of {steps.epochs} epochs, of {held} batches"
        yield STEPS_FEW.found("train", expected="steps that reach all of the data", received=received, fix=fix)


@check(NEVER_STOPS, RATE_AT_FLOOR)
def check_patience(case: Case) -> Iterator[Finding]:
    """Yield callbacks that cannot act within this fit."""
    steps = steps_of(case)
    lasts = steps.epochs - steps.initial
    yield from _behind_the_end(case)
    for each in callbacks_of(case):
        if not is_callback(each, "EarlyStopping", "ReduceLROnPlateau"):
            continue
        patience, starts = getattr(each, "patience", None), getattr(each, "start_from_epoch", 0) or 0
        if isinstance(patience, int) and lasts > 1 and patience + starts >= lasts:
            yield NEVER_STOPS.found(
                expected=f"a patience below the {lasts} epochs of the fit",
                received=f"{type(each).__name__} with patience={patience}"
                + (f" from epoch {starts}" if starts else ""),
                fix=f"model.fit(..., epochs={steps.initial + WAITS * (patience + starts)})"
                if lasts < SHORT
                else expression_of_callback(
                    each, patience=max(lasts // 4, 1), **({"start_from_epoch": 0} if starts else {})
                ),
            )
        rate, floor = _rate(case), getattr(each, "min_lr", 0.0)
        if rate is not None and isinstance(floor, float | int) and 0 < rate <= floor * (1 + ROUNDED):
            yield RATE_AT_FLOOR.found(
                expected=f"a min_lr below the rate of {rate:.3g}",
                received=f"ReduceLROnPlateau with min_lr={floor:g}",
                fix=expression_of_callback(each, min_lr=float(f"{rate / 100:.3g}")),
            )


def _behind_the_end(case: Case) -> Iterator[Finding]:
    """Yield plateaus that are waited for longer than the fit goes on without the same improvement."""
    stops = [each for each in callbacks_of(case) if is_callback(each, "EarlyStopping")]
    ends = [each for each in stops if not getattr(each, "start_from_epoch", 0)]
    for each in callbacks_of(case):
        if not is_callback(each, "ReduceLROnPlateau") or not isinstance(each.patience, int):
            continue
        first = next((end for end in ends if end.monitor == each.monitor and end.patience < each.patience), None)
        if first is not None:
            yield NEVER_STOPS.found(
                expected=f"a patience below EarlyStopping's {first.patience} epochs of the same {each.monitor}",
                received=f"ReduceLROnPlateau with patience={each.patience}: the fit has ended by then",
                fix=expression_of_callback(each, patience=max(first.patience // 2, 1)),
            )


def _rate(case: Case) -> float | None:
    optimizer: Any = getattr(case.call.model, "optimizer", None) if case.call is not None else None
    try:
        return float(optimizer.learning_rate) if optimizer is not None else None
    except Exception:  # a schedule, or an optimizer of the user's own
        return None


@check(NO_VALIDATION)
def check_validation_length(case: Case) -> Iterator[Finding]:
    """Yield validation data that tell a length of 0."""
    held = case.call.validation if case.call is not None and case.call.verb == "fit" else None
    if held is None or isinstance(held, list | tuple | dict) or batches_in(held, {}, case) != 0:
        return
    kind = type(held).__name__
    yield NO_VALIDATION.found(
        "test",
        expected="validation data of one batch or more",
        received=f"a {kind} of 0 batches",
        fix=_rounded_up(case, held) or f"Give the {kind} of validation examples, at least as many as one batch holds.",
    )


def _rounded_up(case: Case, data: Any) -> str:
    """Return the line of a length with its division rounded up, "" where it is no such division of some examples."""
    code = getattr(getattr(type(data), "__len__", None), "__code__", None)
    text = ProgramText(case.frame, code.co_filename) if code is not None and case.frame is not None else None
    function = text.function_at(code) if text is not None and code is not None else None
    returned = [each for each in ast.walk(function) if isinstance(each, ast.Return)] if function is not None else []
    value = returned[0].value if len(returned) == 1 else None
    while isinstance(value, ast.Call) and called(value) in ("int", "floor") and len(value.args) == 1:
        value = value.args[0]
    if text is None or not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.FloorDiv | ast.Div):
        return ""
    again = ast.parse(f"return -(-({ast.unparse(value.left)}) // ({ast.unparse(value.right)}))").body[0]
    return text.in_place(ast.unparse(again), returned[0]) if _holds_some(value.left, data) else ""


def _holds_some(count: ast.expr, data: Any) -> bool:
    """Whether `len(self.x)`, `self.x.shape[0]` or `self.n` is above 0 of these data."""
    attributes = [each.attr for each in ast.walk(count) if isinstance(each, ast.Attribute)]
    held = getattr(data, attributes[-1], None) if attributes else None
    return (len(held) if isinstance(held, Sized) else whole_number(held) or 0) > 0
