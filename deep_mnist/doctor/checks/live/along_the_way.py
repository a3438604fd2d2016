"""Checks of what layers and maps make of images on their way to the first weights, on a small sample.

An augmentation should leave an image recognizable: it neither flattens it nor moves it by more than it deviates. Where
one does, the reason is nearly always a range: brightness as a share of 0..255 on pixels of 0..1, or an amount
where a factor is meant.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.own_words import changed
from deep_mnist.doctor.evidence.live.first_layers import NORMALIZING, LayerStage, Way, way_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.spread import SampleSpread, loss_between, spread_of
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import IMAGES, Follows, Need, On, Rule, Scope, check

SAMPLE = 24  # images sent along
MOST_VALUES = 4_000_000  # of them together
LITTLE = 0.02  # between images at the first weights, in their units
SPREAD_BEFORE = 0.03  # of the range, between images as fit receives them
LARGE = 10.0  # root mean square at the first weights
BELOW_CAFFE = -133.0  # 0..255 less ImageNet's means reaches -123.68
RANGE_KNOWN = Follows(rules=("I103", "I104", "I105", "I106", "I107", "I108", "I109"), on=On.TRAIN)

FLATTENS = Rule(
    code="D040",
    name="augmentation-layer-flattens",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.SURVEY),
    summary="An augmentation layer leaves little of the images: it was made for another range of values.",
    why="The network trains on flat or bleached images and is judged on whole ones: validation stays at chance.",
)
LITTLE_LEFT = Rule(
    code="I180",
    name="little-reaches-the-first-weights",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.SURVEY),
    inputs=IMAGES,
    follows=(RANGE_KNOWN,),
    summary="Behind the network's own preprocessing hardly anything is left of what tells images apart.",
    why="All images look alike to the first weights: accuracy stays at chance.",
)
TOO_LARGE = Rule(
    code="I181",
    name="first-weights-see-large-values",
    field="images.range",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.SURVEY),
    inputs=IMAGES,
    follows=(RANGE_KNOWN,),
    summary="Behind the network's own preprocessing values are many times larger than weights are made for.",
    why="Activations and gradients start many times too large: the loss jumps, accuracy sticks.",
)
CENTRED_TWICE = Rule(
    code="I182",
    name="means-subtracted-twice",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.SURVEY),
    inputs=IMAGES,
    summary="ImageNet's means are subtracted twice: preprocess_input in the data and in the network.",
    why="The published weights see darker images with colours exchanged: they predict nonsense.",
)


@check(FLATTENS, LITTLE_LEFT, TOO_LARGE, CENTRED_TWICE)
def check_along_the_way(case: Case) -> Iterator[Finding]:
    """Yield at most one finding on the layers before the first weights, by a sample that is sent through them."""
    images, call = case.train.images, case.call
    if call is None or images is None or images.ndim < 2 or images.dtype.kind not in "fiu" or not len(images):
        return
    if case.contract.inputs:
        return
    count = max(2, min(SAMPLE, MOST_VALUES // max(1, int(np.prod(images.shape[1:])))))
    sample = take(images, sample_indices(len(images), count)).astype(np.float32)
    way = way_of(call.model, sample)
    yield from list(_augmentations(case, way.stages)) or _at_the_weights(case, sample, way)


# --- augmentation -----------------------------------------------------------------------------------


def _augmentations(case: Case, stages: list[LayerStage]) -> Iterator[Finding]:
    for stage in _innermost(stages):
        before, after = spread_of(stage.after), spread_of(stage.in_training)
        if before is None or after is None or not _is_random(stage):
            continue
        if words := loss_between(before, after):
            yield _flattens(case, stage, before, words)
            return


def _innermost(stages: list[LayerStage]) -> Iterator[LayerStage]:
    """Yield the stages, those of a nested network of augmentations one by one."""
    for stage in stages:
        inner = way_of(stage.layer, stage.before).stages if hasattr(stage.layer, "layers") else []
        yield from _innermost(inner) if inner else [stage]


def _is_random(stage: LayerStage) -> bool:
    kind = type(stage.layer).__name__
    dropping = kind.startswith(("Dropout", "SpatialDropout", "GaussianDropout", "AlphaDropout", "GaussianNoise"))
    return (
        stage.after.shape == stage.in_training.shape
        and not dropping
        and not np.array_equal(stage.after, stage.in_training)
    )


def _flattens(case: Case, stage: LayerStage, before: SampleSpread, words: str) -> Finding:
    kind = type(stage.layer).__name__
    stated = getattr(stage.layer, "value_range", None)
    usual = _range_of(before)
    if isinstance(stated, tuple | list) and len(stated) == 2 and not _agree(stated, usual):
        low, high = usual
        fix = _rewritten(case, kind, [], value_range=f"({low:g}, {high:g})")
        fix = fix or f"keras.layers.{kind}(..., value_range=({low:g}, {high:g}))"
        expected = f"{kind} told the range of the values that it meets, {low:g}..{high:g}"
        received = f"value_range {stated[0]:g}..{stated[1]:g} on values {before.low:.3g}..{before.high:.3g}: {words}"
    else:
        known = type(stage.layer).__module__.partition(".")[0] in ("keras", "tf_keras")
        fix = _rewritten(case, kind, ["0.1"]) or (f"keras.layers.{kind}(0.1)  # a smaller factor" if known else "")
        fix = fix or f"Let {kind} change values by at most a third of their range, {before.low:.3g}..{before.high:.3g}."
        expected = f"{kind} that leaves images recognizable"
        received = f"on values {before.low:.3g}..{before.high:.3g} {words}"
    return FLATTENS.found("train", expected=expected, received=received, fix=fix)


def _range_of(spread: SampleSpread) -> tuple[float, float]:
    if spread.high > 1.5:
        return 0.0, 255.0
    return (-1.0, 1.0) if spread.low < 0 else (0.0, 1.0)


def _agree(stated: Any, usual: tuple[float, float]) -> bool:
    return all(abs(float(one) - other) < 0.5 for one, other in zip(stated, usual, strict=True))


def _rewritten(case: Case, kind: str, positional: list[str], **keywords: str) -> str:
    """Return the statement that makes a layer of a kind, with other arguments."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame)
    for call in text.calls(kind):
        named = {name: ast.parse(each, mode="eval").body for name, each in keywords.items()}
        if len(call.args) < len(positional):
            return ""
        return text.rewritten(call, [ast.parse(each, mode="eval").body for each in positional], **named)
    return ""


