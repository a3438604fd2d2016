"""Checks of an output's form and width: a score for each class, one unit for each class."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, DISTRIBUTION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.evidence.classes import Classes
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import FOLDERS_AS_CLASSES, Follows, Need, On, Rule, Scope, check

FEWEST_PER_CLASS = 8  # examples that make labels beyond the units classes, not bytes read at the wrong place
COMMON_SHARE = 0.5  # of one label: beyond it they are rather pixels
MOST_UNITS = 1000
OF_CLASSES = (*SPARSE_LOSSES, *DISTRIBUTION_LOSSES, *BINARY_LOSSES)

NUMBERS_AS_TARGETS = Follows(rules=("L110", "L111", "L112"), on=On.TRAIN)  # the loss is for another kind of target

OUTPUT_OF_CLASS_NUMBERS = Rule(
    code="M101",
    name="output-of-class-numbers",
    field="model.output_rank",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="The model ends in argmax: it predicts class numbers instead of a score for each class.",
    why="argmax has no gradient: the loss would refuse the rank or nothing would be learned.",
)
OUTPUT_RANK_UNUSUAL = Rule(
    code="M102",
    name="output-rank-not-two",
    field="model.output_rank",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.CLASSES,),
    summary="The output has an axis too many or too few for one score per class.",
    why="Every position of the input would get its own prediction; the loss refuses the labels or broadcasts.",
)
FEWER_UNITS_THAN_LABELS = Rule(
    code="M110",
    name="output-units-fewer-than-labels",
    field="model.output_units",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LABELS,),
    summary="The labels hold more classes, each of them frequent, than the last layer has units.",
    why="Labels beyond the last unit give NaN on a GPU and an error on a CPU.",
    follows=(NUMBERS_AS_TARGETS, FOLDERS_AS_CLASSES),
)
FEWER_UNITS_THAN_CLASSES = Rule(
    code="M111",
    name="output-units-fewer-than-classes",
    field="model.output_units",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="The last layer has fewer units than the stated number of classes.",
    why="Labels beyond the last unit give NaN on a GPU and an error on a CPU; one unit under softmax is always 1.",
    follows=(NUMBERS_AS_TARGETS, Follows(rules=("M110",), on=On.MODEL)),
)
MORE_UNITS_THAN_CLASSES = Rule(
    code="M112",
    name="output-units-more-than-classes",
    field="model.output_units",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    summary="The last layer has more units than the stated number of classes.",
    why="Labels in rows of another width than the output are refused; the class count is probably wrong somewhere.",
    follows=(NUMBERS_AS_TARGETS,),
)
CATEGORICAL_LOSS_OVER_ONE_UNIT = Rule(
    code="C001",
    name="categorical-loss-over-one-unit",
    field="contract.loss",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="A loss that compares the scores of classes is compiled over one unit that answers yes or no.",
    why="The scores of one unit, made to sum to 1, are always 1: the loss is constant and nothing is learned.",
    follows=(Follows(rules=("L122",), on=On.TRAIN), Follows(rules=("M110",), on=On.MODEL)),
)


@check(OUTPUT_OF_CLASS_NUMBERS, OUTPUT_RANK_UNUSUAL)
def check_output_form(case: Case) -> Iterator[Finding]:
    """Yield an output that is no row of scores."""
    contract = case.contract
    if any(name in ("argmax", "argmin") for name in contract.output_tail):
        yield OUTPUT_OF_CLASS_NUMBERS.found(
            expected="one score per class, shape (examples, classes)",
            received=f"class numbers: the model ends in {' then '.join(contract.output_tail)}",
            fix="End the model with the softmax and take argmax after predict(): "
            "model = Model(inputs, softmax_output).",
        )
    elif contract.output_rank is not None and contract.output_rank != 2:
        everywhere = f", {contract.output_units} units at every position" if contract.output_rank > 2 else ""
        yield OUTPUT_RANK_UNUSUAL.found(
            expected="an output of rank 2: (examples, classes)",
            received=f"rank {contract.output_rank}{everywhere}",
            fix="Before the last Dense layer: return_sequences=False of a recurrent one, Flatten(), or "
            "GlobalAveragePooling1D()."
            if contract.output_rank == 3
            else "Put Flatten() (or GlobalAveragePooling2D()) before the last Dense layer.",
        )


@check(FEWER_UNITS_THAN_CLASSES, MORE_UNITS_THAN_CLASSES, CATEGORICAL_LOSS_OVER_ONE_UNIT)
def check_units(case: Case) -> Iterator[Finding]:
    """Yield a width that is not the stated number of classes."""
    contract = case.contract
    units, classes = contract.output_units, contract.num_classes
    if units is None or classes is None or (contract.output_rank or 2) == 1 or "argmax" in contract.output_tail:
        return
    if units == 1 and classes == 2:
        if contract.loss in SPARSE_LOSSES:
            yield _units(FEWER_UNITS_THAN_CLASSES, contract, classes, units)
        elif contract.loss in ("categorical_crossentropy", "categorical_focal_crossentropy"):
            yield _one_score(contract)
    elif units < classes:
        yield _units(FEWER_UNITS_THAN_CLASSES, contract, classes, units)
    elif units > classes and contract.loss in SPARSE_LOSSES:
        why = "Units without a class take probability for nothing; the class count is probably wrong somewhere."
        yield _units(MORE_UNITS_THAN_CLASSES, contract, classes, units, severity="warning", why=why)
    elif units > classes:
        yield _units(MORE_UNITS_THAN_CLASSES, contract, classes, units)


def _units(rule: Rule, contract: Contract, classes: int, units: int, *, severity: str = "", why: str = "") -> Finding:
    plain = contract.output_activation in (None, "linear", "unknown")
    return rule.found(
        severity=severity,
        expected=f"one unit per class: {classes}",
        received=f"{units} unit{'s' if units != 1 else ''} in the last layer",
        fix=last_layer(classes, None if plain else "softmax"),
        why=why,
    )


def _one_score(contract: Contract) -> Finding:
    sigmoid = contract.output_activation == "sigmoid"
    return CATEGORICAL_LOSS_OVER_ONE_UNIT.found(
        expected="binary_crossentropy over one sigmoid unit for yes or no",
        received=f"{contract.loss} over one unit, activation {contract.output_activation or 'unknown'}",
        fix=("" if sigmoid else f"{last_layer(1, 'sigmoid')}; ") + compiled_with(contract, "binary_crossentropy"),
    )


@check(FEWER_UNITS_THAN_LABELS)
def check_units_for_labels(case: Case) -> Iterator[Finding]:
    """Yield labels 0..m, each frequent, for fewer units: the last layer is too narrow, not the labels wrong."""
    contract, labels, classes = case.contract, case.train.labels, case.train.classes
    units = contract.output_units
    if classes is None or labels is None or units is None or labels.size != len(classes):
        return
    yes_or_no = units == 1 and contract.loss in BINARY_LOSSES
    width = 2 if units == 1 else units  # as classes are counted
    if contract.loss not in OF_CLASSES or (contract.num_classes != width and not yes_or_no):
        return
    least, most = int(classes.tally.values[0]), int(classes.tally.values[-1])
    if most < width or most >= MOST_UNITS or least not in (0, 1):
        return
    if least == 1 and (most == width or contract.loss in BINARY_LOSSES):  # L101 renumbers them, or they are ratings
        return
    share = 1.0 if units == 1 and not yes_or_no else COMMON_SHARE  # one unit is too few for whatever classes
    if not _all_are_frequent(classes, share):
        return
    other_loss = contract.loss not in SPARSE_LOSSES
    activation = "softmax" if other_loss or contract.output_activation in ("softmax", "sigmoid") else None
    compiled = f"; {compiled_with(contract, SPARSE_LOSSES[0])}" if other_loss else ""
    why = "One unit answers yes or no: with targets beyond 1 the loss has no minimum and falls below zero."
    yield FEWER_UNITS_THAN_LABELS.found(
        expected=f"one unit per class: {most + 1} for the labels {least} to {most}",
        received=f"{units} unit{'s' if units > 1 else ''} in the last layer; "
        f"each label occurs at least {classes.tally.counts.min()} times",
        fix=last_layer(most + 1, activation) + compiled,
        why=why if yes_or_no else "",
    )


def _all_are_frequent(classes: Classes, share: float) -> bool:
    """Whether every label from the least to the greatest occurs, and none more than a share: these are classes."""
    tally = classes.tally
    span = int(tally.values[-1] - tally.values[0]) + 1
    if not tally.complete or len(classes) < FEWEST_PER_CLASS * span:
        return False
    return bool(len(tally.counts) >= span and tally.counts.max() <= share * len(classes))
