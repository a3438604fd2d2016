"""Checks of a fit against the fits before it, in a script that is judged whole or in a guarded block."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import is_trainable, layers_of, own_weights
from deep_mnist.doctor.checks.program.compiled_metrics import stated_metrics
from deep_mnist.doctor.checks.program.fit_traces import digest_of, row_keys
from deep_mnist.doctor.checks.program.metric_fixes import mended
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

if TYPE_CHECKING:
    from deep_mnist.doctor.checks.program.earlier_fits import EarlierFit

SEEN, IN_OWN_TRAIN = 0.3, 0.05  # shares of the validation examples
LEAST_SEEN = 20  # keys
OLD_RATES = {"adam": 1e-3, "adamw": 1e-3, "nadam": 1e-3, "adamax": 1e-3, "rmsprop": 1e-3, "sgd": 1e-2}
MUCH_LOWER = 0.5  # of the earlier rate
FINE = 1e-5
LIVE = (Need.LIVE_MODEL,)

OTHER_VARIABLES = Rule(
    code="P060",
    name="optimizer-of-other-variables",
    field="model.optimizer",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The optimizer was used before, for a model or for layers that are not those it is to train now.",
    why="Keras stops at the first batch: an optimizer knows only the variables that it began with.",
)
NOT_COMPILED_AGAIN = Rule(
    code="P061",
    name="unfrozen-without-compile",
    field="model.trainable",
    severity="warning",
    scope=Scope.CASE,
    needs=LIVE,
    summary="Layers were frozen or unfrozen since the last fit, and the model was not compiled again.",
    why="Keras goes on as before: what was unfrozen does not train, and what was frozen does.",
)
FOLDS_SHARE_MODEL = Rule(
    code="P062",
    name="folds-share-model",
    field="splits.leakage",
    severity="warning",
    scope=Scope.CASE,
    needs=(*LIVE, Need.TEST),
    summary="The model goes on from an earlier fit that trained on what it is validated on now.",
    why="From the second fold on the score is that of examples which the model has learned.",
)
OLD_RATE = Rule(
    code="P063",
    name="fine-tuning-at-old-rate",
    field="model.optimizer",
    severity="warning",
    scope=Scope.CASE,
    needs=LIVE,
    summary="Layers with trained weights were unfrozen, and the learning rate is that of the head before.",
    why="Steps of this size undo what the layers were trained for before they can be tuned.",
)


@check(OTHER_VARIABLES)
def check_optimizer_is_own(case: Case) -> Iterator[Finding]:
    """Yield an optimizer that Keras will refuse for these variables."""
    model = case.call.model if case.call is not None else None
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not type(optimizer).__mro__[-2].__module__.startswith(("keras.", "builtins")):
        return
    if _is_compiled_as_before(case):
        return  # Keras goes on with the step that it has, and P061 says so
    reason = _of_built(model, optimizer) or _of_unrun(case, optimizer)
    if reason:
        yield OTHER_VARIABLES.found(
            expected="an optimizer for the variables of this model, made with it",
            received=reason,
            fix=compiled_anew(model, rate=None),
        )


@check(NOT_COMPILED_AGAIN)
def check_compiled_again(case: Case) -> Iterator[Finding]:
    """Yield a change of what trains that Keras has not heard of."""
    before, model = _last_of(case), _model(case)
    if before is None or not _is_compiled_as_before(case):
        return
    now = [each for each in layers_of(case) if own_weights(each)]
    woken = [each.name for each in now if is_trainable(each) and each in before.frozen]
    stilled = [each.name for each in now if not is_trainable(each) and each in before.trained]
    if woken or stilled:
        words = f"{', '.join(woken[:4])} unfrozen" if woken else f"{', '.join(stilled[:4])} frozen"
        yield NOT_COMPILED_AGAIN.found(
            expected="compile() after a change of trainable",
            received=f"{words} since the last fit, with no compile() in between",
            fix=compiled_anew(model, rate=FINE if woken else None),
        )


@check(FOLDS_SHARE_MODEL)
def check_folds(case: Case) -> Iterator[Finding]:
    """Yield a validation on what the same model has trained on in an earlier fit."""
    before = [each for each in _earlier(case) if each.model() is not None and each.model() is _model(case)]
    if not before or case.test is None or case.test.images is None:
        return
    if _may_be_reset(case, before):
        return
    for each in before:
        held, _ = row_keys(case.test.images, each.spread)
        own, _ = row_keys(case.train.images, each.spread)
        seen = held & each.keys
        if len(seen) >= LEAST_SEEN and len(seen) >= SEEN * len(held) and len(held & own) <= IN_OWN_TRAIN * len(held):
            yield FOLDS_SHARE_MODEL.found(
                "test",
                expected="a new model for each fold",
                received=f"{len(seen) / len(held):.0%} of the validation examples in an earlier fit of this model",
                fix="compiled = model.get_compile_config(); model = keras.models.clone_model(model); "
                "model.compile_from_config(compiled)  # before each fit, in the loop",
            )
            return


@check(OLD_RATE)
def check_rate(case: Case) -> Iterator[Finding]:
    """Yield fine-tuning that goes on at the rate of the layers that were new."""
    before, model = _last_of(case), _model(case)
    if before is None or before.rate is None or before.compiled() is getattr(model, "_compile_loss", None):
        return
    contract = case.contract.optimizer
    name, rate = str(contract.get("name", "")), contract.get("learning_rate")
    usual = OLD_RATES.get(name)
    woken = [each for each in layers_of(case) if own_weights(each) and is_trainable(each) and each in before.frozen]
    if usual is None or not isinstance(rate, float | int) or len(woken) < 2:
        return
    if rate >= usual * (1 - 1e-6) and rate >= MUCH_LOWER * before.rate:
        yield OLD_RATE.found(
            expected=f"a rate far below {before.rate:.3g}, at which the layers behind were trained",
            received=f"{name} at {rate:.3g} for {len(woken)} layers that were frozen before",
            fix=f"model.optimizer.learning_rate = {FINE:g}",
        )


# --- what came before ---------------------------------------------------------------------------------------


def _earlier(case: Case) -> tuple[EarlierFit, ...]:
    return case.call.earlier if case.call is not None else ()


def _model(case: Case) -> Any:
    return case.call.model if case.call is not None else None


def _last_of(case: Case) -> EarlierFit | None:
    """Return the last fit before of the same model, or of one that shares the layers which it was to train."""
    model, layers = _model(case), set(map(id, layers_of(case)))
    for each in reversed(_earlier(case)):
        shared = any(id(layer) in layers for layer in each.trained)
        if each.model() is not None and (each.model() is model or shared):
            return each
    return None


def _is_compiled_as_before(case: Case) -> bool:
    """Whether compile() was not called since the last fit of this model."""
    before = _last_of(case)
    compiled = before.compiled() if before is not None else None
    return compiled is not None and compiled is getattr(_model(case), "_compile_loss", None)


def _of_built(model: Any, optimizer: Any) -> str:
    """Return what is wrong with an optimizer that has begun, "" where it knows every variable."""
    known = getattr(optimizer, "_trainable_variables", None)
    if not getattr(optimizer, "built", False) or not known:
        return ""
    held = {id(each) for each in known}
    new = [each for each in model.trainable_variables if id(each) not in held]
    if not new:
        return ""
    path = getattr(new[0], "path", getattr(new[0], "name", ""))
    return f"{type(optimizer).__name__} that began with other variables: {path} is not among them"


def _of_unrun(case: Case, optimizer: Any) -> str:
    """Return the same of an optimizer that an earlier fit would have begun to use, had it run."""
    trains = [each for each in layers_of(case) if own_weights(each) and is_trainable(each)]
    for each in _earlier(case):
        if not each.ran and each.optimizer() is optimizer and any(layer not in each.trained for layer in trains):
            return f"{type(optimizer).__name__} that an earlier fit begins to use, for other layers"
    return ""


def _may_be_reset(case: Case, before: list[EarlierFit]) -> bool:
    """Whether the weights were set back between the fits, as far as can be told."""
    now = digest_of(_model(case))
    if before[-1].ran:
        return any(each.start == now for each in before)
    frame = case.frame
    if frame is None:
        return True
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    return not source or any(word in source for word in ("set_weights", "load_weights", "from_config", ".assign("))


def compiled_anew(model: Any, rate: float | None) -> str:
    """Return the statement that compiles the model with an optimizer of the same kind, at its rate or another."""
    optimizer = model.optimizer
    try:
        stated = float(optimizer._learning_rate) if rate is None else rate
    except Exception:  # a schedule
        stated = 0.001
    made = f"keras.optimizers.{type(optimizer).__name__}({stated:.3g})"
    compiled = mended(model, []) if any(stated_metrics(model)) else ""
    if compiled.startswith("model.compile"):
        return compiled.replace("optimizer=model.optimizer", f"optimizer={made}", 1)
    return f"model.compile(optimizer={made}, loss=model.loss)"
