"""How many updates a call of fit makes, where that can be told without running its data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from deep_mnist.doctor.case import Case

DEFAULT_BATCH = 32


@dataclass(frozen=True)
class FitSteps:
    """The length of a fit.

    Attributes:
        of_data: Batches that the data hold; None where that is unknown, math.inf without end.
        per_epoch: Updates in an epoch, None where unknown.
        epochs: The last one, as stated; 1 by default.
        initial: The first epoch.
    """

    of_data: float | None
    per_epoch: int | None
    epochs: int
    initial: int = 0

    @property
    def total(self) -> int | None:
        """Updates in all, None where unknown."""
        return None if self.per_epoch is None else self.per_epoch * max(self.epochs - self.initial, 0)


def steps_of(case: Case) -> FitSteps:
    """Return the length of the case's fit."""
    call = case.call
    facts = dict(call.facts) if call is not None else dict(case.fit)
    stated = call.arguments if call is not None else {}
    data = batches_in(call.x, facts, case) if call is not None else None
    asked = whole_number(facts.get("steps_per_epoch"))
    per_epoch = asked or (int(data) if data is not None and math.isfinite(data) else None)
    epochs, initial = whole_number(facts.get("epochs")), whole_number(stated.get("initial_epoch"))
    return FitSteps(data, per_epoch, 1 if epochs is None else epochs, initial or 0)


def whole_number(stated: Any) -> int | None:
    """Return a number of Python's or numpy's as int, None where it is none."""
    if isinstance(stated, bool):
        return None
    try:
        return int(stated) if stated is not None and stated == int(stated) else None
    except (TypeError, ValueError, OverflowError):
        return None


def batches_in(x: Any, facts: dict[str, Any], case: Case) -> float | None:
    """Return how many batches the training data hold, math.inf without end, None where that is unknown."""
    kinds = {each.__name__ for each in type(x).__mro__}
    if "DatasetV2" in kinds:
        return _cardinality(x)
    if kinds & {"PyDataset", "Sequence", "DataLoader"}:
        return _length(x)
    if hasattr(x, "shape") or isinstance(x, list | tuple | dict):
        examples = len(case.train.images) if case.train.images is not None and case.train.images.ndim else 0
        batch = whole_number(facts.get("batch_size")) or DEFAULT_BATCH
        return math.ceil(examples / batch) if examples and batch > 0 else None
    return None


def _cardinality(dataset: Any) -> float | None:
    try:
        count = int(dataset.cardinality())
    except Exception:  # of a dataset of a user's own
        return None
    return math.inf if count == -1 else float(count) if count >= 0 else None


def _length(sequence: Any) -> float | None:
    try:
        return float(len(sequence))
    except Exception:  # a Sequence's length is code of the user's
        return None
