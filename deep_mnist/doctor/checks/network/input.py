"""Checks of what lies between one input and the layers that it meets first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.live.first_layers import way_of
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

OF_APPLICATIONS = ("stem_conv", "stem_bn")  # of EfficientNet, behind its own Rescaling and Normalization
OF_CONVNEXT = "_prestem_normalization"
MOST_CHANNELS, LARGER, SMALLEST = 16, 4, 12  # axis of channels; by how much rows and columns are longer, and at least
SAMPLE = 32  # images looked at
SMOOTH, ALIKE = 0.2, 0.25  # correlation of neighbouring pixels, and by how much rows and columns may differ in it

DATA_FORMAT_MIXED = Rule(
    code="M001",
    name="data-format-mixed",
    field="model.data_format",
    severity="error",
    scope=Scope.NETWORK_INPUT,
    summary="A layer looks for the channels on another axis than the input, or the next layer, has them on.",
    why="Convolutions would slide over the channels as if they were positions; nothing would be reported.",
)
NORMALIZATION_NOT_ADAPTED = Rule(
    code="M002",
    name="normalization-not-adapted",
    field="model.normalization",
    severity="warning",
    scope=Scope.NETWORK_INPUT,
    summary="A Normalization layer has never seen the training data: its mean is 0 and its variance 1.",
    why="The layer would pass its input on unscaled.",
)
CHANNELS_FIRST = Rule(
    code="M068",
    name="network-built-for-channels-first",
    field="model.data_format",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    follows=(Follows(rules=("M001",), on=On.MODEL),),
    summary="Images have their channels on the first axis, and the network was built for that shape with convolutions "
    "that take the last axis for the channels.",
    why="Convolutions slide over channels and rows, and mix all columns as if they were channels: nothing is reported.",
)


@check(DATA_FORMAT_MIXED, NORMALIZATION_NOT_ADAPTED)
def check_input(case: Case) -> Iterator[Finding]:
    """Yield what is wrong between one input and the layers that it meets first."""
    contract = case.contract
    for fault in contract.input_faults:
        yield DATA_FORMAT_MIXED.found(
            expected="one data_format in all layers, with the channels where the input has them",
            received=fault,
            fix='Give every Conv2D and pooling layer data_format="channels_last" and Input((rows, columns, channels)).',
        )
    if contract.normalization == "not adapted" and not _is_of_applications(case):
        yield NORMALIZATION_NOT_ADAPTED.found(
            severity="note" if contract.scales_inside else "warning",  # behind a Rescaling it is merely of no use
            expected="a Normalization layer that has seen the training data",
            received="one whose mean is 0 and variance 1: adapt() was never called",
            fix="normalization.adapt(train_images)  # before the model is saved",
        )


def _is_of_applications(case: Case) -> bool:
    """Whether the Normalization is part of a network of keras.applications, which nobody adapts."""
    layers = getattr(case.call.model, "_flatten_layers", None) if case.call is not None else None
    names = [str(each.name) for each in layers()] if callable(layers) else []
    return any(each in OF_APPLICATIONS or OF_CONVNEXT in each for each in names)


@check(CHANNELS_FIRST)
def check_channels_last(case: Case, split: Split) -> Iterator[Finding]:
    """Yield square pictures, smooth along their last two axes alike, that reach a Conv2D with their channels first."""
    images, call = split.images, case.call
    if split.name != "train" or images is None or images.ndim != 4 or images.dtype.kind not in REAL_KINDS:
        return
    if call is None or case.contract.layout != "channels_last" or not _is_channels_first(images.shape[1:]):
        return
    some = take(images, sample_indices(len(images), SAMPLE)).astype(np.float32)
    way = way_of(call.model, some[:2])
    if "Conv2D" not in way.reader or way.last is None or way.last.shape[1:] != some.shape[1:]:
        return
    rows, columns = _likeness(some, 2), _likeness(some, 3)
    if min(rows, columns) < SMOOTH or abs(rows - columns) > ALIKE:
        return
    channels, *sides = images.shape[1:]
    yield CHANNELS_FIRST.found(
        "train",
        expected=f"images of ({sides[0]}, {sides[1]}, {channels}) for a {way.reader} that reads channels last",
        received=f"images of ({channels}, {sides[0]}, {sides[1]}), smooth along both of the last two axes",
        fix="Write train_images = np.moveaxis(train_images, 1, -1) before the model is made, for all splits, and "
        f"Input(({sides[0]}, {sides[1]}, {channels})).",
    )


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    channels, rows, columns = shape
    return channels <= MOST_CHANNELS and rows == columns >= max(LARGER * channels, SMALLEST)


def _likeness(images: np.ndarray, axis: int) -> float:
    """Return the correlation of neighbours along an axis, within each channel of each image, on the mean."""
    planes = images - images.mean(axis=(2, 3), keepdims=True)
    planes /= np.maximum(images.std(axis=(2, 3), keepdims=True), 1e-9)
    turned = np.moveaxis(planes, axis, -1)
    return float((turned[..., 1:] * turned[..., :-1]).mean())
