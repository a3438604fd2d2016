"""Checks of layers that keep their state from batch to batch: each batch of one size, and in the order of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.checks.program.steps import DEFAULT_BATCH, whole_number
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

BATCH_INCOMPLETE = Rule(
    code="P005",
    name="stateful-layer-meets-other-batch",
    field="fit.batch_size",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="A stateful layer holds the states of one number of examples, and a batch of the fit has another.",
    why="TensorFlow stops at the first such batch, often the last of the epoch: the shapes are incompatible.",
)
STATES_MIXED = Rule(
    code="P006",
    name="stateful-layer-on-shuffled-data",
    field="fit.shuffle",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="A stateful layer goes on where the batch before it ended, and fit shuffles the examples.",
    why="Each sequence begins with the state that another, unrelated one has left.",
)


@check(BATCH_INCOMPLETE, STATES_MIXED)
def check_stateful(case: Case) -> Iterator[Finding]:
    """Yield batches that the states do not fit, and an order that they do not follow."""
    call, names = case.call, [each.name for each in layers_of(case) if _keeps_state(each)]
    if call is None or call.verb != "fit" or not names or not isinstance(call.x, np.ndarray):
        return
    yield from _sizes_found(case, names[0])
    if call.facts.get("shuffle", True):
        yield STATES_MIXED.found(
            "train",
            expected="examples in the order of time for a layer with stateful=True",
            received=f"shuffle=True, as by default, with {names[0]}",
            fix="model.fit(..., shuffle=False)",
        )


def _keeps_state(layer: object) -> bool:
    return getattr(layer, "stateful", False) is True and hasattr(layer, "return_sequences")


def _sizes_found(case: Case, name: str) -> Iterator[Finding]:
    asked = whole_number(case.fit.get("batch_size")) or DEFAULT_BATCH
    held = _batch_of(case.call.model if case.call is not None else None) or asked
    counts = {split: len(each.images) for split, each in case.splits.items() if each.images is not None}
    expected = f"batches of {held}, whose states {name} keeps (stateful=True)"
    if held != asked:
        fix = f"model.fit(..., batch_size={held})"
        yield BATCH_INCOMPLETE.found(expected=expected, received=f"batches of {asked}", fix=fix)
        return
    left = {split: count for split, count in counts.items() if count % held}
    if left:
        split, count = next(iter(left.items()))
        yield BATCH_INCOMPLETE.found(
            split,
            expected=expected,
            received=f"{count} examples in {split}: the last batch has {count % held}",
            fix=_whole_batches(case, split, count // held * held, held),
        )


def _batch_of(model: object) -> int | None:
    """Return the number of examples that the network's input states, None where it states none."""
    shapes = [getattr(each, "shape", None) for each in getattr(model, "inputs", None) or ()]
    return next((whole_number(shape[0]) for shape in shapes if shape is not None and len(shape)), None)


def _whole_batches(case: Case, split: str, kept: int, held: int) -> str:
    if not kept:
        return f"Take a batch size of which {split} has one at least, in the network's input and in fit."
    if case.call is not None and case.call.facts.get("validation_split"):
        return (
            f"Hold out whole batches of {held} yourself: validation_data=(x[-n:], y[-n:]) and fit on x[:-n], y[:-n], "
            "both of multiples of it."
        )
    images, labels = f"{split}_images", f"{split}_labels"
    return f"{images}, {labels} = {images}[:{kept}], {labels}[:{kept}]  # whole batches"
