"""Checks of training code of one's own: a loop's step or a train_step, run once on a few rows without applying it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of, step_of
from deep_mnist.doctor.checks.training_code.loss_lines import lines_of
from deep_mnist.doctor.evidence.live.call_trial import MadeInCall, made_in_call
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers, names_in
from deep_mnist.doctor.evidence.live.own_step import OwnStep, StepRecord
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

CHANGING = {"apply_gradients", "apply", "minimize", "assign", "assign_sub"}  # methods that change variables
DIFFERING = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "BatchNormalization",
)


def _rule(
    code: str,
    name: str,
    summary: str,
    why: str,
    *,
    severity: str = "error",
    field: str = "rehearsal.gradients",
    follows: tuple[Follows, ...] = (),
) -> Rule:
    return Rule(
        code=code,
        name=name,
        field=field,
        severity=severity,
        scope=Scope.CASE,
        needs=(Need.LIVE_MODEL,),
        summary=summary,
        why=why,
        follows=follows,
    )


NO_GRADIENTS = _rule(
    "P070",
    "step-without-gradients",
    "The tape knows no way from the loss to any weight: the model is "
    "called outside of it, or what is between is not differentiable.",
    "apply_gradients refuses gradients that are all None, or no weight changes.",
    follows=(Follows(rules=("C032",), on=On.ANY_SPLIT),),
)
OTHER_VARIABLES = _rule(
    "P071",
    "gradients-applied-to-other-variables",
    "Gradients are applied to other variables than those they are of.",
    "Weights are moved by the gradients of others: the loss does not fall.",
)
WITHOUT_TRAINING = _rule(
    "P072",
    "training-not-passed",
    "A step of one's own calls the model without training=True, and the model has layers that differ in training.",
    "Dropout does nothing, and batch normalization keeps the statistics that it starts with.",
    severity="warning",
    field="model.trainable",
)
NOT_APPLIED = _rule(
    "P073",
    "gradients-not-applied",
    "The step computes gradients and applies them to nothing.",
    "No weight ever changes.",
    field="rehearsal.updates",
)
LAYERS_IN_CALL = _rule(
    "P074",
    "layers-made-in-call",
    "Layers with weights are made in call(), anew at every call.",
    "The first step raises, or every step computes with fresh random weights.",
    field="model.trainable",
)
GROWS = _rule(
    "P075",
    "step-keeps-tensors",
    "The step puts a tensor into a list of the model's each time it runs.",
    "As a graph it keeps a symbol that nobody may read; in eager mode every step's memory stays.",
    severity="warning",
    field="rehearsal.updates",
)


@check(NO_GRADIENTS, OTHER_VARIABLES, WITHOUT_TRAINING, NOT_APPLIED)
def check_step(case: Case) -> Iterator[Finding]:
    """Yield what a step of the user's own does with its gradients."""
    step = step_of(case)
    if step is None:
        return
    record = step.first
    yield from _training_flag(case, step, record)
    if _all_missing(record):
        yield _without_gradients(case, step, record)
    elif record.error is None and record.asked and not record.applied and step.is_whole and not _may_apply(case, step):
        yield NOT_APPLIED.found(
            expected="optimizer.apply_gradients(zip(gradients, variables)) behind tape.gradient",
            received=f"{step.name} ({step.place}) asks for the gradients of {len(record.asked[0])} variables, and "
            "applies none",
            fix=lines_of(case).with_gradients_applied(*_names(step)),
        )
    else:
        yield from _other_variables(case, step, record)


def _may_apply(case: Case, step: OwnStep) -> bool:
    """Whether the step, a method beside it or a function that it names can change variables: at every fourth step."""
    globals_ = case.frame.f_globals if case.frame is not None else {}
    near = [globals_.get(name) for name in step.code.co_names] if step.code is not None else []
    own = [each for kind in type(step.model).__mro__ if not kind.__module__.startswith(OF_KERAS) for each in
           vars(kind).values()]  # fmt: skip
    codes = [step.code, *(getattr(getattr(each, "python_function", each), "__code__", None) for each in (*near, *own))]
    return any(isinstance(each, CodeType) and not CHANGING.isdisjoint(names_in(each)) for each in codes)


def _all_missing(record: StepRecord) -> bool:
    """Whether every gradient that a tape was asked for is None."""
    counts = list(zip(record.missing, record.asked, strict=False))
    return bool(counts) and all(missing == len(asked) > 0 for missing, asked in counts)


def _without_gradients(case: Case, step: OwnStep, record: StepRecord) -> Finding:
    outside = record.training and not any(recorded for _, recorded in record.training)
    received = "the model is called before the tape is opened" if outside else "what is between has no gradient"
    fix = (
        "Move the line that calls the model into the block of `with tf.GradientTape() as tape:`, and the loss with it."
        if outside
        else "Compute the loss from the model's output by operations of TensorFlow alone, inside of the tape: no numpy,"
        " no argmax, no float()."
    )
    if not outside and (by_numpy := lines_of(case).kept_on_tape()) is not None:
        received, fix = by_numpy
    return NO_GRADIENTS.found(
        expected="a gradient of the loss for every weight",
        received=f"None for all {len(record.asked[0])} variables in {step.name} ({step.place}): {received}",
        fix=fix,
    )


