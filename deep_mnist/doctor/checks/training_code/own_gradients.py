"""Check of operations of one's own within a network: the first gradients of its weights are to be numbers."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of, step_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers
from deep_mnist.doctor.evidence.live.own_step import recording
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

ROWS, FEWEST = 256, 4
OPERATIONS = 4e9  # multiplications of all rows: a second or two on a processor
OF_SCORES = 32  # likewise of softmax and dropout on a score
# Operations of Keras's whose gradients are numbers wherever their arguments are.
FINITE = (
    "Add", "Subtract", "Multiply", "Negative", "Concatenate", "Stack", "Reshape", "Transpose", "GetItem", "ExpandDims",
    "Squeeze", "Mean", "Sum", "Max", "Min", "Matmul", "Einsum", "Cast", "Relu", "Sigmoid", "Tanh", "Softmax", "Tile",
    "Repeat", "Flip", "Maximum", "Minimum", "Absolute", "Take", "Swapaxes", "BroadcastTo",
)  # fmt: skip
NOT_NUMBERS = Rule(
    code="P077",
    name="gradient-not-finite-at-once",
    field="rehearsal.gradients",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    summary="On the first rows an operation of one's own within the network has a gradient that is NaN or infinite.",
    why="The first update makes the weights NaN, and the loss is NaN from then on.",
    follows=(
        Follows(
            fields=("contract.loss", "images.finite", "labels.finite", "images.range"), on=On.ANY_SPLIT, least="error"
        ),
    ),
)
# What keeps the argument of a function where its gradient is finite, in Keras's operations and in TensorFlow's.
KEPT_OFF = {
    **dict.fromkeys(("arccos", "acos", "arcsin", "asin"), ("clip({}, -0.999999, 0.999999)",
                                                           "clip_by_value({}, -0.999999, 0.999999)")),
    **dict.fromkeys(("sqrt", "rsqrt", "log"), ("maximum({}, 1e-7)", "maximum({}, 1e-7)")),
}  # fmt: skip
OTHER_CAUSES = ("norm", "divide", "true_divide", "pow", "power", "arctanh", "atanh", "l2_normalize")


@check(NOT_NUMBERS)
def check_first_gradients(case: Case) -> Iterator[Finding]:
    """Yield gradients that are no numbers, of a network that holds more than layers of Keras's."""
    if not can_be_tried(case) or case.call is None or step_of(case) is not None or not holds_own(case.call.model):
        return
    x, y = rows_of(case, most_rows(case))
    if x is None or y is None or not all(np.isfinite(each).all() for each in (*_arrays(x), y)):
        return
    loss, lost = _tried(case.call.model, x, y)
    if not lost:
        return
    causes = causes_in(case)
    yield NOT_NUMBERS.found(
        expected="finite gradients of all weights",
        received=f"on {len(y)} rows a loss of {loss:.4g}, and NaN or infinite gradients of {', '.join(lost[:3])}"
        + (f"; likely of {ast.unparse(causes[0][1].func)} ({causes[0][0].at(causes[0][1])})" if causes else ""),
        fix=kept_off(causes),
    )


def most_rows(case: Case) -> int:
    """Return how many rows are tried: about as many as a network multiplies for in a second or two.

    Each weight counts once for each place it is at, in attention each pair of places for each number of a head. Where
    no output tells the places, a convolution's are all pixels, and any other layer's the steps of a sequence.
    """
    model, images = case.call.model if case.call is not None else None, case.train.images
    sides = images.shape[1:] if images is not None else ()
    steps = sides[:1] if len(sides) < 3 else ()
    count = 1.0
    for layer in all_layers(model):
        shape = getattr(layer.output, "shape", None) if _has_output(layer) else None
        known = [each for each in tuple(shape or ())[1:-1] if isinstance(each, int)]
        for each in vars(layer).get("_trainable_variables", ()):
            if len(each.shape) > 1:
                count += math.prod(each.shape) * math.prod(known or sides[: len(each.shape) - 2] or steps)
        if "Attention" in type(layer).__name__:
            count += math.prod(known or steps) ** 2 * _width_of_attention(layer)
    return int(min(ROWS, max(FEWEST, OPERATIONS / count)))


