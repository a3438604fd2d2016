"""Check of an output behind a rectifier that is 0 for every example before training: no gradient reaches it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import last_layer
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, outputs_of, rows_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

ROWS, FEWEST = 64, 16
RECTIFIERS = ("relu", "relu6")
MEANT = 0.5  # share of the targets that are 0, above which a trained network may rightly give 0

DEAD_OUTPUT = Rule(
    code="M070",
    name="output-dead-from-the-start",
    field="model.output_activation",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    follows=(
        Follows(fields=("model.output_activation", "images.range"), on=On.ANY_SPLIT, least="warning"),
        Follows(fields=("images.finite",), on=On.ANY_SPLIT, least="error"),
    ),
    summary="The last layer's relu gives 0 for every example before training.",
    why="Below 0 a relu has no slope: no weight ever gets a gradient, and the network answers 0 for good.",
)


@check(DEAD_OUTPUT)
def check_dead_output(case: Case) -> Iterator[Finding]:
    """Yield an output of relu whose weights, as they were drawn, give nothing but 0."""
    contract, call = case.contract, case.call
    if call is None or call.step is not None or contract.outputs or contract.output_activation not in RECTIFIERS:
        return
    if not can_be_tried(case):
        return
    x, y = rows_of(case, ROWS)
    made = outputs_of(case, x) if x is not None else None
    if made is None or y is None or len(made) < FEWEST or made.any() or float(np.mean(y == 0)) > MEANT:
        return
    yield DEAD_OUTPUT.found(
        expected="outputs that differ, or a last layer without relu",
        received=f"0 for each of {len(made)} {case.example}s, whose targets go to {float(np.max(y)):.4g}",
        fix=f"{last_layer(int(made.shape[-1]))}  # a relu starts dead by chance of its first weights, and stays so",
    )
