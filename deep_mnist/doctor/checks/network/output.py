"""Checks of an output: its form, width and activation against each other and against the loss; no data needed."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.contract.compiled import ACTIVATION_NAMES
from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, ONE_HOT_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.checks.network.model_finding import model_finding
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding

CROSSENTROPIES = (*SPARSE_LOSSES, "categorical_crossentropy", "categorical_focal_crossentropy", *BINARY_LOSSES)
SCORES = ("softmax", "sigmoid")  # activations that end in 0..1
AFTER_THE_SCORES = ("dropout", "gaussiannoise", "gaussiandropout", "alphadropout", "batch_normalization", "rescaling")
TAIL_NAMES = (*ACTIVATION_NAMES, "softmax(axis=1)", "softmax(axis=0)", "softmax(axis=2)", "softmax(axis=-2)",
              *AFTER_THE_SCORES)  # fmt: skip


def check_output(case: Case) -> Iterator[Finding]:
    """Yield what is wrong between one output's form, width, activation and loss."""
    contract = case.contract
    yield from _check_output_form(case)
    yield from _check_units(contract)
    yield from _check_activation(case)
    yield from _check_loss_known(contract)
    yield from _check_output_dtype(contract)


def _check_output_form(case: Case) -> Iterator[Finding]:
    contract = case.contract
    chosen = [name for name in contract.output_tail if name in ("argmax", "argmin")]
    if chosen:
        yield model_finding(
            "model.output_rank",
            "error",
            "one score per class, shape (examples, classes)",
            f"class numbers: the model ends in {' then '.join(contract.output_tail)}",
            "End the model with the softmax and take argmax after predict(): model = Model(inputs, softmax_output).",
            "argmax has no gradient: the loss would refuse the rank or nothing would be learned.",
        )
    elif contract.output_rank is not None and contract.output_rank != 2 and case.task.has_classes:
        yield model_finding(
            "model.output_rank",
            "error",
            "an output of rank 2: (examples, classes)",
            f"rank {contract.output_rank}"
            + (f", {contract.output_units} units at every position" if contract.output_rank > 2 else ""),
            "Put Flatten() (or GlobalAveragePooling2D()) before the last Dense layer.",
            "Every position of the image would get its own prediction; the loss refuses the labels or broadcasts.",
        )


def _check_units(contract: Contract) -> Iterator[Finding]:
    units, classes = contract.output_units, contract.num_classes
    if units is None or classes is None or (contract.output_rank or 2) == 1 or "argmax" in contract.output_tail:
        return
    if units == 1 and classes == 2:
        if contract.loss in SPARSE_LOSSES:
            yield _units(contract, "2", units)
        elif contract.loss in CROSSENTROPIES[1:3]:
            yield _one_score(contract)
    elif units < classes:
        yield _units(contract, str(classes), units)
    elif units > classes:
        severity = "warning" if contract.loss in SPARSE_LOSSES else "error"
        yield _units(contract, str(classes), units, severity)


def _one_score(contract: Contract) -> Finding:
    sigmoid = contract.output_activation == "sigmoid"
    return model_finding(
        "contract.loss",
        "error",
        "binary_crossentropy over one sigmoid unit for yes or no",
        f"{contract.loss} over one unit, activation {contract.output_activation or 'unknown'}",
        ("" if sigmoid else f"{last_layer(1, 'sigmoid')}; ") + compiled_with(contract, "binary_crossentropy"),
        "The scores of one unit, made to sum to 1, are always 1: the loss is constant and nothing is learned.",
    )


def _units(contract: Contract, expected: str, units: int, severity: str = "error") -> Finding:
    plain = contract.output_activation in (None, "linear", "unknown")
    return model_finding(
        "model.output_units",
        severity,
        f"one unit per class: {expected}",
        f"{units} unit{'s' if units != 1 else ''} in the last layer",
        last_layer(expected, None if plain else "softmax"),
        "Labels beyond the last unit give NaN on a GPU and an error on a CPU; one unit under softmax is always 1."
        if severity == "error"
        else "Units without a class take probability for nothing; the class count is probably wrong somewhere.",
    )