def _width_of_attention(layer: Any) -> int:
    """Return how many numbers are multiplied for a pair of places: of all heads, for the scores and the values."""
    heads, size = getattr(layer, "_num_heads", 1), getattr(layer, "_key_dim", 64)
    return 2 * int(heads) * (int(size) + OF_SCORES)


def _has_output(layer: Any) -> bool:
    try:
        return layer.output is not None
    except (AttributeError, ValueError):  # of a layer that no graph holds
        return False


def _arrays(x: Any) -> list[np.ndarray]:
    return list(x.values()) if isinstance(x, dict) else list(x) if isinstance(x, list) else [x]


def holds_own(model: Any) -> bool:
    """Whether a part of a network is no layer of Keras's: a Lambda, a class of one's own, an operation by itself.

    Operations whose gradients are always numbers, as the sum of a residual connection, do not count.
    """
    keras = sys.modules["keras"]
    parts = [model, *(each for part in all_layers(model) for each in _operations(part))]
    return any(
        type(each).__name__ == "Lambda"
        or (not isinstance(each, keras.layers.Layer) and type(each).__name__ not in FINITE)
        or not type(each).__module__.startswith(OF_KERAS)
        for each in parts
    )


def _operations(part: Any) -> list[Any]:
    return [part, *(getattr(part, "operations", None) or ())]


def _tried(model: Any, x: Any, y: np.ndarray) -> tuple[float, list[str]]:
    """Return the loss of some rows, and the weights whose gradients are not finite; none where anything raises.

    None either where the loss alone is no number: of targets that it does not take, or of code of its own.
    """
    tf = sys.modules["tensorflow"]
    inputs, targets = tf.nest.map_structure(tf.convert_to_tensor, x), tf.convert_to_tensor(y)
    with recording(), unchanged(model):
        try:
            with tf.GradientTape() as tape:
                made = model(inputs, training=True)
                loss = model.compute_loss(x=inputs, y=targets, y_pred=made)
            if not np.isfinite(float(loss)) and np.isfinite(np.asarray(made)).all():
                return 0.0, []
            weights = model.trainable_weights
            gradients = tape.gradient(loss, [each.value for each in weights])
            lost = [each.path for each, gradient in zip(weights, gradients, strict=True) if not _is_finite(gradient)]
            return float(loss), lost
        except Exception:  # the user's own code may raise anything, and does so in fit
            return 0.0, []


def _is_finite(gradient: Any) -> bool:
    held = getattr(gradient, "values", gradient)  # of the rows of an Embedding alone
    return held is None or bool(np.isfinite(np.asarray(held)).all())


def causes_in(case: Case) -> list[tuple[ProgramText, ast.Call]]:
    """Return the calls of functions with gradients that end somewhere; those of numpy are not in the network."""
    if case.frame is None:
        return []
    text = ProgramText(case.frame)
    found = [each for each in text.calls(*KEPT_OFF, *OTHER_CAUSES) if isinstance(each.func, ast.Attribute)]
    return [(text, each) for each in found if ast.unparse(each.func).split(".")[0] not in ("np", "numpy", "math")]


def kept_off(causes: list[tuple[ProgramText, ast.Call]]) -> str:
    """Return the statement in which the only cause stays off the end; a sentence where there are several."""
    if len(causes) == 1 and called(causes[0][1]) in KEPT_OFF and len(causes[0][1].args) == 1:
        text, call = causes[0]
        owner = ast.unparse(call.func.value)  # type: ignore[attr-defined]
        of_keras, of_tensorflow = KEPT_OFF[called(call)]
        library, kept = ("tf", of_tensorflow) if owner.split(".")[0] == "tf" else (owner, of_keras)
        argument = ast.parse(f"{library}.{kept.format(ast.unparse(call.args[0]))}", mode="eval").body
        if line := text.with_expression(call, ast.Call(call.func, [argument], call.keywords)):
            return line
    return (
        "Keep each argument off the point where the gradient ends: clip(x, -1 + 1e-6, 1 - 1e-6) in arccos, "
        "maximum(x, 1e-7) in sqrt, log and norms, + 1e-7 in a divisor."
    )
