"""Outputs that a model's inputs do not lead to, and names of layers: one used twice, one that no layer has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.checks.crashes.building.rules import NAME_AGAIN, NOT_CONNECTED
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, layers_of
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.source_code import argument
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

DISCONNECTED = re.compile(r"is not connected to `inputs`")
TWICE = re.compile(
    r"The name \"(\S+)\" is used \d+ times|should have unique names\. Name '(\S+)' is already the name of a layer"
)
UNKNOWN = re.compile(r"No such layer: (\S+)\. Existing layers are: \[(.*)\]", re.S)
MOST_OPERATIONS = 5000  # of a network, looked at


def explain_disconnected(crash: Crash) -> Finding | None:
    """Name the Input that the output really comes from, and the model with it."""
    step = crash.user
    if step is None or step.call is None or DISCONNECTED.search(crash.text) is None:
        return None
    own = next((each.held for each in crash.steps if "outputs" in each.held and "inputs" in each.held), {})
    sources = list(_sources(_tensors(own.get("outputs"))))
    given = _tensors(own.get("inputs"))
    lacking = [each for each in sources if not any(each is other for other in given)]
    if not lacking:
        return None
    names = [ProgramText(step.frame, step.file).name_of(each) or each.name for each in sources]
    shown = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    node = keyword_of(step.call, "inputs") or (step.call.args[0] if step.call.args else None)
    is_named = all(step.named(each) is not None for each in names)
    fix = f"Make the output from {argument(crash, 0, 'inputs')}, or give the model the Input that it was made from."
    return NOT_CONNECTED.found(
        expected=f"the inputs that the output is made from: {shown}",
        received=f"{argument(crash, 0, 'inputs')}, at {crash.place}",
        fix=line_changed(step, [(node, shown)]) if is_named and node is not None else fix,
    )


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


def _sources(outputs: list[Any]) -> Iterator[Any]:
    """Yield the tensors of keras.Input that outputs are made from."""
    waiting, seen = list(outputs), set[int]()
    while waiting and len(seen) < MOST_OPERATIONS:
        tensor = waiting.pop(0)
        if id(tensor) in seen or not hasattr(tensor, "_keras_history"):
            continue
        seen.add(id(tensor))
        operation, node, _ = tensor._keras_history
        before = operation._inbound_nodes[node].input_tensors
        if not before:
            yield tensor
        waiting.extend(before)


def explain_layer_name(crash: Crash) -> Finding | None:
    """Name the second layer of a name and the line that gives it another; the layer that is there by another number."""
    step = crash.user
    if step is None:
        return None
    if (match := TWICE.search(crash.text)) is not None:
        return _twice(crash, step, match[1] or match[2])
    if (match := UNKNOWN.search(crash.text)) is not None and step.call is not None:
        return _unknown(crash, step, match[1], re.findall(r"'([^']*)'", match[2]))
    return None


def _twice(crash: Crash, step: TraceStep, name: str) -> Finding | None:
    text = ProgramText(step.frame, step.file)
    named = [keyword_of(each, "name") for each in text.nodes if isinstance(each, ast.Call)]
    found = sorted((each for each in named if isinstance(each, ast.Constant) and each.value == name),
                   key=lambda each: (each.lineno, each.col_offset))  # fmt: skip
    fix = f"Give each layer a name of its own: {name!r} is made by a loop or a function that runs twice."
    if len(found) > 1:
        fix = line_changed(step, [(found[-1], repr(f"{name}_2"))])
    return NAME_AGAIN.found(
        expected="one layer of each name", received=f"{name!r} for two of them, at {crash.place}", fix=fix
    )


def _unknown(crash: Crash, step: TraceStep, name: str, names: list[str]) -> Finding | None:
    """A name that Keras has counted on, as it does with every model of a process."""
    call = step.call
    stem = re.sub(r"_\d+$", "", name)
    of_kind = [each for each in names if re.sub(r"_\d+$", "", each) == stem]
    number = int(name[len(stem) + 1 :] or 0) if name[len(stem) + 1 :].isdigit() or name == stem else -1
    if call is None or not call.args:
        return None
    if not of_kind:
        return _within(crash, step, call, name)
    meant = of_kind[number] if 0 <= number < len(of_kind) else of_kind[0] if len(of_kind) == 1 else None
    told = f"one of {', '.join(map(repr, of_kind[:8]))}"
    fix = f"Give the layer a name of its own where it is made, name={name!r}: Keras counts on over all models."
    if meant is not None:
        place = names.index(meant)
        by_place = ast.Call(call.func, [], [ast.keyword("index", ast.Constant(place))])
        fix = f"{line_changed(step, [(call, ast.unparse(by_place))])}, which is {meant!r} here"
    return NAME_AGAIN.found(expected=told, received=f"{name!r}, at {crash.place}", fix=fix)


def _within(crash: Crash, step: TraceStep, call: ast.Call, name: str) -> Finding | None:
    """A layer of a network that is itself one layer of the model, as a pretrained base is."""
    owner = held_by(call.func.value, step.frame) if isinstance(call.func, ast.Attribute) else None
    inner = [each for each in getattr(owner, "layers", ()) if any(one.name == name for one in layers_of(each))]
    if len(inner) != 1 or not isinstance(call.func, ast.Attribute):
        return None
    base = f"{ast.unparse(call.func.value)}.get_layer({inner[0].name!r})"
    return NAME_AGAIN.found(
        expected=f"a layer of the model itself, such as {inner[0].name!r}, which holds {name!r}",
        received=f"{name!r}, at {crash.place}",
        fix=line_changed(step, [(call.func.value, base)]),
    )
