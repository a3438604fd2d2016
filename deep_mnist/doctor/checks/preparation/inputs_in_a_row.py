"""Check for a dataset that yields several inputs and the labels in one row, of which Keras reads x, y and weights."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_graph import has_inputs_in_a_row
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

INPUTS_IN_A_ROW = Rule(
    code="P143",
    name="inputs-side-by-side-with-labels",
    field="labels.rank",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A dataset for a network of several inputs yields (first, second, labels), and not ((first, second), "
    "labels).",
    why="Keras reads the second as the labels and the third as weights of examples: the network lacks an input.",
)


@check(INPUTS_IN_A_ROW)
def check_inputs(case: Case) -> Iterator[Finding]:
    """Yield a dataset of as many parts beside one another as the network has inputs, and one more."""
    call = case.call
    inputs = getattr(call.model, "inputs", None) if call is not None and call.verb == "fit" else None
    if call is None or not isinstance(inputs, list):
        return
    for split, data in (("train", call.x), ("test", call.validation)):
        if not has_inputs_in_a_row(data, len(inputs)):
            continue
        parts = ", ".join(f"x{place + 1}" for place in range(len(inputs)))
        yield INPUTS_IN_A_ROW.found(
            split,
            expected=f"(({parts}), y): the {len(inputs)} inputs as one, then the labels",
            received=f"{len(inputs) + 1} parts in a row, of which Keras takes x, y and sample_weight",
            fix=f"{split}_images = {split}_images.map(lambda {parts}, y: (({parts}), y))",
        )
