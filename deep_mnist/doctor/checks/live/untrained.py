"""Checks of frozen layers: weights that an initializer made and nothing trained, moments of inputs of another scale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.inputs.divisions import undivided
from deep_mnist.doctor.checks.live.live_layers import (
    EXAMINED,
    holds_initial_values,
    is_trainable,
    is_untouched_norm,
    layers_of,
    own_weights,
)
from deep_mnist.doctor.checks.live.own_words import changed, data_of
from deep_mnist.doctor.checks.live.pipelines import without_rescale
from deep_mnist.doctor.evidence.live.own_step import patched
from deep_mnist.doctor.evidence.live.restoring import is_small, unchanged
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

MOST_NAMED = 3  # layers in a line
SAMPLE = 32  # images sent through
FAR = 1000.0  # variances apart; images of another kind are by 10, divided by 255 by 65025
ALIVE = 10.0  # times epsilon: channels that vary less in both are dead
SCALINGS = (60.0, 1000.0)  # deviations apart, of what was divided by 127.5 or 255

FROZEN_UNTRAINED = Rule(
    code="M062",
    name="frozen-layers-untrained",
    field="model.trainable",
    severity="warning",
    scope=Scope.NETWORK,
    needs=(Need.LIVE_MODEL,),
    summary="The layers that come first are frozen with the random weights that they were made with.",
    why="What the trainable layers see is a random function of the input: little of it can be learned from.",
)
OTHER_SCALE = Rule(
    code="M069",
    name="frozen-moments-of-another-scale",
    field="images.range",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    follows=(
        Follows(rules=("I103", "I104", "I105", "I106", "I107", "I110", "I180", "I181", "I182"), on=On.ANY_SPLIT),
        Follows(rules=("D041", "D042", "D043", "D044"), on=On.ANY_SPLIT),
    ),
    summary="A frozen BatchNormalization was trained on inputs of another scale than those that it is given.",
    why="It takes off a mean and divides by a deviation that are not these inputs': what it passes on is all alike, or "
    "far too large, and frozen as it is it never adapts.",
)


@check(FROZEN_UNTRAINED)
def check_untrained(case: Case) -> Iterator[Finding]:
    """Yield a base that was frozen before it was trained, or whose weights were never loaded."""
    weighted = [each for each in layers_of(case) if own_weights(each)]
    frozen = [each for each in weighted if not is_trainable(each)]
    if not frozen or len(frozen) == len(weighted) or weighted[0] is not frozen[0] or _may_be_trained(case, frozen):
        return
    kernels = _new_kernels(frozen)
    if not kernels:
        return
    alone = len(kernels) == 1 and type(kernels[0]).__name__ != "Embedding"
    names = ", ".join(each.name for each in kernels[:4])
    yield FROZEN_UNTRAINED.found(
        severity="note" if alone else "",  # one random layer may be meant
        expected="frozen layers with weights that were trained or loaded",
        received=f"{len(frozen)} frozen layers that hold what their initializers make: {names}",
        fix=f"{_unfreezing(case)}; model.compile(optimizer=model.optimizer, loss=model.loss)  "
        '# or load the weights first: weights="imagenet", load_weights(...)',
    )


def _unfreezing(case: Case) -> str:
    """Return the statement that lets the frozen ones of the model's own layers train, models among them."""
    own = case.call.model.layers if case.call is not None else []
    frozen = [each.name for each in own if not each.trainable]
    if len(frozen) > MOST_NAMED:
        return '[setattr(layer, "trainable", True) for layer in model.layers]'
    return "; ".join(f'model.get_layer("{name}").trainable = True' for name in frozen) or "model.trainable = True"


def _new_kernels(frozen: list[Any]) -> list[Any]:
    """Return some of the layers with kernels; none where any layer that was looked at has been trained."""
    kernels: list[Any] = []
    for each in frozen:
        new = _is_new(each)
        if new is False:
            return []
        if new and is_untouched_norm(each) is None:
            kernels.append(each)
        if len(kernels) == EXAMINED:
            break
    return kernels


def _is_new(layer: Any) -> bool | None:
    norm = is_untouched_norm(layer)
    return norm if norm is not None else holds_initial_values(layer)


