"""Checks of schedules of the learning rate: each is walked over the updates, or epochs, of this very fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import stated_metrics
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of
from deep_mnist.doctor.checks.program.logs import is_callback
from deep_mnist.doctor.checks.program.metric_fixes import mended
from deep_mnist.doctor.checks.program.schedule_walk import NotANumberError, Walk, walk_function, walk_schedule
from deep_mnist.doctor.checks.program.steps import FitSteps, steps_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SPENT, SPENT_FOR = 0.02, 0.9  # of the peak, and for which share of the updates
NOTHING, NOTHING_FOR = 1e-3, 0.5
HALF = 0.5  # what falls by less hardly falls
FEW_EPOCHS, FEW_STEPS = 4, 4
MOVES = 0.01  # of the peak
LIVE = (Need.LIVE_MODEL,)

SPENT_EARLY = Rule(
    code="P030",
    name="learning-rate-spent-early",
    field="model.optimizer",
    severity="warning",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A schedule brings the learning rate to its end, or to nearly nothing, long before the fit ends.",
    why="Most updates move the weights hardly at all: often epochs were counted where a schedule counts updates.",
    other_fields=("fit.callbacks",),
)
NEVER_MOVES = Rule(
    code="P031",
    name="learning-rate-never-falls",
    field="model.optimizer",
    severity="note",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A schedule keeps the learning rate at one value throughout this fit.",
    why="Nothing is lost, and nothing is gained by the schedule: it begins after this fit ends.",
    other_fields=("fit.callbacks",),
)
NO_NUMBER = Rule(
    code="P032",
    name="scheduler-returns-no-float",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The function of a LearningRateScheduler does not return a float in every epoch.",
    why="Keras stops with a ValueError when that epoch begins.",
)
TWO_SCHEDULES = Rule(
    code="P033",
    name="scheduler-over-schedule",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A callback sets the learning rate of an optimizer that has a LearningRateSchedule.",
    why="Keras stops with a TypeError when the callback sets the rate.",
)


@check(SPENT_EARLY, NEVER_MOVES)
def check_schedule(case: Case) -> Iterator[Finding]:
    """Yield a LearningRateSchedule that ends too early, or not at all, in this fit."""
    schedule, steps = _schedule_of(case), steps_of(case)
    if schedule is None or not steps.total or not steps.per_epoch or steps.total < FEW_STEPS:
        return
    walk = walk_schedule(schedule, steps.total, steps.per_epoch)
    if walk is None:
        return
    if not _has_begun(_optimizer(case)):
        yield from _of_walk(walk, f"{type(schedule).__name__}", "updates", _longer(schedule, steps), steps)


@check(NO_NUMBER, TWO_SCHEDULES)
def check_schedulers(case: Case) -> Iterator[Finding]:
    """Yield callbacks that cannot set the rate."""
    for each in callbacks_of(case):
        if is_callback(each, "LearningRateScheduler", "ReduceLROnPlateau") and _schedule_of(case) is not None:
            yield _two_schedules(case, each)
        elif is_callback(each, "LearningRateScheduler"):
            try:
                _walked(case, each)
            except NotANumberError as error:
                yield _no_number(each, error)


@check(SPENT_EARLY, NEVER_MOVES)
def check_functions(case: Case) -> Iterator[Finding]:
    """Yield a LearningRateScheduler whose function ends too early, or does nothing, in this fit."""
    for each in callbacks_of(case):
        if not is_callback(each, "LearningRateScheduler") or _schedule_of(case) is not None:
            continue
        try:
            walk = _walked(case, each)
        except NotANumberError:
            continue
        if walk is not None and walk.total >= FEW_EPOCHS:
            factor = round(max(0.01 ** (1 / walk.total), 0.5), 3)
            fix = f"keras.callbacks.LearningRateScheduler(lambda epoch: {walk.rates[0]:.3g} * {factor:g} ** epoch)"
            yield from _of_walk(walk, f"LearningRateScheduler({_name(each.schedule)})", "epochs", fix, None)


def _optimizer(case: Case) -> Any:
    return getattr(case.call.model, "optimizer", None) if case.call is not None else None


def _schedule_of(case: Case) -> Any:
    """Return the optimizer's LearningRateSchedule, None without one."""
    stated = getattr(_optimizer(case), "_learning_rate", None)
    kinds = [each for each in type(stated).__mro__ if each.__name__ == "LearningRateSchedule"]
    return stated if kinds and kinds[0].__module__.startswith("keras.") else None


def _has_begun(optimizer: Any) -> bool:
    """Whether the optimizer has made updates already, so that the schedule is past its start."""
    iterations = getattr(optimizer, "iterations", None)
    try:
        return iterations is not None and int(iterations) > 0
    except Exception:  # an optimizer of the user's own
        return True


