"""Checks of what lies between one input and the layers that it meets first; no data needed."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Rule, Scope, check

OF_APPLICATIONS = ("stem_conv", "stem_bn")  # of EfficientNet, behind its own Rescaling and Normalization
OF_CONVNEXT = "_prestem_normalization"

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
