"""Check of layers whose output nothing reads, so that they are no part of the network."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOST = Rule(
    code="M064",
    name="layer-output-unread",
    field="model.layers",
    severity="warning",
    scope=Scope.NETWORK,
    needs=(Need.LIVE_MODEL,),
    summary="The output of a layer is written over before anything reads it, so that the layer is not in the network.",
    why="The layers before that line are no part of the network: what it learns, it learns without them.",
)


@dataclass(frozen=True)
class _Lost:
    """An assignment whose value nothing reads, and the one that follows it on the same name."""

    layer: str
    written: ast.Assign
    over: ast.Assign


@check(LOST)
def check_lost_outputs(case: Case) -> Iterator[Finding]:
    """Yield the first layer whose output is lost, in the code that the network was built or is called by."""
    if case.call is None or case.frame is None:
        return
    text = ProgramText(case.frame)
    for block, owners in _blocks(case, text):
        for lost in _lost_in(block, owners):
            name = _name(lost.written)
            yield LOST.found(
                expected=f"a layer, or the network's outputs, that reads {name} of {text.at(lost.written)}",
                received=f"{name} = {lost.layer}(...), written over in {text.at(lost.over)} before it is read",
                fix=_fix(text, lost),
            )
            return


def _blocks(case: Case, text: ProgramText) -> Iterator[tuple[list[ast.stmt], list[Any]]]:
    """Yield the statements that can have built the network, and the layers whose call() they stand in."""
    yield _before_the_call(getattr(text.tree, "body", []), case.frame), []
    live = [case.call.model, *layers_of(case)] if case.call is not None else []
    for node in text.nodes:
        if isinstance(node, ast.ClassDef):
            owners = [each for each in live if type(each).__name__ == node.name]
            own = (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "call")
            yield from ((each.body, owners) for each in own if owners)
        elif isinstance(node, ast.FunctionDef) and text.calls(node.name):
            yield node.body, []


def _before_the_call(module: list[ast.stmt], frame: FrameType | None) -> list[ast.stmt]:
    """Return the statements of a script down to the one that runs: what comes later builds other networks."""
    outer, line = frame, None
    while outer is not None:
        if outer.f_code.co_name == "<module>" and frame is not None and outer.f_globals is frame.f_globals:
            line = outer.f_lineno
        outer = outer.f_back
    return [each for each in module if line is None or each.lineno <= line]


def _lost_in(block: list[ast.stmt], owners: Sequence[Any]) -> Iterator[_Lost]:
    for place, written in enumerate(block):
        layer = _layer_called(written, owners)
        if not layer or not isinstance(written, ast.Assign):
            continue
        for later in block[place + 1 :]:
            if _reads(later, _name(written)):
                break
            if isinstance(later, ast.Assign) and _name(later) == _name(written):
                yield _Lost(layer, written, later)
                break


def _layer_called(statement: ast.stmt, owners: Sequence[Any]) -> str:
    """Return the layer whose output a name gets: "Dense(...)" of x = Dense(3)(y), "self.norm" of x = self.norm(y)."""
    if not isinstance(statement, ast.Assign) or not _name(statement) or not isinstance(statement.value, ast.Call):
        return ""
    function = statement.value.func
    if isinstance(function, ast.Call):
        layers = getattr(sys.modules.get("keras"), "layers", None)
        made = called(function)
        return f"{made}(...)" if isinstance(getattr(layers, made, None), type) else ""
    if not isinstance(function, ast.Attribute) or ast.unparse(function.value) != "self":
        return ""
    held = [getattr(each, function.attr, None) for each in owners]
    return ast.unparse(function) if any(hasattr(each, "trainable_weights") for each in held) else ""


def _name(statement: ast.Assign) -> str:
    """Return the one plain name that an assignment writes, "" of others and of those that are meant to be unread."""
    target = statement.targets[0]
    plain = len(statement.targets) == 1 and isinstance(target, ast.Name) and not target.id.startswith("_")
    return target.id if plain and isinstance(target, ast.Name) else ""


def _reads(statement: ast.stmt, name: str) -> bool:
    names = (each for each in ast.walk(statement) if isinstance(each, ast.Name) and each.id == name)
    return any(not isinstance(each.ctx, ast.Store) for each in names)


def _fix(text: ProgramText, lost: _Lost) -> str:
    """Return the later statement with the lost output as its layer's input, in words where that is no name."""
    call, name = lost.over.value, _name(lost.over)
    if isinstance(call, ast.Call) and len(call.args) == 1 and isinstance(call.args[0], ast.Name):
        if fix := text.with_expression(call.args[0], ast.Name(name)):
            return fix
    return f"Give {name} of {text.at(lost.written)} to the layer that is to read it, or leave that line out."
