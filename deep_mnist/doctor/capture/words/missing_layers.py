"""The source's own line with a layer that is missing in it, or without what makes an output of every step."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from deep_mnist.doctor.capture.words.layer_calls import call_of
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.labels.targets import ONE_FOR_ALL_STEPS
from deep_mnist.doctor.checks.network.output import OUTPUT_RANK_UNUSUAL
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged, extent_of
from deep_mnist.doctor.finding import Finding

BEFORE = re.compile(r"before (\w+) '([^']+)'.*")
LAYER = re.compile(r"[\w.]*?(\w+)(\(.*\)),?")
OF_EACH_STEP = ("Dense", "Dropout", "BatchNormalization", "LayerNormalization", "Activation", "ReLU", "Softmax")
MOST_SHOWN = 400  # characters of a statement that is shown whole


def with_missing_layer(finding: Finding, model: Any, frame: FrameType) -> Finding:
    """Return a finding whose fix is the source's line with the layer in it that its fix wants before another one.

    Args:
        finding: Its fix is `Reshape((28, 28, 1)),  # before Conv2D 'conv2d': …`, or the output has too many axes.
        model: Of Keras.
        frame: Of the call.
    """
    layers = list(getattr(model, "layers", None) or ())
    if finding.rule is OUTPUT_RANK_UNUSUAL or finding.fix == ONE_FOR_ALL_STEPS:
        return _of_one_prediction(finding, model, layers, frame)
    body, _, comment = finding.fix.partition("  # ")
    place, made = BEFORE.fullmatch(comment), LAYER.fullmatch(body)
    layer = next((each for each in layers if place is not None and each.name == place[2]), None)
    if layer is None or made is None:
        return finding
    return _changed(finding, model, frame, layer, partial(_inserted, name=made[1], arguments=made[2]))


def _of_one_prediction(finding: Finding, model: Any, layers: list[Any], frame: FrameType) -> Finding:
    """Return the finding with the line in which what is left over of steps or positions ends."""
    behind = [index for index, each in enumerate(layers) if type(each).__name__ not in OF_EACH_STEP]
    last = layers[behind[-1]] if behind else None
    if bool(getattr(last, "return_sequences", False)):
        return _changed(finding, model, frame, last, _without_sequences)
    dense = [each for each in layers if type(each).__name__ == "Dense"]
    if not dense:
        return finding
    target = dense[-1] if behind else dense[0]
    sides = tuple(getattr(getattr(target, "input", None), "shape", ()))[1:-1]
    pooled = sides and (None in sides or type(last).__name__ in ("Embedding", "MultiHeadAttention"))
    name = f"GlobalAveragePooling{len(sides)}D" if pooled else "Flatten"
    return _changed(finding, model, frame, target, partial(_inserted, name=name, arguments="()"))


def _changed(
    finding: Finding,
    model: Any,
    frame: FrameType,
    layer: Any,
    change: Callable[[ProgramText, ast.stmt, ast.Call], list[ast.stmt]],
) -> Finding:
    """Return the finding with the statement that makes a layer changed; as it was where that is not clear.

    Args:
        change: Returns the statements for one and the call in it that makes the layer; [] for none.
    """
    text = ProgramText(frame)
    call = _nth_call(text, model, layer) or call_of(text, layer, text.name_of(model) or "")
    statement = text.statement_of(call) if call is not None else None
    if call is None or not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
        return finding
    written = "; ".join(map(ast.unparse, change(text, statement, call)))
    if not written or "\n" in written or len(written) > MOST_SHOWN:
        return finding
    return replace(finding, fix=text.in_place(written, statement), line=call.lineno)


def _nth_call(text: ProgramText, model: Any, layer: Any) -> ast.Call | None:
    """Return the call by its place among those of its class, where the source makes as many as the model has."""
    kind = type(layer).__name__
    alike = [each for each in model.layers if type(each).__name__ == kind]
    calls = text.calls(kind)
    return calls[alike.index(layer)] if len(calls) == len(alike) else None


def _without_sequences(_text: ProgramText, statement: ast.stmt, call: ast.Call) -> list[ast.stmt]:
    """Return the statement with a recurrent layer that gives its last output alone."""
    again = copy.deepcopy(call)
    stated = 0
    for node in ast.walk(again):
        if isinstance(node, ast.Call):
            kept = [each for each in node.keywords if each.arg != "return_sequences"]
            stated += len(node.keywords) - len(kept)
            node.keywords = kept
    return [exchanged(statement, [(call, again)])] if stated == 1 else []


def _inserted(text: ProgramText, statement: ast.stmt, call: ast.Call, name: str, arguments: str) -> list[ast.stmt]:
    """Return the statement that makes a layer, with another layer before it; the statements of two calls of add()."""
    made = _spoken(text, call, name)
    if made is None:
        return []
    new, place = ast.parse(f"{made}{arguments}", mode="eval").body, extent_of(call)
    value = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(value, ast.Call) and called(value) == "add" and any(each is call for each in value.args):
        return [ast.Expr(ast.Call(value.func, [new], [])), statement]
    again = copy.deepcopy(statement)
    for node in ast.walk(again):
        held = node.elts if isinstance(node, ast.List) else []
        for index, each in enumerate(held):
            if extent_of(each) == place:
                held.insert(index, new)
                return [ast.fix_missing_locations(again)]
        if isinstance(node, ast.Call) and extent_of(node.func) == place and len(node.args) == 1:
            node.args = [ast.Call(new, [node.args[0]], [])]
            return [ast.fix_missing_locations(again)]
    return []


def _spoken(text: ProgramText, call: ast.Call, name: str) -> str | None:
    """Return what the source calls a layer of Keras, as it calls the one before which it belongs."""
    if isinstance(call.func, ast.Attribute):
        return f"{ast.unparse(call.func.value)}.{name}"
    if isinstance(text.value_of(ast.Name(name)), type):
        return name
    for module, usual, path in (("keras", "keras", "layers"), ("tensorflow", "tf", "keras.layers")):
        alias, known = alias_of(text.frame, module, usual)
        if known:
            return f"{alias}.{path}.{name}"
    return None