def _may_be_trained(case: Case, frozen: list[Any]) -> bool:
    """Whether an earlier fit, which was judged and not run, was to train these layers."""
    earlier = case.call.earlier if case.call is not None else ()
    return any(not fit.ran and any(each in fit.trained for each in frozen) for fit in earlier)


# --- moments ---------------------------------------------------------------------------------------


@check(OTHER_SCALE)
def check_moments(case: Case) -> Iterator[Finding]:
    """Yield the first frozen BatchNormalization with trained moments, where those of the inputs are far from them."""
    call, images = case.call, case.train.images
    if call is None or images is None or images.ndim < 2 or images.dtype.kind not in "fiu" or case.contract.inputs:
        return
    norms = [each for each in layers_of(case) if is_untouched_norm(each) is False and not each.trainable]
    if not norms or not is_small(call.model):
        return
    norm, before = _first_given(call.model, norms, take(images, sample_indices(len(images), SAMPLE)))
    if norm is None or before is None or not np.isfinite(before).all():
        return
    found = np.moveaxis(before, norm.axis, -1).reshape(-1, before.shape[norm.axis]).var(axis=0)
    held = np.asarray(norm.moving_variance, np.float64)
    alive = np.maximum(found, held) > ALIVE * norm.epsilon
    ratio = float(np.median(found[alive] / np.maximum(held[alive], 1e-30))) if alive.any() else 1.0
    if 0 < ratio < 1 / FAR or ratio > FAR:
        yield _other_scale(case, norm, images, np.sqrt(np.median(held[alive])), np.sqrt(ratio))


def _other_scale(case: Case, norm: Any, images: np.ndarray, deviation: float, ratio: float) -> Finding:
    """Return the finding on a normalization that was trained on one deviation and gets `ratio` times that."""
    fix, line = _scaled(case, ratio, float(images.max()))
    received = (
        f"a deviation of {deviation * ratio:.3g} there, of inputs {float(images.min()):.4g}..{float(images.max()):.4g}"
    )
    found = OTHER_SCALE.found(
        "train",
        expected=f"inputs as the frozen layers were trained on: a deviation of {deviation:.3g} at {norm.name}",
        received=received,
        fix=fix
        or f"Scale the {case.example}s, of every split, as those were that the frozen layers were trained on: at "
        f"{norm.name} they deviate {max(ratio, 1 / ratio):.0f} times too {'little' if ratio < 1 else 'much'}.",
    )
    return replace(found, line=line)


def _first_given(model: Any, norms: list[Any], rows: np.ndarray) -> tuple[Any, np.ndarray | None]:
    """Return the normalization of some that a run of rows comes to first, and what it is given; None without."""
    import keras

    given: list[tuple[Any, np.ndarray]] = []

    def watch(own: Any) -> Any:
        def call(layer: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if not given and any(layer is each for each in norms):
                given.append((layer, np.asarray(inputs, np.float64)))
            return own(layer, inputs, *args, **kwargs)

        return call

    with unchanged(model), patched(type(norms[0]), "call", watch), suppress(Exception):  # whatever fit would raise
        model(keras.ops.convert_to_tensor(rows.astype(np.float32)), training=False)
    return given[0] if given else (None, None)


def _scaled(case: Case, ratio: float, greatest: float) -> tuple[str, int | None]:
    """Return the lines that divide pixels no more, or do so, and the line's number; "" where that is not the cause.

    Args:
        case: Of the call.
        ratio: Of the deviations, as given over as trained.
        greatest: Of the pixels as fit receives them.
    """
    least, most = SCALINGS
    splits = [each for each in case.splits if data_of(case, each) is not None or each == "train"]
    if least < 1 / ratio < most and greatest <= 1:
        lines = {found for each in splits if (found := without_rescale(case, data_of(case, each)))}
        if len(lines) == 1:
            return lines.pop()
        return undivided(case) if not lines else "", None
    if least < ratio < most and 64 < greatest <= 255:
        return "; ".join(filter(None, (changed(case, each, "images", "{} / 255") for each in splits))), None
    return "", None
