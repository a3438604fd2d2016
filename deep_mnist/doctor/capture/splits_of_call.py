"""The splits and facts of a call of fit, of what was drawn: validation data, or what validation_split takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.capture.draw import Drawn, is_kind
from deep_mnist.doctor.capture.fit_call import FitCall
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.splits.order import check_order
from deep_mnist.doctor.finding import Finding


def splits_of(call: FitCall, train: Drawn, test: Drawn | None) -> tuple[dict[str, Split], Split]:
    """Return the splits, the part that validation_split takes as test, and train as a whole."""
    whole = Split("train", train.images, train.labels, inputs=train.inputs, targets=train.targets)
    whole.is_whole = train.whole
    if test is not None:
        tested = Split("test", test.images, test.labels, inputs=test.inputs, targets=test.targets)
        tested.is_whole = test.whole
        return {"train": whole, "test": tested}, whole
    cut = validation_start(call, train)
    if cut is None or train.images is None:
        return {"train": whole}, whole
    head, tail = _part("train", train, slice(None, cut)), _part("test", train, slice(cut, None))
    return {"train": head, "test": tail}, whole


def _part(name: str, train: Drawn, examples: slice) -> Split:
    """Return some of train's examples as a split of their own."""
    images, labels = (None if each is None else each[examples] for each in (train.images, train.labels))
    inputs, targets = ({key: each[examples] for key, each in held.items()} for held in (train.inputs, train.targets))
    return Split(name, images, labels, inputs=inputs, targets=targets, is_whole=train.whole)


def validation_start(call: FitCall, train: Drawn) -> int | None:
    """Return the index from which validation_split takes examples, None without one, or of what is no array."""
    share = call.facts.get("validation_split") if train.source == "array" else None
    if not isinstance(share, int | float) or not 0 < share < 1 or train.images is None or not train.images.ndim:
        return None
    if train.labels is not None and (not train.labels.ndim or len(train.labels) != len(train.images)):
        return None
    cut = int(len(train.images) * (1.0 - share))
    return cut if 0 < cut < len(train.images) else None


def fit_facts(call: FitCall, train: Drawn) -> dict[str, Any]:
    """What the checks may know of fit; a pipeline's order is judged by itself, and fit does not shuffle it.

    "batches" are those of one epoch by the pipeline's own word, None when it gives none.
    """
    facts = {name: value for name, value in call.facts.items() if name != "validation_split"}
    if train.source != "array":
        facts |= {"shuffle": True, "batches": train.steps}
    return facts


def order_of_whole(whole: Split, case: Case) -> Iterator[Finding]:
    """Judge order on all of train's labels: validation_split takes its part before fit shuffles."""
    if len(case.splits) == 1 or whole.labels is None or (case.call is not None and is_kind(case.call.x, "DatasetV2")):
        return
    facts = {**case.fit, "validation_split": _share(whole, case)}
    own = Case(case.folder, {"train": whole}, case.contract, None, facts)
    if own.train.paired:
        yield from check_order(own)


def _share(whole: Split, case: Case) -> float | None:
    test = case.splits["test"]
    is_part = whole is not case.train and test.images is not None and whole.images is not None
    return (
        len(test.images) / len(whole.images)
        if is_part and test.images is not None and whole.images is not None
        else None
    )
