"""Checks of weights that a network gives steps: a softmax of them runs over the steps, and not over one number each."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers, is_of_a_library
from deep_mnist.doctor.evidence.live.own_step import patched
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, keyword_of
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OVER_STEPS = "lambda scores: keras.ops.softmax(scores, axis=1)"
STEPS_AXIS_RANK = 3  # (n, steps, 1)

OVER_ONE_NUMBER = Rule(
    code="M135",
    name="attention-softmax-over-one-number",
    field="model.network",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Within the network a softmax runs over one score of each step, and not over the steps.",
    why="softmax of one number is always 1: every step weighs the same, and the scores are never learned.",
)


@dataclass
class OneNumber:
    """A softmax over one number for each step.

    Attributes:
        layer: The innermost that computes it, None where none does.
        frame: Of the user's own line that computes it, None of a layer of Keras in a graph of layers.
        line: Of it.
        shape: Of the scores.
    """

    layer: Any
    frame: FrameType | None
    line: int
    shape: tuple[Any, ...]


@dataclass
class _Watch:
    """What the layers and softmaxes of a run did."""

    stack: list[Any] = field(default_factory=list)
    of_one_unit: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    found: list[tuple[Any, OneNumber]] = field(default_factory=list)

    def layers(self, own: Any) -> Any:
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            self.stack.append(layer)
            try:
                made = own(layer, *args, **kwargs)
            finally:
                self.stack.pop()
            if _units(layer) == 1:
                self.of_one_unit.append(made)
            return made

        return call

    def models(self, own: Any) -> Any:
        def call(model: Any, *args: Any, **kwargs: Any) -> Any:
            made = own(model, *args, **kwargs)
            self.outputs += list(made.values()) if isinstance(made, dict) else [made]
            return made

        return call

    def softmax(self, own: Any) -> Any:
        def softmax(logits: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
            made = own(logits, axis, *args, **kwargs)
            if self._is_of_one_number(logits, axis):
                frame = _users_frame(sys._getframe(1))
                layer = self.stack[-1] if self.stack else None
                self.found.append((made, OneNumber(layer, frame, frame.f_lineno if frame else 0, tuple(logits.shape))))
            return made

        return softmax

    def _is_of_one_number(self, logits: Any, axis: Any) -> bool:
        shape = tuple(getattr(logits, "shape", None) or ())
        if len(shape) < STEPS_AXIS_RANK or shape[-1] != 1 or axis not in (None, -1, len(shape) - 1):
            return False
        layer = self.stack[-1] if self.stack else None
        scores = any(logits is each for each in self.of_one_unit) or _units(layer) == 1 or _has_scoring_weights(layer)
        return scores and any(size not in (1, None) for size in shape[1:-1])


def _units(layer: Any) -> Any:
    held = vars(layer) if hasattr(layer, "__dict__") else {}
    return held.get("units", held.get("filters"))


def _has_scoring_weights(layer: Any) -> bool:
    """Whether a layer of the user's own has weights (…, 1), which make one score of each step."""
    if layer is None or type(layer).__module__.startswith(OF_KERAS):
        return False
    return any(len(each.shape) > 1 and each.shape[-1] == 1 for each in getattr(layer, "_trainable_variables", ()))


def _users_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the user's that the doctor's own run has called."""
    while frame is not None and is_of_a_library(frame):
        ours = str(frame.f_globals.get("__name__")).startswith("deep_mnist.doctor.")
        if ours and frame.f_code.co_name == _watched_run.__name__:
            return None
        frame = frame.f_back
    return frame


def _watched_run(case: Case) -> list[OneNumber]:
    """Run the network, or the step of the user's own, on a few rows; return its softmaxes over one number."""
    tf, watch, call = sys.modules["tensorflow"], _Watch(), case.call
    if call is None:
        return []
    with ExitStack() as stack:
        stack.enter_context(patched(sys.modules["keras"].layers.Layer, "__call__", watch.layers))
        stack.enter_context(patched(type(call.model), "__call__", watch.models))
        stack.enter_context(patched(tf.nn, "softmax", watch.softmax))
        _run(case, call)
    return [each for made, each in watch.found if not any(made is of for of in watch.outputs)]


