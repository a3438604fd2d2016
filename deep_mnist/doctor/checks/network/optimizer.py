"""Checks of the learning rate against the optimizer, the network and the size of what is fed.

An optimizer that scales its steps (Adam and its kin) moves every weight by about the rate: a unit that sums n inputs of
size s is moved by up to rate * n * s in one step. Rates that are too high for a network of hundreds of units are usual
for one of four, such as XOR's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.probe.linear_fit import is_linear_task
from deep_mnist.doctor.rule import Rule, Scope, check

ADAPTIVE = ("adam", "adamw", "nadam", "adamax", "rmsprop", "lion", "amsgrad")  # steps of about the rate itself
HIGH_ADAPTIVE = 0.0101  # Adam's usual rates are 1e-4 to 1e-2
HIGHEST_ADAPTIVE = 0.5  # whatever the network
MOST_REACH = 2.0  # by which one step may move a unit's sum; XOR with 16 units at 0.1 has 1.6
HIGH_SGD = 2.0  # of rate / (1 - momentum); ResNets start at 0.1 / (1 - 0.9) = 1
HIGH_SGD_SQUASHED = 10.0  # behind sigmoids and a squared error, whose gradients are small; Nielsen's book takes 3
LOW_ADAPTIVE, LOW_SGD = 1e-6, 1e-5
ADADELTA_DEFAULT = 0.0011  # Keras's 0.001; the method is written for 1.0
SAMPLE = 500  # examples whose size is looked at

RATE_TOO_HIGH = Rule(
    code="M030",
    name="learning-rate-too-high",
    field="model.optimizer",
    severity="warning",
    scope=Scope.NETWORK,
    summary="The learning rate is far above those that this optimizer and a network of this size are trained with.",
    why="Steps are larger than the weights themselves: the loss jumps, becomes NaN, or units die.",
)
RATE_TOO_LOW = Rule(
    code="M031",
    name="learning-rate-too-low",
    field="model.optimizer",
    severity="warning",
    scope=Scope.NETWORK,
    summary="The learning rate is so small that the weights stay where they start.",
    why="The weights hardly move in any number of epochs that is usual.",
)
ADADELTA_AT_DEFAULT_RATE = Rule(
    code="M032",
    name="adadelta-at-default-rate",
    field="model.optimizer",
    severity="warning",
    scope=Scope.NETWORK,
    summary="Adadelta runs at Keras's default rate of 0.001, a thousandth of the rate that the method is written for.",
    why="The weights hardly move in any number of epochs that is usual.",
)


@check(RATE_TOO_HIGH, RATE_TOO_LOW, ADADELTA_AT_DEFAULT_RATE)
def check_optimizer(case: Case) -> Iterator[Finding]:
    """Yield a rate that is far from what its optimizer and this network are trained with."""
    contract = case.contract
    name, rate = str(contract.optimizer.get("name", "")), contract.optimizer.get("learning_rate")
    if not isinstance(rate, float | int) or _is_set_by_callback(case):
        return
    momentum = contract.optimizer.get("momentum")
    momentum = float(momentum) if isinstance(momentum, float | int) and 0 <= momentum < 1 else 0.0
    received = f"{name} at {rate:g}" + (f" with momentum {momentum:g}" if momentum else "")
    if name in ADAPTIVE and rate > HIGH_ADAPTIVE:
        if rate >= HIGHEST_ADAPTIVE or not _is_small(case, rate):
            expected = "a rate of 0.0001 to 0.01 for an optimizer that scales its steps"
            yield RATE_TOO_HIGH.found(expected=expected, received=received, fix=_set_to(0.001))
    elif name == "sgd" and rate / (1 - momentum) > _highest_sgd(contract):
        expected, received = "rate / (1 - momentum) of about 0.01 to 1", f"{received}: {rate / (1 - momentum):.3g}"
        yield RATE_TOO_HIGH.found(expected=expected, received=received, fix=_set_to(0.01))
    elif name == "adadelta" and rate <= ADADELTA_DEFAULT:
        expected, received = "a rate near 1.0, for which Adadelta is written", f"{received}, Keras's default"
        yield ADADELTA_AT_DEFAULT_RATE.found(expected=expected, received=received, fix=_set_to(1.0))
    elif (name in ADAPTIVE and rate < LOW_ADAPTIVE) or (name == "sgd" and rate < LOW_SGD):
        usual = 0.001 if name in ADAPTIVE else 0.01
        yield RATE_TOO_LOW.found(expected="a rate that moves the weights", received=received, fix=_set_to(usual))


def _is_set_by_callback(case: Case) -> bool:
    """Whether a LearningRateScheduler sets the rate before the first update."""
    callbacks = case.call.arguments.get("callbacks") if case.call is not None else None
    held = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    return any(kind.__name__ == "LearningRateScheduler" for each in held for kind in type(each).__mro__)


def _is_small(case: Case, rate: float) -> bool:
    """Whether a step of this rate moves no unit far: few inputs a unit, or one convex problem."""
    layers = case.contract.architecture
    if case.input_kind is not InputKind.COLUMNS or layers.fan_in is None:
        return False
    if layers.weight_layers == 1 or (layers.linear and is_linear_task(case)):
        return True
    return rate * max(layers.fan_in, size_of_columns(case)) <= MOST_REACH


def size_of_columns(case: Case) -> float:
    """Return the sum of the columns' sizes (root mean squares) as the first weights see them, 0.0 without columns."""
    images, contract = case.train.images, case.contract
    if images is None or images.dtype.kind not in "fiub" or contract.normalizes_input or not len(images):
        return 0.0
    values = take(images, sample_indices(len(images), SAMPLE)).reshape(min(len(images), SAMPLE), -1)
    seen = values.astype(np.float64) * contract.pixel_scale + contract.pixel_offset
    return float(np.sqrt(np.square(np.nan_to_num(seen)).mean(axis=0)).sum())


def _highest_sgd(contract: Contract) -> float:
    squashed = contract.loss == "mean_squared_error" and contract.output_activation in ("sigmoid", "softmax", "tanh")
    return HIGH_SGD_SQUASHED if squashed else HIGH_SGD


def _set_to(rate: float) -> str:
    return f"model.optimizer.learning_rate = {rate:g}"
