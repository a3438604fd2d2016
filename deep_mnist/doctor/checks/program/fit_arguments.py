"""Checks of how the network will be trained: optimizer, initial weights, activations, frozen layers, the call to fit.

All but impossible ones are warnings: training would run, slowly or towards nothing. What the configuration does
not tell is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from deep_mnist.contract.losses import BINARY_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import compiled_with, hidden_layers, last_layer
from deep_mnist.doctor.checks.network.optimizer import check_optimizer
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import FaultKind, Finding
from deep_mnist.doctor.probe.linear_fit import is_linear_task

FEW_UPDATES = 20  # of the weights in the whole fit
FEWEST_PER_CLASS = 8  # examples that make labels beyond the units classes, not bytes read at the wrong place
COMMON_SHARE = 0.5  # of one label: beyond it they are rather pixels
MOST_UNITS = 1000


def check_training(case: Case) -> Iterator[Finding]:
    """Yield what will keep this network from learning, as far as its file and the call to fit tell."""
    yield from check_optimizer(case)
    yield from _check_hidden(case)
    yield from _check_trainable(case)
    yield from check_classes(case)
    yield from _check_fit(case)


def check_classes(case: Case) -> Iterator[Finding]:
    """Yield a loss that is not for classes, and an output too narrow for the labels seen."""
    yield from _check_class_loss(case)
    yield from _check_units_for_labels(case)


def _warned(
    field: str, expected: str, received: str, fix: str, why: str, *, severity: str = "warning", split: str = "model",
    kind: FaultKind = FaultKind.PLAIN,
) -> Finding:  # fmt: skip
    return Finding(
        field=field, severity=severity, split=split, expected=expected, received=received, fix=fix, why=why, kind=kind
    )


def _check_hidden(case: Case) -> Iterator[Finding]:
    layers = case.contract.architecture
    if layers.linear and not is_linear_task(case):
        yield _warned(
            "model.hidden_activation",
            "an activation between layers with weights",
            f"none: {layers.weight_layers} layers with weights that compute one linear function together",
            hidden_layers(layers.hidden, "relu"),
            "Without an activation between them several layers can do no more than one.",
        )
    if layers.hidden_softmax:
        yield _warned(
            "model.hidden_activation",
            "softmax on the output only",
            f"softmax inside the network, before a dense layer: {', '.join(layers.hidden_softmax[:5])}",
            hidden_layers(layers.hidden_softmax, "relu"),
            "Units that must sum to 1 carry little from layer to layer, and their gradients are tiny.",
        )
    if layers.constant_kernels:
        yield _warned(
            "model.initializers",
            "hidden weights that start at random",
            f"all weights of one value at the start: {', '.join(layers.constant_kernels[:5])}",
            f'kernel_initializer="glorot_uniform"  # the default, in {", ".join(layers.constant_kernels[:5])}',
            "Units that start alike get the same gradient and stay alike: the layer is one unit wide, or nothing.",
        )


def _check_trainable(case: Case) -> Iterator[Finding]:
    layers = case.contract.architecture
    if layers.all_frozen:
        yield _warned(
            "model.trainable",
            "at least one trainable layer",
            f"all {len(layers.frozen)} layers with weights are frozen",
            "model.trainable = True; model.compile(optimizer=model.optimizer, loss=model.loss)  # in this order",
            "There is nothing to train: the loss stays where it is.",
            severity="error",
        )
    elif layers.stale_norms:
        yield _warned(
            "model.trainable",
            "BatchNormalization with statistics of its own where layers before it train",
            f"{', '.join(layers.stale_norms[:5])}: frozen with the mean 0 and variance 1 that they were made with",
            "Unfreeze every BatchNormalization (layer.trainable = True), or first load weights it was trained with.",
            "A frozen BatchNormalization uses its stored statistics: with these it normalizes nothing.",
        )
    elif layers.frozen_output:
        yield _warned(
            "model.trainable",
            "a trainable output layer",
            "the last layer with weights is frozen",
            "model.layers[-1].trainable = True; model.compile(optimizer=model.optimizer, loss=model.loss)",
            "The scores keep the random weights they started with.",
        )


def _check_class_loss(case: Case) -> Iterator[Finding]:
    """A squared error for one of several classes; only where a metric says that classes are meant."""
    contract = case.contract
    classes = case.task is Task.CLASSES and (contract.output_units or 0) > 2
    counted = any("acc" in name for name in contract.metrics)
    if not (classes and counted and contract.loss in ("mean_squared_error", "mean_absolute_error")):
        return
    if contract.output_activation not in ("softmax", "linear"):
        return
    sparse = case.train.labels is not None and case.train.labels.ndim == 1
    loss = f"{'sparse_' if sparse else ''}categorical_crossentropy"
    yield _warned(
        "contract.loss",
        "categorical_crossentropy over a softmax for one of several classes",
        f"{contract.loss} over {contract.output_units} units, activation {contract.output_activation}, "
        f"with the metric {next(name for name in contract.metrics if 'acc' in name)}",
        compiled_with(contract, loss, from_logits=contract.output_activation == "linear"),
        "The squared error of a confident mistake has almost no gradient: learning is slow or stops.",
    )


def _check_units_for_labels(case: Case) -> Iterator[Finding]:
    """Labels 0..m, each frequent, for fewer units: the last layer is too narrow, not the labels wrong."""
    contract, labels = case.contract, case.train.labels
    units, classes = contract.output_units, case.train.classes
    if classes is None or labels is None or units is None or labels.size != len(classes):
        return
    tally = classes.tally
    yes_or_no = units == 1 and contract.loss in BINARY_LOSSES
    if not yes_or_no and (units < 2 or contract.num_classes != units or contract.loss not in SPARSE_LOSSES):
        return
    most = int(tally.values[-1])
    if (
        tally.values[0] != 0
        or not tally.complete
        or most < max(units, 2)
        or most >= MOST_UNITS
        or len(classes) < FEWEST_PER_CLASS * (most + 1)
    ):
        return
    counts = tally.counts
    if len(counts) <= most or counts.max() > COMMON_SHARE * len(classes):
        return
    yield _warned(
        "model.output_units",
        f"one unit per class: {most + 1} for the labels 0 to {most}",
        f"{units} unit{'s' if units > 1 else ''} in the last layer; each label occurs at least {counts.min()} times",
        f"{last_layer(most + 1, 'softmax')}; {compiled_with(contract, SPARSE_LOSSES[0])}"
        if yes_or_no
        else last_layer(most + 1, "softmax" if contract.output_activation == "softmax" else None),
        "One unit answers yes or no: with targets beyond 1 the loss has no minimum and falls below zero."
        if yes_or_no
        else "Labels beyond the last unit give NaN on a GPU and an error on a CPU.",
        severity="error",
        kind=FaultKind.TOO_FEW_UNITS,
    )


# --- the call to fit -----------------------------------------------------------------------------


def _check_fit(case: Case) -> Iterator[Finding]:
    count = len(case.train.images) if case.train.images is not None and case.train.images.ndim else 0
    split = _number(case.fit.get("validation_split")) or 0.0
    if not 0 <= split < 1:
        yield _warned(
            "fit.validation",
            "validation_split from 0 to below 1",
            f"{split:g}",
            "model.fit(..., validation_split=0.1)",
            "Keras refuses it, or no example is left to train on.",
        )
        return
    batch, epochs = _number(case.fit.get("batch_size")), _number(case.fit.get("epochs"))
    if batch == 1 and case.contract.architecture.dense_norms:
        yield _warned(
            "fit.batch_size",
            "several examples a batch for BatchNormalization over examples",
            f"batch_size=1 with {case.contract.architecture.dense_norms[0]}",
            "model.fit(..., batch_size=32)",
            "One example less its own mean is 0: the layer passes on nothing of it.",
        )
    steps = _number(case.fit.get("steps_per_epoch")) or math.ceil(count * (1 - split) / max(batch or 32, 1))
    if not epochs or not count or steps * epochs >= FEW_UPDATES:
        return
    whole = steps == 1 and count > 64 and batch is not None
    yield _warned(
        "fit.batch_size" if whole else "fit.epochs",
        f"at least some tens of updates of the weights (a floor of {FEW_UPDATES})",
        f"{int(steps * epochs)}: {int(epochs)} epochs of {int(steps)} batches",
        "model.fit(..., batch_size=32)" if whole else f"model.fit(..., epochs={math.ceil(10 * FEW_UPDATES / steps)})",
        "Each update moves the weights by about the learning rate: after so few the network is nearly untrained.",
        severity="note" if epochs == 1 and case.fit.get("may_repeat") else "warning",  # one of many calls, in a loop
        split="train",
    )


def _number(stated: object) -> float | None:
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) and stated >= 0 else None
