"""Check of variables that a layer of one's own computes with and no optimizer trains: Keras does not know them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of, step_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers
from deep_mnist.doctor.evidence.live.own_step import recording
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

UNTRACKED = Rule(
    code="M066",
    name="variables-that-keras-does-not-train",
    field="model.trainable",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A layer or model of one's own computes with tf.Variables, which Keras 3 does not count among its weights.",
    why="They keep the values that they start with: no optimizer trains them, and save() leaves them out.",
)
ASSIGNING = ("assign", "assign_add", "assign_sub", "scatter_update", "scatter_add", "scatter_sub", "scatter_nd_update")
MARK = f"  # {IN_PLACE} "


@dataclass(frozen=True)
class Untracked:
    """A variable of TensorFlow's that a layer holds: the layer's class, the attribute and the variable itself."""

    owner: type
    attribute: str
    variable: Any


@check(UNTRACKED)
def check_untracked(case: Case) -> Iterator[Finding]:
    """Yield variables that the output depends on and that neither Keras nor the program's own step trains."""
    if case.call is None or case.frame is None or not can_be_tried(case):
        return
    x = case.call.step.x if case.call.step is not None else rows_of(case)[0]
    found = _in_use(case.call.model, x) if x is not None else []
    found = [each for each in found if not _is_set_elsewhere(ProgramText(case.frame), each)]
    if not found or _may_be_applied(case, found):
        return
    names = list(dict.fromkeys(f"{each.owner.__name__}.{each.attribute}" for each in found))
    yield UNTRACKED.found(
        expected="weights made by self.add_weight(...) or keras.Variable(...)",
        received=f"{', '.join(names[:4])}: {len(found)} tf.Variables that the output depends on, not among the "
        "model's trainable_weights",
        fix=_made_by_keras(case, found),
    )


def _in_use(model: Any, x: Any) -> list[Untracked]:
    """Return the variables of layers of the user's own that the output for some rows has a gradient of."""
    if not _own_layers(model) or (getattr(model, "built", False) and not any(_held(model))):
        return []
    tf = sys.modules["tensorflow"]
    with recording(), unchanged(model):
        try:
            with tf.GradientTape() as tape:
                made = tf.nest.flatten(model(tf.nest.map_structure(tf.convert_to_tensor, x), training=False))
                outputs = [each for each in made if each.dtype.is_floating]
            held = list(_held(model))
            gradients = tape.gradient(outputs, [each.variable for each in held])
        except Exception:  # the user's own code may raise anything, and does so in fit
            return []
    return [each for each, gradient in zip(held, gradients, strict=True) if gradient is not None]


def _own_layers(model: Any) -> list[Any]:
    layers = all_layers(model)
    return [each for each in layers if not type(each).__module__.startswith(OF_KERAS)]


def _held(model: Any) -> Iterator[Untracked]:
    """Yield the variables of TensorFlow's, meant to be trained, that layers of the user's own hold."""
    variable = sys.modules["tensorflow"].Variable
    seen: set[int] = set()
    for layer in _own_layers(model):
        for name, value in list(vars(layer).items()):
            values = list(value.values()) if isinstance(value, dict) else value
            for each in values if isinstance(values, list | tuple) else [values]:
                if isinstance(each, variable) and each.trainable and id(each) not in seen and name[:1] != "_":
                    seen.add(id(each))
                    yield Untracked(type(layer), name, each)


def _is_set_elsewhere(text: ProgramText, held: Untracked) -> bool:
    """Whether the program sets a variable by itself, or hands a single number to what may do so."""
    single = held.variable.shape.num_elements() == 1
    for node in text.nodes:
        if not isinstance(node, ast.Attribute):
            continue
        if node.attr in ASSIGNING and held.attribute in {getattr(each, "attr", "") for each in ast.walk(node.value)}:
            return True
        if single and node.attr == held.attribute and getattr(node.value, "id", "self") != "self":
            return True
    return False


def _may_be_applied(case: Case, found: list[Untracked]) -> bool:
    """Whether a step of the user's own asks for the gradients of any of them, or may do so."""
    step = step_of(case)
    if step is None:
        return False
    record = step.first
    asked = {id(each) for of in record.asked for each in of}
    return not asked or any(id(each.variable) in asked for each in found)


def _made_by_keras(case: Case, found: list[Untracked]) -> str:
    """Return the statements that make the first layer's variables as Keras's; a sentence of those of another form."""
    owner = found[0].owner
    wanted = dict.fromkeys(each.attribute for each in found if each.owner is owner)
    named, known = alias_of(case.frame, "keras", "keras")
    made = _rewritten(case, owner, f"{named}.Variable" if known else "tf.keras.Variable")
    if not made.keys() >= wanted.keys():
        return f"Make {' and '.join(wanted)} by self.add_weight(shape=..., initializer=...) in __init__ or build."
    parts = [made[each].partition(MARK) for each in wanted]
    return "; ".join(each for each, _, _ in parts) + MARK + " and ".join(place for _, _, place in parts)


def _rewritten(case: Case, owner: type, function: str) -> dict[str, str]:
    """Return the statements of a class that set an attribute to tf.Variables, with another function, by attribute."""
    code = getattr(vars(owner).get("__init__") or vars(owner).get("build"), "__code__", None)
    if code is None or case.frame is None:
        return {}
    text, made = ProgramText(case.frame, code.co_filename), dict[str, str]()
    own = [each for each in text.nodes if isinstance(each, ast.ClassDef) and each.name == owner.__name__]
    within = {id(node) for each in own[:1] for node in ast.walk(each)}
    for call in text.calls("Variable"):
        statement = text.statement_of(call) if id(call) in within else None
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        value = argument_of(call, 0, "initial_value")
        if isinstance(target, ast.Attribute) and value is not None:
            kept = [each for each in call.keywords if each.arg in ("trainable", "dtype", "name")]
            again = ast.Call(ast.parse(function, mode="eval").body, [value], kept)
            made.setdefault(target.attr, text.with_expression(call, again))
    return {attribute: line for attribute, line in made.items() if MARK in line}