def _of_walk(walk: Walk, title: str, unit: str, fix: str, steps: FitSteps | None) -> Iterator[Finding]:
    field = "" if steps is not None else "fit.callbacks"
    low, nothing = walk.share_below(SPENT), walk.share_below(NOTHING)
    ends = f"{walk.rates[0]:.3g} at first, {walk.rates[-1]:.3g} at the end of {walk.total} {unit}"
    if walk.peak <= 0 or low >= SPENT_FOR or nothing >= NOTHING_FOR:
        at = walk.at[walk.rates <= (SPENT if low >= SPENT_FOR else NOTHING) * walk.peak]
        yield SPENT_EARLY.found(
            field=field,
            expected="a rate that trains for most of the fit",
            received=f"{title}: {ends}; from {unit[:-1]} {int(at[0]) if len(at) else 0} on nearly nothing",
            fix=fix,
        )
    elif steps is not None and _counts_epochs(walk, steps):
        yield SPENT_EARLY.found(
            expected=f"a schedule in updates: {steps.per_epoch} in each of {steps.epochs} epochs",
            received=f"{title}: {ends}, where it is from update {walk.last_change} on, in the first epoch",
            fix=fix,
        )
    elif walk.rates.max() - walk.rates.min() <= MOVES * walk.peak:
        yield NEVER_MOVES.found(
            field=field, expected="a rate that changes within the fit", received=f"{title}: {ends}", fix=fix
        )


def _counts_epochs(walk: Walk, steps: FitSteps) -> bool:
    """Whether a schedule falls for as many updates as there are epochs, and never again."""
    fell = walk.rates[-1] <= HALF * walk.peak
    enough = steps.epochs >= FEW_EPOCHS and (steps.per_epoch or 0) >= FEW_STEPS
    return bool(fell and enough and walk.last_change <= min(steps.epochs, steps.per_epoch or 0))


def _longer(schedule: Any, steps: FitSteps) -> str:
    """Return the statement that gives the optimizer the same schedule, counted in updates."""
    total, per_epoch = steps.total or 1, steps.per_epoch or 1
    config, kind = _config_of(schedule), type(schedule).__name__
    if not config:
        return f"Count the schedule in updates: {per_epoch} in an epoch, {total} in all."
    if kind in ("CosineDecay", "PolynomialDecay", "InverseTimeDecay"):
        config["decay_steps"] = total
    elif kind == "ExponentialDecay":
        config["decay_steps"] = max(per_epoch, total // 10)
    elif kind == "CosineDecayRestarts":
        config["first_decay_steps"] = max(per_epoch, total // 7)
    elif kind == "PiecewiseConstantDecay":
        each = [float(bound) * per_epoch for bound in config["boundaries"]]
        fits = each[-1] < total
        config["boundaries"] = [
            int(bound) if fits else total * (i + 1) // (len(each) + 1) for i, bound in enumerate(each)
        ]
        config["values"] = [float(f"{float(value):.6g}") for value in config["values"]]
    return f"model.optimizer.learning_rate = {_expression(kind, config)}"


def _config_of(schedule: Any) -> dict[str, Any]:
    """Return the arguments that a schedule of Keras was made with, none of one of the user's own."""
    if not type(schedule).__module__.startswith("keras."):
        return {}
    return {key: value for key, value in schedule.get_config().items() if key != "name"}


def _expression(kind: str, config: dict[str, Any]) -> str:
    plain = {
        key: value for key, value in config.items() if isinstance(value, int | float | list) and value is not False
    }
    arguments = ", ".join(f"{key}={value!r}" for key, value in plain.items())
    return f"keras.optimizers.schedules.{kind}({arguments})"


# --- LearningRateScheduler --------------------------------------------------------------------------------


def _walked(case: Case, callback: Any) -> Walk | None:
    steps, optimizer = steps_of(case), _optimizer(case)
    if steps.epochs <= steps.initial or optimizer is None:
        return None
    try:
        rate = float(optimizer.learning_rate)
    except Exception:  # an optimizer of the user's own
        return None
    return walk_function(callback.schedule, rate, range(steps.initial, steps.epochs))


def _name(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "a lambda" if name == "<lambda>" else str(name)


def _no_number(callback: Any, error: NotANumberError) -> Finding:
    function, name = callback.schedule, _name(callback.schedule)
    fix = f"Return a float in every epoch from {name}."
    if config := _config_of(function):
        made = f"{_expression(type(function).__name__, config)}(epoch)"
        fix = f"keras.callbacks.LearningRateScheduler(lambda epoch: float({made}))"
    elif error.value is not None and name.isidentifier():
        arguments = "epoch, rate" if function.__code__.co_argcount > 1 else "epoch"
        fix = f"keras.callbacks.LearningRateScheduler(lambda {arguments}: float({name}({arguments})))"
    return NO_NUMBER.found(
        expected="a float for every epoch",
        received=f"{name} returns {type(error.value).__name__} {str(error.value)[:60]} in epoch {error.epoch}",
        fix=fix,
    )


def _two_schedules(case: Case, callback: Any) -> Finding:
    schedule, optimizer = _schedule_of(case), _optimizer(case)
    first = getattr(schedule, "initial_learning_rate", 0.001)
    rate = float(f"{float(first):.6g}") if isinstance(first, float | int) and first > 0 else 0.001
    plateau = is_callback(callback, "ReduceLROnPlateau")
    compiled = mended(case.call.model, []) if case.call is not None and any(stated_metrics(case.call.model)) else ""
    made = f"keras.optimizers.{type(optimizer).__name__}({rate:g})"
    fix = f"model.compile(optimizer={made}, loss=model.loss)"
    if compiled.startswith("model.compile"):
        fix = compiled.replace("optimizer=model.optimizer", f"optimizer={made}", 1)
    return TWO_SCHEDULES.found(
        severity="warning" if plateau else "",
        expected="a rate that is a number, where a callback sets it",
        received=f"{type(callback).__name__}, and an optimizer whose rate is a {type(schedule).__name__}",
        fix=fix,
    )
