"""Checks of how the network will be trained: optimizer, initial weights, activations, frozen layers, the call to fit.

All but impossible ones are warnings: training would run, slowly or towards nothing. What the configuration does
not tell is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import SPARSE_LOSSES, Contract
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.finding import FaultKind, Finding
from deep_mnist.doctor.task import Task

ADAPTIVE = ("adam", "adamw", "nadam", "adamax", "rmsprop", "lion", "amsgrad")  # steps of about the rate itself
HIGH_ADAPTIVE = 0.0101  # Adam's usual rates are 1e-4 to 1e-2
HIGH_SGD = 2.0  # of rate / (1 - momentum); ResNets start at 0.1 / (1 - 0.9) = 1
HIGH_SGD_SQUASHED = 10.0  # behind sigmoids and a squared error, whose gradients are small; Nielsen's book takes 3
LOW_ADAPTIVE, LOW_SGD = 1e-6, 1e-5
ADADELTA_DEFAULT = 0.0011  # Keras's 0.001; the method is written for 1.0
FEW_UPDATES = 20  # of the weights in the whole fit
FEWEST_PER_CLASS = 8  # examples that make labels beyond the units classes, not bytes read at the wrong place
COMMON_SHARE = 0.5  # of one label: beyond it they are rather pixels
MOST_UNITS = 1000


def check_training(case: Case) -> Iterator[Finding]:
    """Yield what will keep this network from learning, as far as its file and the call to fit tell."""
    yield from _check_optimizer(case.contract)
    yield from _check_layers(case.contract)
    yield from _check_class_loss(case)
    yield from _check_units_for_labels(case)
    yield from _check_fit(case)


def _warned(
    field: str, expected: str, received: str, fix: str, why: str, *, severity: str = "warning", split: str = "model",
    kind: FaultKind = FaultKind.PLAIN,
) -> Finding:  # fmt: skip
    return Finding(
        field=field, severity=severity, split=split, expected=expected, received=received, fix=fix, why=why, kind=kind
    )


def _check_optimizer(contract: Contract) -> Iterator[Finding]:
    name, rate = str(contract.optimizer.get("name", "")), contract.optimizer.get("learning_rate")
    if not isinstance(rate, float | int):
        return
    momentum = contract.optimizer.get("momentum")
    momentum = float(momentum) if isinstance(momentum, float | int) and 0 <= momentum < 1 else 0.0
    received = f"{name} at {rate:g}" + (f" with momentum {momentum:g}" if momentum else "")
    high = "Steps are larger than the weights themselves: the loss jumps, becomes NaN, or units die."
    low = "The weights hardly move in any number of epochs that is usual."
    if name in ADAPTIVE and rate > HIGH_ADAPTIVE:
        yield _rate("a rate of 0.0001 to 0.01 for an optimizer that scales its steps", received, 0.001, high)
    elif name == "sgd" and rate / (1 - momentum) > _highest_sgd(contract):
        expected = "rate / (1 - momentum) of about 0.01 to 1"
        yield _rate(expected, f"{received}: {rate / (1 - momentum):.3g}", 0.01, high)
    elif name == "adadelta" and rate <= ADADELTA_DEFAULT:
        yield _rate("a rate near 1.0, for which Adadelta is written", f"{received}, Keras's default", 1.0, low)
    elif (name in ADAPTIVE and rate < LOW_ADAPTIVE) or (name == "sgd" and rate < LOW_SGD):
        yield _rate("a rate that moves the weights", received, 0.001 if name in ADAPTIVE else 0.01, low)


def _highest_sgd(contract: Contract) -> float:
    squashed = contract.loss == "mean_squared_error" and contract.output_activation in ("sigmoid", "softmax", "tanh")
    return HIGH_SGD_SQUASHED if squashed else HIGH_SGD


def _rate(expected: str, received: str, rate: float, why: str) -> Finding:
    return _warned("model.optimizer", expected, received, f"model.optimizer.learning_rate = {rate:g}", why)


def _check_layers(contract: Contract) -> Iterator[Finding]:
    layers = contract.architecture
    if layers.linear:
        yield _warned(
            "model.hidden_activation",
            "an activation between layers with weights",
            f"none: {layers.weight_layers} layers with weights that compute one linear function together",
            'Give the hidden layers activation="relu".',
            "Without an activation between them several layers can do no more than one.",
        )
    if layers.hidden_softmax:
        yield _warned(
            "model.hidden_activation",
            "softmax on the output only",
            f"softmax inside the network, before a dense layer: {', '.join(layers.hidden_softmax[:5])}",
            'Give the hidden layers activation="relu".',
            "Units that must sum to 1 carry little from layer to layer, and their gradients are tiny.",
        )
    if layers.constant_kernels:
        yield _warned(
            "model.initializers",
            "hidden weights that start at random",
            f"all weights of one value at the start: {', '.join(layers.constant_kernels[:5])}",
            'kernel_initializer="glorot_uniform"  # the default of Dense and Conv2D',
            "Units that start alike get the same gradient and stay alike: the layer is one unit wide, or nothing.",
        )
    if layers.all_frozen:
        yield _warned(
            "model.trainable",
            "at least one trainable layer",
            f"all {len(layers.frozen)} layers with weights are frozen",
            "for layer in model.layers: layer.trainable = True  # then compile again",
            "There is nothing to train: the loss stays where it is.",
            severity="error",
        )
    elif layers.frozen_output:
        yield _warned(
            "model.trainable",
            "a trainable output layer",
            "the last layer with weights is frozen",
            "model.layers[-1].trainable = True  # then compile again",
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
    yield _warned(
        "contract.loss",
        "categorical_crossentropy over a softmax for one of several classes",
        f"{contract.loss} over {contract.output_units} units, activation {contract.output_activation}, "
        f"with the metric {next(name for name in contract.metrics if 'acc' in name)}",
        f'model.compile(loss="{"sparse_" if sparse else ""}categorical_crossentropy", metrics=["accuracy"])'
        + ("" if contract.output_activation == "softmax" else "  # and softmax on the last layer"),
        "The squared error of a confident mistake has almost no gradient: learning is slow or stops.",
    )


def _check_units_for_labels(case: Case) -> Iterator[Finding]:
    """Labels 0..m, each frequent, for fewer units: the last layer is too narrow, not the labels wrong."""
    contract, labels = case.contract, case.train.labels
    units, classes = contract.output_units, case.train.classes
    if classes is None or labels is None or units is None or units < 2 or contract.num_classes != units:
        return
    if contract.loss not in SPARSE_LOSSES or labels.ndim > 2 or labels.size != len(classes) or classes.min() != 0:
        return
    most = int(classes.max())
    if most < units or most >= MOST_UNITS or len(classes) < FEWEST_PER_CLASS * (most + 1):
        return
    counts = np.bincount(classes.astype(np.int64), minlength=most + 1)
    if counts.min() == 0 or counts.max() > COMMON_SHARE * len(classes):
        return
    softmax = ', activation="softmax"' if contract.output_activation == "softmax" else ""
    yield _warned(
        "model.output_units",
        f"one unit per class: {most + 1} for the labels 0 to {most}",
        f"{units} units in the last layer; each label occurs at least {counts.min()} times",
        f"Dense({most + 1}{softmax})",
        "Labels beyond the last unit give NaN on a GPU and an error on a CPU.",
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
        split="train",
    )


def _number(stated: object) -> float | None:
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) and stated >= 0 else None
