"""Tensors of keras.Input read as arrays: counted, gone through, asked for truth, set, turned into numbers."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.building.rules import SYMBOL_AS_ARRAY
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.layers import RECURRENT
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

ATTRIBUTE = re.compile(r"'KerasTensor' object has no attribute '(\w+)'")
RESHAPED = re.compile(r"KerasTensor\.reshape\(\) takes 2 positional arguments")
ITERATED = re.compile(r"Iterating over a symbolic KerasTensor is not supported")
WAYS = (
    (re.compile(r"KerasTensor cannot be used as a boolean"),
     "A condition on its values is keras.ops.where(condition, a, b), in a layer's call()."),
    (ITERATED,
     "Take its parts by place, x[:, 0], or keras.ops.unstack(x, axis=1): it cannot be gone through or unpacked."),
    (re.compile(r"object of type 'KerasTensor' has no len\(\)"), "Ask x.shape: it holds no rows to count."),
    (re.compile(r"'KerasTensor' object does not support item assignment"),
     "Put the parts together with keras.layers.Concatenate, or keras.ops.where(mask, new, x)."),
)  # fmt: skip
SHAPES = {"_keras_shape": "shape", "get_shape": "shape", "shape_as_list": "shape"}


def explain_symbol_read(crash: Crash) -> Finding | None:
    """Name the tensor, and what takes the place of what is asked of it."""
    step = crash.user
    if step is None:
        return None
    if ITERATED.search(crash.text) and (states := _states(step)):
        return crash.found(SYMBOL_AS_ARRAY, "return_state=True of the layer whose states are taken", *states)
    found = _attribute(crash, step) or next(((_name(step), way) for said, way in WAYS if said.search(crash.text)), None)
    if found is None:
        return None
    name, fix = found
    return SYMBOL_AS_ARRAY.found(
        expected=f"an operation of keras.ops, or a layer, on {name}",
        received=f"{name}, a symbol that holds no numbers before fit or predict, at {crash.place}",
        fix=fix,
    )


def _states(step: TraceStep) -> tuple[str, str] | None:
    """Return `output, state = LSTM(8)(x)` and that with return_state, None of other names for one tensor."""
    text = ProgramText(step.frame, step.file)
    made = next((each.value for each in text.nodes if isinstance(each, ast.Assign) and each.lineno == step.line
                 and isinstance(each.targets[0], ast.Tuple)), None)  # fmt: skip
    layer = made.func if isinstance(made, ast.Call) else None
    if isinstance(layer, ast.Name):
        of_name = [each.value for each in text.nodes if isinstance(each, ast.Assign) and each.lineno < step.line
                   and ast.unparse(each.targets[0]) == layer.id]  # fmt: skip
        layer = of_name[-1] if of_name else None
    if made is None or not isinstance(layer, ast.Call) or called(layer) not in RECURRENT:
        return None
    inner = layer.args[0] if called(layer) == "Bidirectional" and layer.args else layer
    return (
        (ast.unparse(made), line_with_keywords(step, inner, return_state=True)) if isinstance(inner, ast.Call) else None
    )


def _attribute(crash: Crash, step: TraceStep) -> tuple[str, str] | None:
    match = ATTRIBUTE.search(crash.text)
    asked = "reshape" if RESHAPED.search(crash.text) else match[1] if match is not None else ""
    nodes = [each for each in step.on_line(ast.Attribute) if each.attr == asked]
    if len(nodes) != 1:
        return None
    node, name = nodes[0], ast.unparse(nodes[0].value)
    around = [each for each in step.on_line(ast.Call) if each.func is node]
    if asked in SHAPES:
        listed = [each for each in step.on_line(ast.Call) if ast.unparse(each) == f"{ast.unparse(node)}().as_list()"]
        calls: list[ast.expr] = [*listed, *around, node]
        return name, line_changed(step, [(calls[0], f"{name}.{SHAPES[asked]}")])
    if asked == "reshape" and around:
        return name, line_changed(
            step, [(around[0], f"keras.ops.reshape({name}, ({ast.unparse(ast.Tuple(around[0].args))[1:-1]}))")]
        )
    if asked == "numpy":
        return name, f"Leave out .numpy(): {name} has no values until the model is called with data."
    return None


def _name(step: TraceStep) -> str:
    """Return what the tensor of a frame's line is called there."""
    nodes = [each for each in ProgramText(step.frame, step.file).nodes
             if getattr(each, "lineno", 0) == step.line and isinstance(each, ast.Name | ast.Attribute)]  # fmt: skip
    found = [each for each in nodes if type(held_by(each, step.frame)).__name__ == "KerasTensor"]
    return ast.unparse(found[0]) if found else "a tensor of keras.Input"
