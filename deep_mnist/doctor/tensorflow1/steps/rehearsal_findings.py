"""What a rehearsal of a session showed, in words: each with the line that mends it, in the user's own names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.faults.loss_words import cross_entropy, is_summed
from deep_mnist.doctor.tensorflow1.graph_walk import VARIABLES, ancestors, variable_shape
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.steps import rehearsal_rules as rules
from deep_mnist.doctor.tensorflow1.training_words import minimized, rate_of

if TYPE_CHECKING:
    from deep_mnist.doctor.tensorflow1.steps.trial import SessionTrial


LARGE = 3.0  # a weight's value that saturates what comes behind


def start_not_finite(case: SessionCase) -> Finding:
    culprit = _first_not_finite(case)
    met = case.supervision
    of_log = culprit is not None and culprit.op.type == "Log"
    loss = case.names.of(case.step.loss, "loss") if case.step is not None else "loss"
    if of_log and met is not None and met.kind == "product":
        fix = f"{loss} = {_safe_entropy(case)}"
    elif of_log and culprit is not None:
        name = case.names.of(culprit.op.inputs[0], "x")
        fix = f"{name} = tf.maximum({name}, 1e-10)"
    else:
        fix = "Look at what comes into that operation: it is divided by 0, or already not finite."
    kind = f"{culprit.op.type}{case.names.at(culprit)}" if culprit is not None else "the loss"
    return rules.START_NOT_FINITE.found(
        expected="a finite loss at the first step",
        received=f"NaN or infinity, first out of {kind}" + (", the logarithm of what is not above 0" if of_log else ""),
        fix=fix,
    )


def _safe_entropy(case: SessionCase) -> str:
    met = case.supervision
    several = met is not None and met.output.shape.rank == 2 and (met.output.shape.as_list()[-1] or 2) > 1
    if met is None or several:
        return cross_entropy(case, met) if met is not None else ""
    labels, output = case.names.of(met.labels, "y_"), case.names.of(met.output, "p")
    clipped = f"tf.clip_by_value({output}, 1e-7, 1 - 1e-7)"
    return f"-tf.reduce_mean({labels} * tf.log({clipped}) + (1 - {labels}) * tf.log(1 - {clipped}))"


def _first_not_finite(case: SessionCase) -> Any:
    """Return the first tensor on the way to the loss that is not finite though what it takes is."""
    if case.step is None:
        return None
    for each in sorted(case.step.of_loss, key=lambda one: one._id):
        output = each.outputs[0] if each.outputs else None
        if output is None or not output.dtype.is_floating or each.type in ("Placeholder", "VariableV2", "VarHandleOp"):
            continue
        value = case.value(output)
        if value is not None and value.dtype.kind == "f" and not np.isfinite(value).all():
            return output
    return None


def unscaled(case: SessionCase, trial: SessionTrial, again: SessionTrial) -> Finding:
    images = case.run.images
    values = np.asarray(case.run.fed[images], dtype=np.float64)
    name = case.names.of(images, "x")
    return rules.UNSCALED.found(
        "train",
        expected=f"{name} scaled: each column of mean 0 and deviation 1",
        received=f"{name} of {values.min():.4g}..{values.max():.4g}; the loss goes {_way(trial)}, scaled {_way(again)}",
        fix="train_images = (train_images - train_images.mean(axis=0)) / train_images.std(axis=0)",
    )


def rate_too_high(case: SessionCase, trial: SessionTrial, factor: float) -> Finding:
    summed = is_summed(case) and factor <= 0.1
    loss = case.names.of(case.step.loss, "loss") if case.step is not None else "loss"
    received = (
        f"{rate_of(case):.3g}: the loss of one batch goes {_way(trial)}; at {rate_of(case) * factor:.3g} it falls"
    )
    if summed:
        rows = max((len(value) for value in case.feed.values() if np.ndim(value)), default=1)
        return rules.RATE_TOO_HIGH.found(
            expected="the mean over the examples, or a rate that suits their sum",
            received=f"the sum over {rows} examples at a rate of {received}",
            fix=f"{loss} = {loss} / {rows}  # reduce_mean in the place of reduce_sum",
        )
    return rules.RATE_TOO_HIGH.found(
        expected=f"a rate of about {rate_of(case) * factor:.2g}", received=received, fix=_optimizer_line(case, factor)
    )


def decays_at_once(case: SessionCase, before: float, after: float, steps: int) -> Finding:
    return rules.DECAYS_AT_ONCE.found(
        expected="a rate that lasts as long as the training",
        received=f"{before:.3g} falls to {after:.3g} within {steps} steps",
        fix=minimized(case, rate=before),
    )


def rate_too_low(case: SessionCase, trial: SessionTrial, factor: float) -> Finding:
    return rules.RATE_TOO_LOW.found(
        expected=f"a rate of about {rate_of(case) * factor:.2g}",
        received=f"{rate_of(case):.3g}: {len(trial.losses) - 1} steps on one batch take the loss {_way(trial)}",
        fix=_optimizer_line(case, factor),
    )


def diverges(trial: SessionTrial) -> Finding:
    return rules.DIVERGES.found(
        expected="a loss that falls",
        received=f"{_way(trial)} in {len(trial.losses) - 1} steps on one batch",
        fix="Look at the loss: it grows at every rate that was tried, so its sign or its form is wrong.",
    )


def not_falling(trial: SessionTrial) -> Finding:
    return rules.NOT_FALLING.found(
        expected="the loss of one batch to fall when its steps are repeated",
        received=f"{_way(trial)} in {len(trial.losses) - 1} steps, and at other rates",
        fix="Look at what the loss takes: it hardly depends on the variables that are trained.",
    )


def alike(case: SessionCase, variable: Any, start: np.ndarray) -> Finding:
    name = case.names.of(variable, variable.name)
    return rules.ALIKE.found(
        expected="random initial weights",
        received=f"{name}{case.names.at(variable)}: all {start.shape[-1]} units alike, {start.flat[0]:g} at the start, "
        "and still so after some steps",
        fix=_random_start(name, start),
    )


def no_gradient(case: SessionCase, variables: list[Any], count: int) -> Finding:
    """Return that some weights do not move: the first's state, and new starts for all of them that are constant."""
    starts = {each: case.clone.start[each.name] for each in variables if case.clone is not None}
    variable, start = next(iter(starts.items()))
    name = case.names.of(variable, variable.name)
    constant = np.ptp(start) == 0
    state = f"{start.flat[0]:g} throughout" if constant else f"values of {start.min():.3g}..{start.max():.3g}"
    return rules.NO_GRADIENT.found(
        expected="a gradient for every weight that is trained",
        received=f"{name}{case.names.at(variable)}, {state}, does not move; so do {count} weights in all",
        fix="; ".join(_random_start(case.names.of(each, each.name), value) for each, value in starts.items())
        if constant or np.abs(start).max() > LARGE
        else f"Look at what comes between {name} and the loss: nothing of it depends on {name}.",
    )