# --- at the first weights ---------------------------------------------------------------------------


def _at_the_weights(case: Case, sample: np.ndarray, way: Way) -> Iterator[Finding]:
    """Yield what is left of the images where the contract could not tell, or a normalization follows."""
    contract = case.contract
    before = spread_of(sample)
    after = spread_of(way.last) if way.last is not None and way.stages else None
    if before is None or after is None or not case.input_kind.shows_images:
        return
    if after.low < BELOW_CAFFE and sample.shape[-1] == 3 and _subtracts_means(sample, way.last):
        yield CENTRED_TWICE.found(
            "train",
            expected="raw pixels 0..255: the network subtracts ImageNet's means itself",
            received=f"{before.low:.4g}..{before.high:.4g}, of which it makes {after.low:.4g}..{after.high:.4g}",
            fix=changed(case, "train", "images", "({} + [103.939, 116.779, 123.68])[..., ::-1]")
            or "Leave out preprocess_input in the data, or in the network.",
        )
        return
    if contract.scaling_is_known and not contract.normalizes_input:
        return
    if sample.shape[-1] == 3 and any(_subtracts_means(sample, each.after) for each in way.stages):
        return
    words = f"{before.low:.4g}..{before.high:.4g} become {after.low:.4g}..{after.high:.4g}"
    if after.between < LITTLE and before.between > SPREAD_BEFORE * max(before.high - before.low, 1e-12):
        fix = changed(case, "train", "images", "{} * 255") if before.high <= 1.5 else ""
        yield LITTLE_LEFT.found(
            "train",
            severity="warning" if contract.normalizes_input else "error",
            expected="images that differ at the first weights as they do in the data",
            received=f"{words}, which differ by {after.between:.2g} from image to image: scaled twice",
            fix=fix or "Leave out the scaling in the data, or in the network.",
        )
    elif (
        after.size > LARGE and not way.reader.startswith((*NORMALIZING, "Embedding")) and not contract.normalizes_input
    ):
        fix = changed(case, "train", "images", "{} / 255") if _is_mended(case, sample / 255) else ""
        yield TOO_LARGE.found(
            "train",
            expected="values of about one at the first weights",
            received=f"{words}, root mean square {after.size:.3g}",
            fix=fix or f"Put keras.layers.Rescaling(1 / {_round(after.size)}) behind {way.stages[-1].layer.name}.",
        )


def _is_mended(case: Case, sample: np.ndarray) -> bool:
    """Whether a changed sample reaches the first weights at a usual size, and differs there."""
    last = way_of(case.call.model, sample).last if case.call is not None else None
    after = spread_of(last) if last is not None else None
    return after is not None and after.size < LARGE and after.between > LITTLE


def _round(size: float) -> str:
    return f"{size:.2g}"


def _subtracts_means(before: np.ndarray, after: np.ndarray | None) -> bool:
    """Whether every colour is moved by ImageNet's mean of it, in either order of the colours."""
    if after is None or before.shape != after.shape:
        return False
    means = np.array([103.939, 116.779, 123.68])
    moved = before.reshape(-1, 3).mean(0)[::-1] - after.reshape(-1, 3).mean(0)
    kept = before.reshape(-1, 3).mean(0) - after.reshape(-1, 3).mean(0)
    return any(bool(np.abs(np.sort(each) - means).max() < 1) for each in (moved, kept))
