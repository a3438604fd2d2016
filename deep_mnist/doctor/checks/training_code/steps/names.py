"""Checks of names: of what is given to a network of multiple inputs or outputs, and of what a network's class sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.following import after_fit
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, own_names
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OWN_WAYS = {"train_step", "compute_loss", "fit"}  # that may pass over the names

UNKNOWN_NAMES = Rule(
    code="P015",
    name="names-of-no-input-or-output",
    field="fit.names",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A dictionary of inputs, targets, losses or weights of losses has other keys than the network has names.",
    why="Keras stops before the first step: a key is missing, or the structures differ.",
)
METHODS = ("predict", "evaluate", "summary", "save", "compile", "save_weights", "load_weights", "get_config")
HIDDEN_METHOD = Rule(
    code="P152",
    name="method-hidden-by-attribute",
    field="fit.names",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A model's class gives a layer or a value the name of a method of keras.Model.",
    why="model.predict(...) and the like then call the layer, or nothing that can be called.",
)


@check(UNKNOWN_NAMES)
def check_names(case: Case) -> Iterator[Finding]:
    """Yield a finding for each dictionary whose keys are not the network's names; of Keras 3's functional models."""
    call = case.call
    model: Any = call.model if call is not None else None
    if call is None or not hasattr(model, "_inputs_struct") or not hasattr(model, "_outputs_struct"):
        return
    inputs = _names(model._inputs_struct, [each.name for each in model.inputs])
    outputs = _names(model._outputs_struct, list(getattr(model, "output_names", None) or ()))
    weights = getattr(getattr(model, "_compile_loss", None), "_user_loss_weights", None)
    exact = not isinstance(model._outputs_struct, Mapping)  # a list's outputs need a key each
    yield from _found(call.x, "x", inputs, extra=True, lacking=True)
    yield from _found(call.y, "y", outputs, extra=False, lacking=exact)
    of_loss = list(_found(getattr(model, "loss", None), "the loss of compile()", outputs, extra=False, lacking=exact))
    both = "the loss and the loss_weights of compile()" if of_loss else "the loss_weights of compile()"
    of_compile = list(_found(weights, both, outputs, extra=False, lacking=exact)) or of_loss
    yield from (replace(each, fix=_everywhere(each.fix, call, outputs)) for each in of_compile)


def _everywhere(fix: str, call: Any, outputs: list[str]) -> str:
    """Return a fix that says also where else the same name of no output stands: in the metrics, and in fit's y."""
    metrics = getattr(getattr(call.model, "_compile_metrics", None), "_user_metrics", None)
    named = (("the metrics", metrics), ("the targets of fit", call.y))
    others = [place for place, given in named if isinstance(given, Mapping) and not set(given) <= set(outputs)]
    return f"{fix.removesuffix('.')}, and in {' and '.join(others)}." if others else fix


def _names(struct: Any, names: list[str]) -> list[str]:
    return [str(each) for each in struct] if isinstance(struct, Mapping) else names


def _found(given: Any, place: str, names: list[str], *, extra: bool, lacking: bool) -> Iterator[Finding]:
    """Yield at most one finding: keys that are no name, unless they may be there, or names without a key."""
    if not isinstance(given, Mapping) or not names or not all(isinstance(each, str) for each in given):
        return
    unknown, missing = [each for each in given if each not in names], [each for each in names if each not in given]
    if not (unknown and not extra) and not (missing and lacking):
        return
    fix = f"Use the keys {', '.join(map(repr, names))} in {place}."
    if len(unknown) == len(missing) == 1:
        fix = f'Write "{missing[0]}" for "{unknown[0]}" in {place}.'
    yield UNKNOWN_NAMES.found(
        expected=f"the names of the network's {'inputs' if place == 'x' else 'outputs'} in {place}: {', '.join(names)}",
        received=f"the keys {', '.join(map(str, given)) or 'of none'}",
        fix=fix,
    )


# --- names that only a dataset, or a call of the model, tells -----------------------------------------