def _other_variables(case: Case, step: OwnStep, record: StepRecord) -> Iterator[Finding]:
    wrong = [
        (record.produced[id(gradient)], variable)
        for gradient, variable in record.applied
        if id(gradient) in record.produced and record.produced[id(gradient)] is not variable
    ]
    asked = {id(each) for of in record.asked for each in of}
    foreign = record.applied and not any(id(variable) in asked for _, variable in record.applied)
    if not wrong and not (foreign and asked):
        return
    of, to = wrong[0] if wrong else (record.asked[0][0], record.applied[0][1])
    yield OTHER_VARIABLES.found(
        expected="each gradient applied to the variable that it is of",
        received=f"in {step.name} ({step.place}) the gradient of {path_of(of)} is applied to {path_of(to)}",
        fix=lines_of(case).with_same_variables(),
    )


def _names(step: OwnStep) -> tuple[str, str]:
    """Return what the step calls its optimizer and the model's variables."""
    own = step.name.endswith(".train_step")
    return ("self.optimizer", "self.trainable_variables") if own else ("optimizer", "model.trainable_variables")


def path_of(variable: Any) -> str:
    return str(getattr(variable, "path", None) or getattr(variable, "name", "a variable"))


def _training_flag(case: Case, step: OwnStep, record: StepRecord) -> Iterator[Finding]:
    taped = [stated for stated, recorded in record.training if recorded]
    differing = _differing(step.model)
    layers = [str(each.name) for each in differing if id(each) not in record.in_training]
    if not taped or any(each is not None for each in taped) or not layers:
        return
    own = _flag_of_call(case.frame, step.model) if len(layers) == len(differing) else None
    flag = own or "training"
    yield WITHOUT_TRAINING.found(
        expected=f"model(x, {flag}=True) inside of the tape",
        received=f"{step.name} ({step.place}) calls the model without it: {', '.join(layers[:3])} work as in inference",
        fix=lines_of(case).with_training(step.model, flag),
    )


def _differing(model: Any) -> list[Any]:
    return [
        layer
        for layer in all_layers(model)
        if type(layer).__name__ in DIFFERING and getattr(layer, "rate", 1) != 0 and getattr(layer, "trainable", True)
    ]


@check(LAYERS_IN_CALL)
def check_layers_in_call(case: Case) -> Iterator[Finding]:
    """Yield layers with weights that every call of the model makes anew."""
    if not can_be_tried(case) or case.call is None or not _has_own_code(case.call.model):
        return
    x, _ = rows_of(case, 2)
    x = case.call.step.x if case.call.step is not None else x
    found = made_in_call(case.call.model, x) if x is not None else None
    if found is None:
        return
    yield _in_call(found)


def _in_call(found: MadeInCall) -> Finding:
    return LAYERS_IN_CALL.found(
        expected="layers made once, in __init__ or build",
        received=f"{found.count} weights made anew by the second call of the model: {found.layer} at {found.place}",
        fix=f"self.{found.attribute} = {found.expression}  # in __init__, in place of {found.place}; there call "
        f"self.{found.attribute}"
        if found.expression
        else f"Make the layer of {found.place} in __init__ and call it in call().",
    )


def _has_own_code(model: Any) -> bool:
    """Whether a layer of the model is of a class of the user's."""
    layers = [model, *all_layers(model)]
    return any(not type(each).__module__.startswith(("keras.", "tensorflow.")) for each in layers)


@check(GROWS)
def check_growing_state(case: Case) -> Iterator[Finding]:
    """Yield a list of the model's that gets a tensor at each step."""
    step = step_of(case)
    if step is None or not step.is_whole or case.call is None or case.call.step is not None:
        return
    tf = sys.modules["tensorflow"]
    lists = {name: each for name, each in vars(step.model).items() if isinstance(each, list) and name[:1] != "_"}
    grown: dict[str, Any] = {}

    def run(x: Any, y: Any) -> None:
        before = {name: len(each) for name, each in lists.items()}
        step.run(x, y)
        grown.update({name: each[-1] for name, each in lists.items() if len(each) == before[name] + 1})

    replace(step, run=run).record()
    name = next((each for each, value in grown.items() if tf.is_tensor(value)), None)
    if name is not None:
        yield GROWS.found(
            expected="metrics, or numbers returned by train_step",
            received=f"{step.name} ({step.place}) appends a tensor to self.{name}",
            fix=f"Leave self.{name} out of train_step, and return the value: {{'loss': loss}} is kept in history.",
        )


def _flag_of_call(frame: FrameType | None, model: Any) -> str | None:
    """Return the only parameter that a model's call() hands on as such a flag, and that is False or None by default.

    It goes to layers as training=, or to layers of the user's own by its own name.
    """
    call = inspect.unwrap(getattr(type(model).call, "python_function", type(model).call))
    code = getattr(call, "__code__", None)
    definition = (
        ProgramText(frame, code.co_filename).function_at(code) if frame and isinstance(code, CodeType) else None
    )
    if definition is None:
        return None
    handed = {
        keyword.value.id
        for each in ast.walk(definition)
        if isinstance(each, ast.Call)
        for keyword in each.keywords
        if isinstance(keyword.value, ast.Name) and keyword.arg in ("training", keyword.value.id)
    }
    of_call = inspect.signature(call).parameters.values()
    flags = [each.name for each in of_call if each.name in handed and (each.default is None or each.default is False)]
    return flags[0] if len(flags) == 1 else None
