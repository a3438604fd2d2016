"""Labels that a loss cannot compare with the output: both shapes, and the loss or layer that makes them alike."""

from __future__ import annotations

import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, layers_of
from deep_mnist.doctor.checks.crashes.fitting import last_layer
from deep_mnist.doctor.checks.crashes.layers import RECURRENT, Shape, parsed_shape
from deep_mnist.doctor.checks.crashes.rules import TARGET_SHAPE
from deep_mnist.doctor.checks.crashes.source_code import (
    argument,
    assigned,
    shape_text,
    spoken,
    told,
    with_first,
    with_keywords,
)
from deep_mnist.doctor.finding import Finding

PAIRS = (
    re.compile(r"target\.shape=(\([^)]*\)), output\.shape=(\([^)]*\))", re.S),
    re.compile(r"y_true\.shape=(\([^)]*\)).*?y_pred\.shape=(\([^)]*\))", re.S),
    re.compile(r"Shapes (\([^)]*\)) and (\([^)]*\)) are incompatible"),
    re.compile(r"labels\.shape=(\([^)]*\)).*?logits\.shape=(\([^)]*\))", re.S),
)
OUTPUT_FIRST = (re.compile(r"logits` and `labels` must have the same shape, received \((\(.*?\)) vs (\(.*?\))\)"),)
IN_LOSS = re.compile(r"compile_loss/\w+.*?input shapes: (\[[^\]]*\]), (\[[^\]]*\])", re.S)
LOSSES = re.compile(r"(sparse_categorical|categorical|binary)_crossentropy|mean_squared_error|mse")


def explain_target(crash: Crash) -> Finding | None:
    """Name the labels' and the output's shapes, and what makes them alike."""
    pair = _pair(crash)
    if pair is None:
        return None
    target, output = pair
    loss = _loss(crash)
    y = argument(crash, 1, "y")
    return TARGET_SHAPE.found(
        "train",
        expected=f"labels that {loss or 'the loss'} can compare with the output {shape_text(output)}"
        f"{' of ' + told(last_layer(crash.model)) if last_layer(crash.model) is not None else ''}",
        received=f"{y} of {shape_text(target)}",
        fix=_mend(crash, target, output, loss),
    )


def _pair(crash: Crash) -> tuple[Shape, Shape] | None:
    for pattern in PAIRS[: None if crash.model is not None else -1]:
        if (match := pattern.search(crash.text)) is not None:
            return parsed_shape(match.group(1)), parsed_shape(match.group(2))
    for pattern in OUTPUT_FIRST:
        if (match := pattern.search(crash.text)) is not None:
            return parsed_shape(match.group(2)), parsed_shape(match.group(1))
    if (match := IN_LOSS.search(crash.text)) is not None:
        one, other = parsed_shape(match.group(1)), parsed_shape(match.group(2))
        output = _output(crash.model)
        if output is not None and len(output) == len(one) and output[1:] == one[1:] and output[1:] != other[1:]:
            return other, one
        return one, other
    return None


def _output(model: Any) -> Shape | None:
    try:
        return tuple(model.outputs[0].shape)
    except (AttributeError, TypeError, IndexError):
        return None


def _loss(crash: Crash) -> str:
    for step in reversed(crash.steps):
        if LOSSES.fullmatch(step.function):
            return step.function
    stated = getattr(crash.model, "loss", None)
    name = stated if isinstance(stated, str) else getattr(stated, "name", None) or getattr(stated, "__name__", "")
    return str(name or "")


def _mend(crash: Crash, target: Shape, output: Shape, loss: str) -> str:
    last = last_layer(crash.model)
    y = argument(crash, 1, "y")
    classes = output[-1] or 0
    plain = len(target) == 1 or (len(target) == 2 and target[-1] == 1)
    if len(output) == 2 and classes > 1 and plain and not loss.startswith("sparse"):
        if "crossentropy" in loss or getattr(getattr(last, "activation", None), "__name__", "") == "softmax":
            return 'loss="sparse_categorical_crossentropy"  # for class numbers, in compile()'
        return f"{with_first(crash, last, 1)}  # one number an example, as {y} holds"
    if loss.startswith("sparse") and len(target) == len(output) == 2 and (target[-1] or 0) > 1:
        if target[-1] == classes:
            return 'loss="categorical_crossentropy"  # for one-hot rows, in compile()'
    if len(output) > len(target) and len(output) > 2:
        return _mend_rank(crash, last)
    if len(output) == len(target) >= 2 and output[-1] != target[-1] and target[-1] and hasattr(last, "units"):
        return f"{with_first(crash, last, target[-1])}  # a unit for each of the {target[-1]} columns of {y}"
    if len(output) == len(target) == 4 and hasattr(last, "filters") and target[1:3] == output[1:3] and target[-1]:
        return f"{with_first(crash, last, target[-1])}  # a map for each of the {target[-1]} channels of {y}"
    if len(target) == len(output) + 1 and target[-1] == 1:
        return assigned(y, f"{y}[..., 0]")
    if len(target) > len(output) == 2:
        return f"{assigned(y, f'{y}.reshape(len({y}), -1)')}  # rows; or a network whose output has their axes"
    wanted, has = shape_text((None, *target[1:])), shape_text((None, *output[1:]))
    return f"Make the last layer's output {wanted}, or the labels {has}."


def _mend_rank(crash: Crash, last: Any) -> str:
    """The output keeps axes that the labels do not have: of a sequence, or of maps."""
    held = [each for each in layers_of(crash.model)]
    recurrent = [each for each in held if type(each).__name__ in RECURRENT]
    if recurrent and getattr(getattr(recurrent[-1], "forward_layer", recurrent[-1]), "return_sequences", False):
        layer = getattr(recurrent[-1], "forward_layer", recurrent[-1])
        last_only = with_keywords(crash, layer, return_sequences="False")
        return f"{last_only}  # of {told(recurrent[-1])}: its last output alone"
    flat = spoken(crash, "Flatten")
    return f"{flat}(),  # before {told(last) if last is not None else 'the last layer'}: one row an example"