@check(UNKNOWN_NAMES)
def check_names_of_targets(case: Case) -> Iterator[Finding]:
    """Yield a dataset's targets, and the targets and losses of a model of a class of its own, by names of no output."""
    call = case.call
    model: Any = call.model if call is not None else None
    loss = getattr(model, "loss", None)
    if call is None or call.verb != "fit" or loss is None or OWN_WAYS & own_names(model):
        return
    is_functional = hasattr(model, "_outputs_struct")
    given = _targets(call.x) if call.y is None else None if is_functional else call.y
    if not isinstance(given, Mapping) and (is_functional or not isinstance(loss, Mapping)):
        return
    outputs = _names(model._outputs_struct, list(model.output_names)) if is_functional else _called_names(case, model)
    of_loss = [] if is_functional else list(_found(loss, "the loss of compile()", outputs, extra=False, lacking=False))
    yield from of_loss
    learned = [each for each in outputs if not isinstance(loss, Mapping) or each in loss]
    for found in () if of_loss else _found(given, "y", outputs, extra=False, lacking=False):
        yield replace(found, fix=(_renamed(case, given, learned) if isinstance(given, Mapping) else "") or found.fix)


def _targets(x: Any) -> Any:
    """Return a dataset's targets as their specification, None of anything else."""
    spec = x.element_spec if is_dataset(x) else None
    return spec[1] if isinstance(spec, tuple) and len(spec) > 1 else None


def _called_names(case: Case, model: Any) -> list[str]:
    """Return the keys of the dictionary that a model of a class of its own returns, [] of any other output."""
    x = rows_of(case)[0] if can_be_tried(case) else None
    x = _rows_of_several(case) if x is None and can_be_tried(case) else x
    if x is None:
        return []
    with unchanged(model):
        try:
            made = model(x, training=False)
        except Exception:  # the user's own code may raise anything, and does so in fit
            return []
    return [each for each in made if isinstance(each, str)] if isinstance(made, Mapping) else []


def _rows_of_several(case: Case) -> Any:
    """Return some rows of the one input of a network with several targets, None without."""
    train = case.train
    return train.images[:2] if train.images is not None and train.targets and not train.inputs else None


def _renamed(case: Case, given: Mapping[str, Any], outputs: list[str]) -> str:
    """Return the line that gives a dataset's targets the outputs' names, where one alone has another; else ""."""
    unknown, missing = [each for each in given if each not in outputs], [each for each in outputs if each not in given]
    call, text = case.call, ProgramText(case.frame) if case.frame is not None else None
    name = text.name_of(call.x) if text is not None and call is not None and is_dataset(call.x) else None
    if name is None or call is None or len(unknown) != 1 or len(missing) != 1 or len(call.x.element_spec) != 2:
        return ""
    pairs = ", ".join(f'"{missing[0] if each == unknown[0] else each}": y["{each}"]' for each in given)
    return f"{name} = {name}.map(lambda x, y: (x, {{{pairs}}}))"


# --- names of Keras's own -----------------------------------------------------------------------------


@check(HIDDEN_METHOD)
def check_hidden_methods(case: Case) -> Iterator[Finding]:
    """Yield the layers and values of a model that hide methods of its class, which the program may call later."""
    model: Any = case.call.model if case.call is not None and case.call.verb == "fit" else None
    if model is None or not _is_a("Model", model):
        return
    for name in METHODS:
        value = vars(model).get(name)
        if not _is_a("Layer", value) and (value is None or callable(value)):
            continue  # a function may stand for a method on purpose
        used = _later_call(case, model, name)
        what = f"{type(value).__name__} of its own" if _is_a("Layer", value) else f"{value!r:.40}"
        yield HIDDEN_METHOD.found(
            severity="error" if used else "",
            expected=f"model.{name} to be Keras's method" + (f", which {used} calls" if used else ""),
            received=f"the attribute {name} of {type(model).__name__}, a {what}",
            fix=f"Name it otherwise wherever {type(model).__name__} sets and reads it, such as self.{name}_layer.",
        )


def _is_a(kind: str, value: Any) -> bool:
    """Whether a value is a Model or Layer of Keras, of either version."""
    return any(each.__name__ == kind and each.__module__.startswith(OF_KERAS) for each in type(value).__mro__)


def _later_call(case: Case, model: Any, method: str) -> str:
    """Return where the program surely calls a method of the model behind fit, "" where it does not."""
    for use in after_fit(case.frame, model):
        if use.scope.made_anew:
            return ""
        node = use.called_on(model, method)
        if node is not None and use.sure:
            return use.scope.text.at(node)
    return ""
