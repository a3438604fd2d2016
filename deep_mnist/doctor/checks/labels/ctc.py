"""Checks of labels and output under keras.losses.CTC: the blank, the scores, and the steps that a label needs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import last_layer
from deep_mnist.doctor.evidence.chunks import are_finite
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOOKED_AT = 20_000  # sequences of labels
FEW = 0.02  # of them, that may be slips

BLANK_AS_LABEL = Rule(
    code="L126",
    name="blank-used-as-label",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="The number 0 stands among the labels of sequences, and CTC takes it for the blank and for padding.",
    why="Labels are cut short by one for each 0 in them, and the class of number 0 is never learned.",
)
TOO_FEW_STEPS = Rule(
    code="L127",
    name="labels-longer-than-the-output",
    field="labels.width",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="Sequences of labels need more steps than the output has, one for each label and one between equal ones.",
    why="No path through the output spells such a label: its loss is infinite.",
)
PROBABILITIES_FOR_CTC = Rule(
    code="C012",
    name="probabilities-given-to-ctc",
    field="contract.from_logits",
    severity="error",
    scope=Scope.NETWORK_OUTPUT,
    needs=(Need.LOSS,),
    summary="The network ends in a softmax, and keras.losses.CTC applies one itself.",
    why="Squashed twice, the scores lie close together: gradients shrink, and the labels come slowly or never.",
)


@check(PROBABILITIES_FOR_CTC)
def check_ctc_scores(case: Case) -> Iterator[Finding]:
    """Yield probabilities where CTC takes scores."""
    contract = case.contract
    if contract.loss == "ctc" and contract.output_activation == "softmax":
        yield PROBABILITIES_FOR_CTC.found(
            expected="no activation on the last layer, for keras.losses.CTC",
            received="softmax",
            fix=f"{last_layer(contract.output_units or 'classes')}  # and softmax behind predict()",
        )


@check(BLANK_AS_LABEL, TOO_FEW_STEPS)
def check_ctc_labels(case: Case, split: Split) -> Iterator[Finding]:
    """Yield labels that CTC cannot take as they are."""
    contract, labels = case.contract, split.labels
    if contract.loss != "ctc" or labels is None or labels.ndim != 2 or labels.dtype.kind not in "fiu":
        return
    if not labels.size or not are_finite(labels):
        return
    some = np.asarray(labels[:LOOKED_AT])
    behind = np.logical_or.accumulate((some != 0)[:, ::-1], axis=1)[:, ::-1]
    among = ((some == 0) & behind).any(axis=1)
    if among.mean() > FEW:
        yield _blank(split, int(some.max()), among, contract.output_units)
    steps = (contract.output_shape or (None,))[0]
    repeats = ((some[:, 1:] == some[:, :-1]) & (some[:, 1:] != 0)).sum(axis=1)
    needed = np.where(among, 0, behind.sum(axis=1) + repeats)
    if steps is not None and (needed > steps).mean() > FEW:
        yield TOO_FEW_STEPS.found(
            split.name,
            expected=f"at least {needed.max()} steps of output, for the longest labels",
            received=f"{steps} steps, too few for {(needed > steps).mean():.0%} of the labels",
            fix="Pool less, or by smaller strides, before the recurrent layers: the output needs more steps.",
            where=tuple(np.flatnonzero(needed > steps)[:10].tolist()),
        )


def _blank(split: Split, most: int, among: np.ndarray, units: int | None) -> Finding:
    name = f"{split.name}_labels"
    return BLANK_AS_LABEL.found(
        split.name,
        expected="class numbers from 1 on; 0 is the blank of keras.losses.CTC",
        received=f"a 0 before other labels in {among.mean():.0%} of the sequences",
        fix=f"{name} = {name} + 1" + (f"  # and {last_layer(most + 2)} last" if (units or 0) < most + 2 else ""),
        where=tuple(np.flatnonzero(among)[:10].tolist()),
    )
