"""What the network does not tell, or tells in two ways: named instead of guessed, and not judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.network.output import NUMBERS_AS_TARGETS
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Rule, Scope, check


def _unknown(
    code: str, name: str, field: str, topic: str, judged: str, follows: tuple[Follows, ...] = ()
) -> Rule:  # six rules that differ in nothing else
    return Rule(
        code=code,
        name=name,
        field=field,
        severity="note",
        scope=Scope.NETWORK,
        summary=f"The network does not tell {topic}, so {judged} not judged.",
        why="What is not known is not judged.",
        follows=follows,
    )


INPUT_SHAPE_UNKNOWN = _unknown(
    "M020", "input-shape-unknown", "model.input_shape", "the shape of its input", "the shape of the data is"
)
INPUT_SCALING_UNKNOWN = _unknown(
    "M021", "input-scaling-unknown", "model.normalization", "what it does to its input first", "ranges are"
)
NORMALIZATION_UNKNOWN = _unknown(
    "M022", "normalization-unknown", "model.normalization", "the state of a Normalization layer", "that layer is"
)
OUTPUT_UNITS_UNKNOWN = _unknown(
    "M023", "output-units-unknown", "model.output_units", "the width of its output", "that width is",
    (NUMBERS_AS_TARGETS,),
)  # fmt: skip
OUTPUT_ACTIVATION_UNKNOWN = _unknown(
    "M024", "output-activation-unknown", "model.output_activation", "its last activation", "that activation is",
    (NUMBERS_AS_TARGETS,),
)  # fmt: skip
LOSS_UNKNOWN = _unknown(
    "C020", "loss-unknown", "contract.loss", "the loss that it is trained by", "the form of the labels is"
)
LOSS_STATED_TWICE = Rule(
    code="C021",
    name="loss-stated-twice",
    field="contract.loss",
    severity="note",
    scope=Scope.NETWORK,
    summary="The model was compiled with one loss, and contract.json names another.",
    why="Only one of the two can be what training used; contract.json is believed.",
)
FROM_LOGITS_STATED_TWICE = Rule(
    code="C022",
    name="from-logits-stated-twice",
    field="contract.from_logits",
    severity="note",
    scope=Scope.NETWORK,
    summary="The model was compiled with one value of from_logits, and contract.json states the other.",
    why="Only one of the two can be what training used; contract.json is believed.",
    follows=(NUMBERS_AS_TARGETS,),
)
BY_HAND = {
    "input_shape": "the examples have the shape that the network takes",
    "input scaling": "the values are as the first layers expect them",
    "normalization": "adapt() was called with the training data",
    "output_units": "the last layer has as many units as the labels ask for",
    "output_activation": "the last activation fits the loss and the labels",
}
SAVED_UNBUILT = "the model was saved before it was built"
BY_FIRST_BATCH = ("input_shape", "output_units")
OF_LAYER = re.compile(r"layer (\S+) is of the (?:unrecognized )?class")
BY_TOPIC = {
    "input_shape": INPUT_SHAPE_UNKNOWN,
    "input scaling": INPUT_SCALING_UNKNOWN,
    "normalization": NORMALIZATION_UNKNOWN,
    "output_units": OUTPUT_UNITS_UNKNOWN,
    "output_activation": OUTPUT_ACTIVATION_UNKNOWN,
    "loss": LOSS_UNKNOWN,
}


@check(LOSS_STATED_TWICE, FROM_LOGITS_STATED_TWICE)
def check_conflicts(case: Case) -> Iterator[Finding]:
    """Yield what the model and contract.json state in two ways."""
    for conflict in case.contract.conflicts:
        rule = FROM_LOGITS_STATED_TWICE if conflict.startswith("from_logits") else LOSS_STATED_TWICE
        yield rule.found(
            expected="one statement of the loss",
            received=conflict,
            fix="Compile the model and write contract.json with the same loss.",
        )


@check(*BY_TOPIC.values())
def check_unknown(case: Case) -> Iterator[Finding]:
    """Yield what could not be derived."""
    for unknown in case.contract.unknown:
        topic = unknown.partition(":")[0]
        if case.call is not None and (topic == "loss" or _is_of_kerass_layer(case.call.model, unknown)):
            continue  # compile() is judged where it stands, and nobody can tell more of Keras's own layers
        yield BY_TOPIC.get(topic, INPUT_SHAPE_UNKNOWN).found(
            expected=f"a model that tells its {topic}",
            received=unknown if case.call is None else unknown.replace(SAVED_UNBUILT, "it is built by its first batch"),
            fix="Tell it in a contract file: deep_mnist/contract/builtin/ has examples."
            if case.call is None
            else f"Check by hand that {BY_HAND.get(topic, BY_HAND['input_shape'])}.",
        )


def _is_of_kerass_layer(model: Any, unknown: str) -> bool:
    """Whether what is not known lies with a layer whose class is Keras's own, or with all, none of which is built."""
    found = OF_LAYER.search(unknown)
    layers = getattr(model, "layers", None) or ()
    if found is None and not getattr(model, "built", True) and unknown.partition(":")[0] in BY_FIRST_BATCH:
        return all(type(each).__module__.startswith(OF_KERAS) for each in (model, *layers))
    named = [each for each in layers if found is not None and getattr(each, "name", None) == found[1]]
    return bool(named) and all(type(each).__module__.startswith(OF_KERAS) for each in named)
