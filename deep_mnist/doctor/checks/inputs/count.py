"""Check of how many arrays a network of several inputs is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deep_mnist.doctor.case import Case, Split, slug
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Rule, Scope, check

OTHER_COUNT = Rule(
    code="I040",
    name="inputs-of-other-number",
    field="images.count",
    severity="error",
    scope=Scope.CASE,
    summary="A network of several inputs is given another number of arrays.",
    why="Keras stops before the first step: it asks for one array for each input.",
)
GIVEN_DIRECTLY = ("fit", "train_on_batch", "check", "assert_fit")


@check(OTHER_COUNT)
def check_number_of_inputs(case: Case) -> Iterator[Finding]:
    """Yield each split with fewer arrays than inputs; of a call, with more of them too."""
    names = [each.input_name for each in case.contract.inputs]
    for split in case.splits.values() if names else ():
        given = split.given if case.call is None else _given_to_call(case, split)
        if given and (given < len(names) or (case.call is not None and given > len(names))):
            yield OTHER_COUNT.found(
                split.name,
                expected=f"{len(names)} inputs: {', '.join(names)}",
                received=f"{given} array{'s' if given > 1 else ''} given",
                fix=_fix(case, split, names),
            )


def _given_to_call(case: Case, split: Split) -> int:
    """Return how many arrays a call gives of a split, 0 where that is not certain, or the model may make the others."""
    call = case.call
    if call is None or call.verb not in GIVEN_DIRECTLY or not type(call.model).__module__.startswith(OF_KERAS):
        return 0
    if split.name == "train":
        return arrays_in(call.x)
    stated = call.held_out
    return arrays_in(stated[0]) if isinstance(stated, tuple) and len(stated) > 1 else 0


def arrays_in(given: Any) -> int:
    """Return how many arrays, tensors or frames there are in what fit is given as x, 0 where others are among them.

    >>> import numpy as np
    >>> arrays_in(np.zeros(3)), arrays_in([np.zeros(3), (np.zeros(3),)]), arrays_in([[1, 2], [3, 4]])
    (1, 2, 0)
    """
    if hasattr(given, "shape"):
        return 1
    if not isinstance(given, list | tuple | Mapping):
        return 0
    counts = [arrays_in(each) for each in (given.values() if isinstance(given, Mapping) else given)]
    return sum(counts) if all(counts) else 0


def _fix(case: Case, split: Split, names: list[str]) -> str:
    if case.call is None:
        files = ", ".join(f"{split.name}_images_{slug(each)}.npy" for each in names)
        return f"Write an array for each input: {files}."
    given = ", ".join(f'"{each}": …' for each in names)
    return f"Give an array for each input, by its name: {{{given}}}, or in a list in this order."
