"""Checks of the network by itself; no data needed."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.network.model_finding import model_finding
from deep_mnist.doctor.checks.network.output import check_output
from deep_mnist.doctor.finding import Finding


def check_model(case: Case) -> Iterator[Finding]:
    """Yield what is wrong with the network whatever the data."""
    contract = case.contract
    yield from check_input(case)
    yield from _check_norm_axes(contract)
    yield from _check_lambda(contract)
    yield from check_output(case)
    yield from _check_unknown(contract)


def check_input(case: Case) -> Iterator[Finding]:
    """Yield what is wrong between one input and the layers that it meets first."""
    contract = case.contract
    for fault in contract.input_faults:
        yield model_finding(
            "model.data_format",
            "error",
            "one data_format in all layers, with the channels where the input has them",
            fault,
            'Give every Conv2D and pooling layer data_format="channels_last" and Input((rows, columns, channels)).',
            "Convolutions would slide over rows and channels instead of the image; nothing would be reported.",
        )
    if contract.normalization == "not adapted":
        yield model_finding(
            "model.normalization",
            "note" if contract.scales_inside else "warning",  # behind a Rescaling it is merely of no use
            "a Normalization layer that has seen the training data",
            "one whose mean is 0 and variance 1: adapt() was never called",
            "normalization.adapt(train_images)  # before the model is saved",
            "The layer would pass pixels on unscaled.",
        )


def _check_norm_axes(contract: Contract) -> Iterator[Finding]:
    wrong = [layer for layer in contract.norm_layers if layer.channel_axis not in (None, layer.axis)]
    if not wrong:
        return
    first = wrong[0]
    names = ", ".join(layer.layer for layer in wrong[:5])
    yield model_finding(
        "model.norm_axis",
        "error",
        f"BatchNormalization over axis {first.channel_axis}, where the layers around it keep the channels",
        f"axis {first.axis} of {first.rank} in {names}{' and more' if len(wrong) > 5 else ''}",
        f"BatchNormalization(axis={first.channel_axis})",
        "Means and variances would be kept per row or column of the image instead of per channel; nothing would be "
        "reported, and accuracy would suffer.",
    )


def _check_lambda(contract: Contract) -> Iterator[Finding]:
    if contract.lambda_layers:
        yield model_finding(
            "model.normalization",
            "note",
            "layers that are data, such as Rescaling",
            f"Lambda layers, which hold Python code: {', '.join(contract.lambda_layers[:5])}",
            "Replace the Lambda layer by a Keras layer or operation, such as Rescaling(1/255), and save again.",
            "Keras refuses a file with code in it unless safe_mode is off, as the train step does; the code "
            "is never run here, so what it computes is not judged.",
        )


def _check_unknown(contract: Contract) -> Iterator[Finding]:
    """Name what could not be derived, or is stated in two ways, instead of guessing it."""
    for conflict in contract.conflicts:
        field = "contract.from_logits" if conflict.startswith("from_logits") else "contract.loss"
        yield model_finding(
            field,
            "note",
            "one statement of the loss",
            conflict,
            "Compile the model and write contract.json with the same loss.",
            "Only one of the two can be what training used; contract.json is believed.",
        )
    for unknown in contract.unknown:
        topic = unknown.partition(":")[0]
        field = {
            "input_shape": "model.input_shape",
            "input scaling": "model.normalization",
            "normalization": "model.normalization",
            "output_units": "model.output_units",
            "output_activation": "model.output_activation",
            "loss": "contract.loss",
        }.get(topic, "model.input_shape")
        yield model_finding(
            field,
            "note",
            f"a model that tells its {topic}",
            unknown,
            "Tell it in a contract file: deep_mnist/contract/builtin/ has examples.",
            "What is not known is not judged.",
        )