def _check_activation(case: Case) -> Iterator[Finding]:
    """Judge the last activation against loss and from_logits; an activation of an unknown name is not judged."""
    contract = case.contract
    tail = contract.output_tail
    if not tail or not set(tail) <= set(TAIL_NAMES) or "argmax" in tail or "argmin" in tail:
        return
    last, multiclass = tail[-1], (contract.output_units or 2) > 1
    softmaxes = sum(name.startswith("softmax") for name in tail)
    if last == "softmax" and contract.output_units == 1:
        why = "softmax of one number is always 1, whatever the weights: nothing is learned."
        expected, fix = "sigmoid on one unit", 'Dense(1, activation="sigmoid")'
        if case.task is Task.NUMBERS:
            expected, fix = "no activation on one unit that predicts numbers", "Dense(1)"
        yield _activation("softmax on one unit", expected, fix, why)
    elif softmaxes > 1 or (softmaxes and tail.count("sigmoid")):
        yield _activation(
            f"{' then '.join(tail)}",
            "one softmax",
            "Remove one of the two activations.",
            "Squashed twice, the scores lie close together: gradients shrink and accuracy stays low.",
        )
    elif last.startswith("softmax("):
        yield _activation(
            last, "softmax over the last axis", "Softmax(axis=-1)", "Scores would sum to 1 over the wrong axis."
        )
    elif any(name in AFTER_THE_SCORES for name in tail) and any(name in SCORES for name in tail):
        yield _activation(
            f"{' then '.join(tail)}",
            "the softmax last",
            "Move the layer before the last Dense layer.",
            "The scores that the loss sees would no longer be probabilities.",
        )
    elif contract.loss in CROSSENTROPIES:
        yield from _check_crossentropy(case, last, multiclass)
    elif contract.loss is None and last not in (*SCORES, "linear") and case.task is Task.CLASSES:
        yield _activation(
            last,
            "softmax, or none with from_logits=True",
            _softmax_layer(contract),
            "Scores would be no probabilities, whatever the loss.",
        )


def _check_crossentropy(case: Case, last: str, multiclass: bool) -> Iterator[Finding]:
    contract = case.contract
    if last in (*SCORES, "linear"):
        yield from _check_from_logits(contract, last)
        if last == "sigmoid" and multiclass and not contract.from_logits and contract.loss not in BINARY_LOSSES:
            expected, why = "softmax for one of several classes", "Training looks normal, but scores do not sum to 1."
            yield _activation("sigmoid on every unit", expected, _softmax_layer(contract), why, "warning")
    else:
        severity = "warning" if contract.from_logits and last != "relu" else "error"
        why = "The loss takes logarithms of numbers that are no probabilities: NaN, or no learning."
        yield _activation(last, "softmax (or none, with from_logits=True)", _softmax_layer(contract), why, severity)
    if contract.loss in BINARY_LOSSES and last in SCORES and multiclass and case.task is Task.CLASSES:
        yield model_finding(
            "contract.loss",
            "warning" if last == "softmax" and (contract.output_units or 0) > 2 else "note",
            "categorical_crossentropy for one of several classes",
            f"{contract.loss} over {contract.output_units} {last} units",
            compiled_with(contract, "categorical_crossentropy"),
            'Each unit is judged as a yes-or-no question: "accuracy" may count units, and 90 % means chance.',
        )


def _check_from_logits(contract: Contract, last: str) -> Iterator[Finding]:
    if last in SCORES and contract.from_logits:
        fix = f"{compiled_with(contract, str(contract.loss))}  # from_logits=False"
        why = "The loss would apply the softmax a second time: slow learning, wrong probabilities."
        yield _from_logits(f"{last}, then from_logits=True", fix, why)
    elif last == "linear" and contract.from_logits is False:
        fix = compiled_with(contract, str(contract.loss), from_logits=True)
        why = "Raw scores taken for probabilities are clipped to 0..1: accuracy stays near chance."
        yield _from_logits("no activation on the last layer, from_logits=False", fix, why)


def _softmax_layer(contract: Contract) -> str:
    if contract.output_units == 1:
        return last_layer(1, "sigmoid")
    return last_layer(contract.num_classes or contract.output_units or "classes", "softmax")


def _activation(received: str, expected: str, fix: str, why: str, severity: str = "error") -> Finding:
    return model_finding("model.output_activation", severity, expected, received, fix, why)


def _from_logits(received: str, fix: str, why: str) -> Finding:
    expected = "a softmax with from_logits=False, or no activation with from_logits=True"
    return model_finding("contract.from_logits", "error", expected, received, fix, why)


def _check_loss_known(contract: Contract) -> Iterator[Finding]:
    known = (*SPARSE_LOSSES, *ONE_HOT_LOSSES, *BINARY_LOSSES)
    if contract.loss is not None and contract.loss not in known:
        yield model_finding(
            "contract.loss",
            "note",
            "a loss of Keras that compares classes",
            contract.loss,
            "Check by hand that the labels have the form that this loss takes.",
            "What labels an unrecognized loss wants cannot be derived, so their encoding is not judged.",
        )


def _check_output_dtype(contract: Contract) -> Iterator[Finding]:
    if contract.output_dtype in ("float16", "bfloat16") and contract.output_activation in SCORES:
        yield model_finding(
            "model.output_activation",
            "note",
            "scores in float32, also under mixed precision",
            contract.output_dtype,
            'Dense(..., activation="softmax", dtype="float32")',
            "Small probabilities round to 0 in 16 bits; the loss then grows to infinity.",
        )