def _run(case: Case, call: Any) -> None:
    tf, x = sys.modules["tensorflow"], rows_of(case, 2)[0]
    if call.step is not None:
        call.step.record()
    elif x is not None:
        with unchanged(call.model), suppress(Exception):  # the user's own code may raise anything, and does so in fit
            call.model(tf.nest.map_structure(tf.convert_to_tensor, x), training=False)


@check(OVER_ONE_NUMBER)
def check_attention_weights(case: Case) -> Iterator[Finding]:
    """Yield a softmax within the network that makes 1 of each step's only score."""
    if not can_be_tried(case) or not _may_weigh(case):
        return
    for each in _watched_run(case)[:1]:
        steps = " x ".join(str(size) for size in each.shape[1:-1])
        name = f" in the layer {each.layer.name}" if each.layer is not None else ""
        yield OVER_ONE_NUMBER.found(
            expected="softmax over the axis of the steps that are weighed",
            received=f"softmax over the last axis of {steps} x 1 scores{name}{_place(each)}: all weights are 1",
            fix=_fix(case, each) or "Let the softmax run over the axis of the steps: Dense(1), then Softmax(axis=1).",
        )


def _may_weigh(case: Case) -> bool:
    """Whether a softmax of the network, or of the program's text, may run over one score: a run tells."""
    layers = all_layers(case.call.model) if case.call is not None else []
    kinds = [(type(each).__name__, getattr(each, "activation", None), _units(each)) for each in layers]
    stated = any(
        kind == "Softmax" or (getattr(activation, "__name__", "") == "softmax" and units in (1, None))
        for kind, activation, units in kinds
    )
    return stated or (case.frame is not None and bool(ProgramText(case.frame).calls("softmax")))


def _place(found: OneNumber) -> str:
    if found.frame is None:
        return ""
    return f" ({ProgramText(found.frame).at(ast.Pass(lineno=found.line))})"


def _fix(case: Case, found: OneNumber) -> str:
    frame = found.frame or case.frame
    if frame is None or len(found.shape) != STEPS_AXIS_RANK:
        return ""
    text = ProgramText(frame)
    on_line = text.calls_on(found.line, "softmax") if found.frame is not None else []
    if len(on_line) == 1:
        return _with_axis(text, on_line[0])
    kind = type(found.layer).__name__
    made = _made(text, found.layer, kind)
    change = {"Softmax": _with_axis, "Activation": _activation_changed}.get(kind, _argument_changed)
    return change(text, made) if made is not None else ""


def _made(text: ProgramText, layer: Any, kind: str) -> ast.Call | None:
    """Return the call that makes a layer: the only one of its kind, or the one that gives its name."""
    calls = [each for each in text.calls(kind) if _makes(each, kind)]
    named = [each for each in calls if _constant(keyword_of(each, "name")) == getattr(layer, "name", "")]
    return named[0] if len(named) == 1 else calls[0] if len(calls) == 1 else None


def _constant(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _makes(call: ast.Call, kind: str) -> bool:
    """Whether a call makes a layer of its kind that ends in a softmax, of one unit where it has units."""
    if kind in ("Softmax", "Activation"):
        return kind == "Softmax" or "softmax" in ast.unparse(call)
    stated = keyword_of(call, "activation")
    units = argument_of(call, 0, "units") or keyword_of(call, "filters")
    return stated is not None and "softmax" in ast.unparse(stated) and _constant(units) == 1


def _with_axis(text: ProgramText, call: ast.Call) -> str:
    given = call.args if called(call) == "Softmax" else call.args[1:]
    again = exchanged(call, [(each, ast.Constant(1)) for each in given[:1]])
    return text.with_expression(call, again) if given else text.rewritten(call, axis=ast.Constant(1))


def _activation_changed(text: ProgramText, call: ast.Call) -> str:
    if not call.args:
        return _argument_changed(text, call)
    return text.with_expression(call.args[0], ast.parse(OVER_STEPS, mode="eval").body)


def _argument_changed(text: ProgramText, call: ast.Call) -> str:
    return text.rewritten(call, activation=ast.parse(OVER_STEPS, mode="eval").body)
