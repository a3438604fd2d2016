"""Checks of the last activation: scores of classes that are probabilities, once."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.contract.compiled import ACTIVATION_NAMES
from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import last_layer
from deep_mnist.doctor.checks.network.output import NUMBERS_AS_TARGETS
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

CROSSENTROPIES = (*SPARSE_LOSSES, "categorical_crossentropy", "categorical_focal_crossentropy", *BINARY_LOSSES)
SCORES = ("softmax", "sigmoid")  # activations that end in 0..1
AFTER_THE_SCORES = ("dropout", "gaussiannoise", "gaussiandropout", "alphadropout", "batch_normalization", "rescaling")
TAIL_NAMES = (*ACTIVATION_NAMES, "softmax(axis=1)", "softmax(axis=0)", "softmax(axis=2)", "softmax(axis=-2)",
              *AFTER_THE_SCORES)  # fmt: skip

SOFTMAX_ON_ONE_UNIT = Rule(
    code="M120",
    name="softmax-on-one-unit",
    field="model.output_activation",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="The last layer has one unit, and softmax makes of one number always 1.",
    why="softmax of one number is always 1, whatever the weights: nothing is learned.",
    follows=(
        NUMBERS_AS_TARGETS,
        Follows(rules=("M110", "M111", "C001"), on=On.MODEL),
        Follows(rules=("L122", "L144"), on=On.TRAIN),
    ),
)
SCORES_SQUASHED_TWICE = Rule(
    code="M121",
    name="scores-squashed-twice",
    field="model.output_activation",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="Two activations that end in 0..1 stand one behind the other, such as two softmaxes.",
    why="Squashed twice, the scores lie close together: gradients shrink and accuracy stays low.",
    follows=(NUMBERS_AS_TARGETS,),
)
SOFTMAX_OVER_WRONG_AXIS = Rule(
    code="M122",
    name="softmax-over-wrong-axis",
    field="model.output_activation",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="The last softmax runs over another axis than the classes'.",
    why="Scores would sum to 1 over the wrong axis.",
    follows=(NUMBERS_AS_TARGETS,),
)
LAYER_AFTER_SCORES = Rule(
    code="M123",
    name="layer-after-scores",
    field="model.output_activation",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="Behind the last layer with weights stands, before or after the softmax, a layer such as Dropout or "
    "BatchNormalization.",
    why="The scores that the loss sees would no longer be probabilities.",
    follows=(NUMBERS_AS_TARGETS,),
)
SIGMOID_FOR_EXCLUSIVE_CLASSES = Rule(
    code="M124",
    name="sigmoid-for-exclusive-classes",
    field="model.output_activation",
    severity="warning",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="The loss is for one of many classes, and every unit answers yes or no by itself.",
    why="Training looks normal, but scores do not sum to 1.",
    follows=(NUMBERS_AS_TARGETS, Follows(rules=("M110",), on=On.MODEL)),
)
ACTIVATION_WITHOUT_PROBABILITIES = Rule(
    code="M125",
    name="output-activation-without-probabilities",
    field="model.output_activation",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="The last activation is one for hidden layers, such as relu or tanh, whose values are no probabilities.",
    why="The loss takes logarithms of numbers that are no probabilities: NaN, or no learning.",
    follows=(NUMBERS_AS_TARGETS, Follows(rules=("M110",), on=On.MODEL)),
)
SCORES_IN_16_BITS = Rule(
    code="M126",
    name="scores-in-16-bits",
    field="model.output_activation",
    severity="note",
    scope=Scope.NETWORK_OUTPUT,
    summary="The last layer computes its probabilities in 16 bits.",
    why="Small probabilities round to 0 in 16 bits; the loss then grows to infinity.",
    follows=(NUMBERS_AS_TARGETS,),
)


def is_judged(contract: Contract) -> bool:
    """Whether the whole tail of the output is known, and makes scores."""
    tail = contract.output_tail
    return bool(tail) and set(tail) <= set(TAIL_NAMES) and not {"argmax", "argmin"} & set(tail)


def misplaced(contract: Contract) -> Rule | None:
    """Return the rule that the tail of the output breaks by itself, whatever the loss."""
    tail, last = contract.output_tail, contract.output_activation or ""
    softmaxes = sum(name.startswith("softmax") for name in tail)
    if last == "softmax" and contract.output_units == 1:
        return SOFTMAX_ON_ONE_UNIT
    if softmaxes > 1 or (softmaxes and tail.count("sigmoid")):
        return SCORES_SQUASHED_TWICE
    if last.startswith("softmax("):
        return SOFTMAX_OVER_WRONG_AXIS
    scored = next((index for index, name in enumerate(tail) if name in SCORES), len(tail))
    return LAYER_AFTER_SCORES if any(name in AFTER_THE_SCORES for name in tail[scored:]) else None


@check(SOFTMAX_ON_ONE_UNIT, SCORES_SQUASHED_TWICE, SOFTMAX_OVER_WRONG_AXIS, LAYER_AFTER_SCORES)
def check_tail(case: Case) -> Iterator[Finding]:
    """Yield what is wrong with the activations behind the last weights, whatever the loss."""
    contract = case.contract
    rule = misplaced(contract) if is_judged(contract) else None
    received = " then ".join(contract.output_tail)
    if rule is SOFTMAX_ON_ONE_UNIT:
        numbers = case.task is Task.NUMBERS and contract.loss not in BINARY_LOSSES
        expected = "no activation on one unit that predicts numbers" if numbers else "sigmoid on one unit"
        fix = last_layer(1, None if numbers else "sigmoid")
        if (contract.output_rank or 2) > 2:
            fix = f'Write "{"linear" if numbers else "sigmoid"}" for the last "softmax".'
        yield rule.found(expected=expected, received="softmax on one unit", fix=fix)
    elif rule is SCORES_SQUASHED_TWICE:
        yield rule.found(expected="one softmax", received=received, fix="Remove one of the two activations.")
    elif rule is SOFTMAX_OVER_WRONG_AXIS:
        last = str(contract.output_activation)
        yield rule.found(expected="softmax over the last axis", received=last, fix="Softmax(axis=-1)")
    elif rule is LAYER_AFTER_SCORES:
        yield rule.found(
            expected="the softmax last", received=received, fix="Move the layer before the last Dense layer."
        )


@check(SIGMOID_FOR_EXCLUSIVE_CLASSES, ACTIVATION_WITHOUT_PROBABILITIES)
def check_activation(case: Case) -> Iterator[Finding]:
    """Yield a last activation that does not make the scores that the loss takes; of an unknown name none."""
    contract = case.contract
    if not is_judged(contract) or misplaced(contract):
        return
    last, multiclass = contract.output_activation, (contract.output_units or 2) > 1
    if contract.loss in CROSSENTROPIES and last not in (*SCORES, "linear"):
        yield ACTIVATION_WITHOUT_PROBABILITIES.found(
            severity="warning" if contract.from_logits and last != "relu" else "error",
            expected="softmax (or none, with from_logits=True)",
            received=str(last),
            fix=_softmax_layer(contract),
        )
    elif contract.loss in CROSSENTROPIES and last == "sigmoid" and multiclass:
        if not contract.from_logits and contract.loss not in BINARY_LOSSES:
            yield SIGMOID_FOR_EXCLUSIVE_CLASSES.found(
                expected="softmax for one of several classes",
                received="sigmoid on every unit",
                fix=_softmax_layer(contract),
            )
    elif contract.loss is None and last not in (*SCORES, "linear") and case.task is Task.CLASSES:
        yield ACTIVATION_WITHOUT_PROBABILITIES.found(
            expected="softmax, or none with from_logits=True",
            received=str(last),
            fix=_softmax_layer(contract),
            why="Scores would be no probabilities, whatever the loss.",
        )


def _softmax_layer(contract: Contract) -> str:
    if contract.output_units == 1:
        return last_layer(1, "sigmoid")
    return last_layer(contract.num_classes or contract.output_units or "classes", "softmax")


@check(SCORES_IN_16_BITS)
def check_output_dtype(case: Case) -> Iterator[Finding]:
    """Yield probabilities in 16 bits."""
    contract = case.contract
    if contract.output_dtype in ("float16", "bfloat16") and contract.output_activation in SCORES:
        yield SCORES_IN_16_BITS.found(
            expected="scores in float32, also under mixed precision",
            received=contract.output_dtype,
            fix='Dense(..., activation="softmax", dtype="float32")',
        )
