"""The source's own line of a network's last layer, with another layer in its place.

A fix that begins with a layer, such as `Dense(1, activation="sigmoid")`, does nothing where it is pasted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any, NamedTuple

from deep_mnist.doctor.capture.words.layer_calls import call_of
from deep_mnist.doctor.capture.words.missing_layers import with_missing_layer
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE, is_code
from deep_mnist.doctor.finding import Finding

LAYER = re.compile(r'(Dense\((\d+)(?:, activation="(\w+)")?\))(?:; (.+))?')
OTHER = re.compile(r"(?:keras\.layers\.|tf\.keras\.layers\.|layers\.)?[A-Z]\w+\(")
MOST_SHOWN = 240  # characters of a statement that is shown whole
KEPT = ("name", "dtype", "input_shape", "input_dim", "use_bias", "kernel_initializer", "kernel_regularizer")
WEIGHTLESS = ("Activation", "Softmax", "ReLU")


class LayerChange(NamedTuple):
    """A call that makes a layer, and the one that should stand there."""

    old: ast.expr
    new: ast.expr


class LastLayers(NamedTuple):
    """The layer that makes a network's output, and that with the weights before it (itself, mostly)."""

    dense: Any
    last: Any


def in_layer_lines(
    finding: Finding, model: Any, frame: FrameType | None, recompiled: Callable[[str], str] = str
) -> Finding:
    """Return a finding whose fix is the line of the last layer in the source, where it was the layer alone.

    Args:
        finding: In the source's names.
        model: Of Keras.
        frame: Of the call; without one, the fix stays as it is.
        recompiled: Returns a statement that compiles the model as the source's own line.
    """
    body, _, comment = finding.fix.partition("  # ")
    match = LAYER.fullmatch(body)
    if frame is None or IN_PLACE in comment:
        return finding
    if match is None:
        mended = with_missing_layer(finding, model, frame)
        return mended if mended is not finding else _other_layer(finding, body, comment)
    text = ProgramText(frame)
    changes = _changes(text, model, finding.part, int(match[2]), match[3])
    rest = recompiled(match[4]) if match[4] else ""
    if not changes:
        return replace(finding, fix=_in_words(f"Make {match[1]} the last layer", rest, comment))
    fix, line = _written(text, changes, rest, comment)
    return replace(finding, fix=fix, line=line)


def _other_layer(finding: Finding, body: str, comment: str) -> Finding:
    """Return a finding whose fix says where a layer of another class belongs, where it was nothing but layers."""
    layers = body.split("; ")
    if not all(OTHER.match(each) for each in layers) or not is_code(body):
        return finding
    return replace(finding, fix=_in_words(f"Write {' and '.join(layers)} in the place of its like", "", comment))


def _in_words(begun: str, rest: str, comment: str) -> str:
    body, _, place = rest.partition("  # ")
    more = f", and then {body}{f' {place}' if place else ''}" if rest else ""
    return f"{begun}{more}{f': {comment}' if comment else ''}."


def _written(text: ProgramText, changes: list[LayerChange], rest: str, comment: str) -> tuple[str, int | None]:
    """Return the fix, and the line that it is about."""
    statement = text.statement_of(changes[-1].old)
    again = ast.unparse(exchanged(statement, changes)) if statement is not None else ""
    line = changes[-1].old.lineno
    whole = all(text.statement_of(each.old) is statement for each in changes) and "\n" not in again
    if statement is None or not whole or len(again) > MOST_SHOWN or not isinstance(
        statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return
    ):  # fmt: skip
        told = [each for each in changes if ast.unparse(each.new) != ast.unparse(each.old)] or changes
        words = " and ".join(f"{ast.unparse(new)} for {ast.unparse(old)} at {text.at(old)}" for old, new in told)
        return _in_words(f"Write {words}", rest, comment), line
    fix = text.in_place(again, statement)
    body, _, place = rest.partition("  # ")
    more = f", and {place or 'before fit'}: {body}" if rest else ""
    return f"{fix}{f'; {comment}' if comment else ''}{more}", line


# --- the network ---------------------------------------------------------------------------------------


def _last_layers(model: Any, part: str) -> LastLayers | None:
    """Return the last layers of a sequential or functional network, None of any other one."""
    layers = [each for each in getattr(model, "layers", None) or () if type(each).__name__ != "InputLayer"]
    if not layers or not type(model).__module__.startswith(("keras.", "tf_keras.")):
        return None
    name = part.partition(" ")[2]
    if name:
        layers = [each for each in layers if each.name == name]
    elif hasattr(model, "outputs") and len(model.outputs or ()) == 1:
        made_by = getattr(getattr(model.outputs[0], "_keras_history", None), "operation", None)
        layers = _up_to(made_by, layers)
    if not layers or hasattr(layers[-1], "layers"):
        return None
    dense = layers[-2] if type(layers[-1]).__name__ in WEIGHTLESS and len(layers) > 1 else layers[-1]
    return LastLayers(dense, layers[-1]) if type(dense).__name__ == "Dense" else None


def _up_to(last: Any, layers: list[Any]) -> list[Any]:
    """Return the layers before the one that makes the output, and it; in a chain, these follow one another."""
    place = next((index for index, each in enumerate(layers) if each is last), len(layers) - 1)
    return layers[: place + 1]


# --- the source ----------------------------------------------------------------------------------------


def _changes(text: ProgramText, model: Any, part: str, units: int, activation: str | None) -> list[LayerChange]:
    """Return what makes the last layer one of these units and this activation; [] where the source is not clear."""
    layers, name = _last_layers(model, part), text.name_of(model) or ""
    if layers is None:
        return []
    made = call_of(text, layers.dense, name)
    if made is None:
        return []
    if layers.last is layers.dense:
        return [LayerChange(made, _dense(made, units, activation, same=units == layers.dense.units))]
    scored = call_of(text, layers.last, name)
    if scored is None or called(scored) != "Activation":
        return []
    stated = ast.Call(scored.func, [ast.Constant(activation or "linear")], _kept(scored))
    wider = [] if units == layers.dense.units else [LayerChange(made, _dense(made, units, None))]
    return [*wider, LayerChange(scored, stated)]


def _dense(made: ast.Call, units: int, activation: str | None, *, same: bool = False) -> ast.Call:
    """Return the call with other units (the `same` are said as they were) and activation."""
    stated = argument_of(made, 0, "units")
    first = stated if same and stated is not None else ast.Constant(units)
    keywords = [ast.keyword("activation", ast.Constant(activation))] if activation else []
    return ast.Call(made.func, [first], [*keywords, *_kept(made)])


def _kept(made: ast.Call) -> list[ast.keyword]:
    return [each for each in made.keywords if each.arg in KEPT]
