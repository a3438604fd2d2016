"""Checks of the layers inside the network: activations, initial weights, normalization, frozen layers.

All but impossible ones are warnings: training would run, slowly or towards nothing. What the configuration does
not tell is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import hidden_layers
from deep_mnist.doctor.checks.network.frozen import set_in_turns, thawed
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.probe.linear_fit import is_linear_task
from deep_mnist.doctor.rule import Rule, Scope, check

BATCH_NORM_OVER_WRONG_AXIS = Rule(
    code="M010",
    name="batch-norm-over-wrong-axis",
    field="model.norm_axis",
    severity="error",
    scope=Scope.NETWORK,
    summary="A BatchNormalization normalizes another axis than the one where the layers around it keep the channels.",
    why="Means and variances would be kept per position instead of per channel; nothing would be reported, and "
    "accuracy would suffer.",
)
PYTHON_CODE_IN_LAYERS = Rule(
    code="M011",
    name="python-code-in-layers",
    field="model.normalization",
    severity="note",
    scope=Scope.NETWORK,
    summary="Lambda layers hold Python code, which is never run here and so not judged.",
    why="Keras refuses a file with code in it unless safe_mode is off, as the train step does; the code "
    "is never run here, so what it computes is not judged.",
)
HIDDEN_LAYERS_LINEAR = Rule(
    code="M040",
    name="hidden-layers-without-activation",
    field="model.hidden_activation",
    severity="warning",
    scope=Scope.NETWORK,
    summary="No activation stands between the layers with weights, so that together they are one linear function.",
    why="Without an activation between them, many layers can do no more than one.",
)
HIDDEN_SOFTMAX = Rule(
    code="M041",
    name="softmax-inside-network",
    field="model.hidden_activation",
    severity="warning",
    scope=Scope.NETWORK,
    summary="A softmax stands inside the network, before a dense layer.",
    why="Units that must sum to 1 carry little from layer to layer, and their gradients are tiny.",
)
HIDDEN_WEIGHTS_CONSTANT = Rule(
    code="M042",
    name="hidden-weights-start-alike",
    field="model.initializers",
    severity="warning",
    scope=Scope.NETWORK,
    summary="All weights of a hidden layer start at one value.",
    why="Units that start alike get the same gradient and stay alike: the layer is one unit wide, or nothing.",
)
ALL_FROZEN = Rule(
    code="M050",
    name="layers-all-frozen",
    field="model.trainable",
    severity="error",
    scope=Scope.NETWORK,
    summary="No layer with weights is trainable.",
    why="There is nothing to train: the loss stays where it is.",
)
BATCH_NORM_FROZEN = Rule(
    code="M051",
    name="batch-norm-frozen-untrained",
    field="model.trainable",
    severity="warning",
    scope=Scope.NETWORK,
    summary="A BatchNormalization behind layers that train is frozen with the statistics that it was made with.",
    why="A frozen BatchNormalization uses its stored statistics: with these it normalizes nothing.",
)
OUTPUT_FROZEN = Rule(
    code="M052",
    name="output-layer-frozen",
    field="model.trainable",
    severity="warning",
    scope=Scope.NETWORK,
    summary="The last layer with weights is not trainable.",
    why="The scores keep the random weights they started with.",
)


@check(BATCH_NORM_OVER_WRONG_AXIS)
def check_norm_axes(case: Case) -> Iterator[Finding]:
    """Yield the BatchNormalization layers whose axis is not that of the channels."""
    wrong = [layer for layer in case.contract.norm_layers if layer.channel_axis not in (None, layer.axis)]
    if not wrong:
        return
    first = wrong[0]
    names = ", ".join(layer.layer for layer in wrong[:5])
    yield BATCH_NORM_OVER_WRONG_AXIS.found(
        expected=f"BatchNormalization over axis {first.channel_axis}, where the layers around it keep the channels",
        received=f"axis {first.axis} of {first.rank} in {names}{' and more' if len(wrong) > 5 else ''}",
        fix=f"BatchNormalization(axis={first.channel_axis})",
    )


@check(PYTHON_CODE_IN_LAYERS)
def check_lambda(case: Case) -> Iterator[Finding]:
    """Yield the layers that hold Python code; of a program, where it saves its model."""
    saves = case.frame is None or ProgramText(case.frame).calls("save", "ModelCheckpoint")
    if case.contract.lambda_layers and (case.call is None or saves):
        yield PYTHON_CODE_IN_LAYERS.found(
            expected="layers that are data",
            received=f"Lambda layers, which hold Python code: {', '.join(case.contract.lambda_layers[:5])}",
            fix="Write what the Lambda layer does as an operation of keras.ops on its input, or as a Keras layer that "
            "does the same, and save again.",
        )


@check(HIDDEN_LAYERS_LINEAR, HIDDEN_SOFTMAX, HIDDEN_WEIGHTS_CONSTANT)
def check_hidden(case: Case) -> Iterator[Finding]:
    """Yield hidden layers that carry little or nothing, by their activation or their initial weights."""
    layers = case.contract.architecture
    if layers.linear and not is_linear_task(case):
        yield HIDDEN_LAYERS_LINEAR.found(
            expected="an activation between layers with weights",
            received=f"none: {layers.weight_layers} layers with weights that compute one linear function together",
            fix=hidden_layers(layers.hidden, "relu"),
        )
    if layers.hidden_softmax:
        yield HIDDEN_SOFTMAX.found(
            expected="softmax on the output only",
            received=f"softmax inside the network, before a dense layer: {', '.join(layers.hidden_softmax[:5])}",
            fix=hidden_layers(layers.hidden_softmax, "relu"),
        )
    if layers.constant_kernels:
        names = ", ".join(layers.constant_kernels[:5])
        yield HIDDEN_WEIGHTS_CONSTANT.found(
            expected="hidden weights that start at random",
            received=f"all weights of one value at the start: {names}",
            fix=f'kernel_initializer="glorot_uniform"  # the default, in {names}',
        )


@check(ALL_FROZEN, BATCH_NORM_FROZEN, OUTPUT_FROZEN)
def check_trainable(case: Case) -> Iterator[Finding]:
    """Yield layers that are frozen and should train."""
    layers = case.contract.architecture
    if layers.all_frozen:
        mended = f"{thawed(case)}; model.compile(optimizer=model.optimizer, loss=model.loss)"
        yield ALL_FROZEN.found(
            expected="at least one trainable layer",
            received=f"all {len(layers.frozen)} layers with weights are frozen",
            fix=set_in_turns(case) or f"{mended}  # in this order",
        )
    elif layers.stale_norms:
        yield BATCH_NORM_FROZEN.found(
            expected="BatchNormalization with statistics of its own where layers before it train",
            received=f"{', '.join(layers.stale_norms[:5])}: "
            "frozen with the mean 0 and variance 1 that they were made with",
            fix="Unfreeze every BatchNormalization (layer.trainable = True), "
            "or first load weights it was trained with.",
        )
    elif layers.frozen_output:
        yield OUTPUT_FROZEN.found(
            expected="a trainable output layer",
            received="the last layer with weights is frozen",
            fix="model.layers[-1].trainable = True; model.compile(optimizer=model.optimizer, loss=model.loss)",
        )