def dead(case: SessionCase, layer: Any) -> Finding:
    weights = next((each for each in ancestors([layer.op], control=False) if _is_matrix(each)), None)
    name = case.names.of(weights, weights.name) if weights is not None else "W"
    start = case.clone.start[weights.name] if weights is not None and case.clone is not None else np.zeros((1, 1))
    return rules.DEAD.found(
        expected="units that some examples set off",
        received=f"{case.names.of(layer, layer.op.name)}{case.names.at(layer)} is 0 for every unit and example; "
        f"weights of {start.min():.3g}..{start.max():.3g}",
        fix=_random_start(name, start),
    )


def _is_matrix(operation: Any) -> bool:
    return operation.type in VARIABLES and len(variable_shape(operation) or ()) >= 2


def _random_start(name: str, start: np.ndarray) -> str:
    fan_in = max(1, int(np.prod(start.shape[:-1])))
    return f"{name} = tf.Variable(tf.truncated_normal({[*start.shape]}, stddev={np.sqrt(2 / fan_in):.2g}))"


def _optimizer_line(case: SessionCase, factor: float) -> str:
    rate = rate_of(case) * factor
    fed = case.step.rate if case.step is not None else None
    if fed is not None and fed.op.type.startswith("Placeholder"):
        return f"feed_dict={{…, {case.names.of(fed, 'learning_rate')}: {rate:.2g}}}"
    return minimized(case, rate=rate)


def _way(trial: SessionTrial) -> str:
    return f"from {trial.first:.3g} to {trial.last:.3g}" if trial.is_finite else f"from {trial.first:.3g} to NaN"
