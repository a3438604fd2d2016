"""Checks of the arguments of fit against the data and the network: epochs, batch size, validation_split."""

from __future__ import annotations

import math
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import is_in_a_loop
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

FEW_UPDATES = 20  # of the weights in the whole fit

VALIDATION_SPLIT_IMPOSSIBLE = Rule(
    code="P001",
    name="validation-split-impossible",
    field="fit.validation",
    severity="warning",
    scope=Scope.CASE,
    summary="validation_split is no share of the examples that leaves some to train on.",
    why="Keras refuses it, or no example is left to train on.",
)
BATCH_OF_ONE = Rule(
    code="P002",
    name="batch-of-one-under-batch-norm",
    field="fit.batch_size",
    severity="warning",
    scope=Scope.CASE,
    summary="Batches hold one example each, and a BatchNormalization takes its means over the examples of a batch.",
    why="One example less its own mean is 0: the layer passes on nothing of it.",
)
TOO_FEW_UPDATES = Rule(
    code="P003",
    name="updates-too-few",
    field="fit.epochs",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.IMAGES,),
    summary="The whole fit updates the weights fewer than twenty times.",
    why="Each update moves the weights by about the learning rate: after so few the network is nearly untrained.",
)
BATCH_OF_ALL = Rule(
    code="P004",
    name="batch-holds-all-examples",
    field="fit.batch_size",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.IMAGES,),
    summary="One batch holds all examples, so that each epoch updates the weights once, and there are few epochs.",
    why="Each update moves the weights by about the learning rate: after so few the network is nearly untrained.",
)


@check(VALIDATION_SPLIT_IMPOSSIBLE)
def check_validation_split(case: Case) -> Iterator[Finding]:
    """Yield a validation_split outside of 0..1."""
    split = _validation_split(case)
    if not 0 <= split < 1:
        yield VALIDATION_SPLIT_IMPOSSIBLE.found(
            expected="validation_split from 0 to below 1",
            received=f"{split:g}",
            fix="model.fit(..., validation_split=0.1)",
        )


@check(BATCH_OF_ONE)
def check_batch_of_one(case: Case) -> Iterator[Finding]:
    """Yield batches of one example under a BatchNormalization over examples."""
    norms = case.contract.architecture.dense_norms
    if norms and _number(case.fit.get("batch_size")) == 1 and 0 <= _validation_split(case) < 1:
        yield BATCH_OF_ONE.found(
            expected="two or more examples per batch for BatchNormalization over examples",
            received=f"batch_size=1 with {norms[0]}",
            fix="model.fit(..., batch_size=32)",
        )


@check(TOO_FEW_UPDATES, BATCH_OF_ALL)
def check_updates(case: Case) -> Iterator[Finding]:
    """Yield a fit that updates the weights hardly ever, by its epochs or its batch size."""
    count = len(case.train.images) if case.train.images is not None and case.train.images.ndim else 0
    split, epochs = _validation_split(case), _number(case.fit.get("epochs"))
    if not epochs or not count or not 0 <= split < 1:
        return
    if not case.train.is_whole and not _number(case.fit.get("steps_per_epoch")):
        return  # a sample does not tell how many batches an epoch has
    batch = _number(case.fit.get("batch_size"))
    stated = case.fit.get("batches", math.ceil(count * (1 - split) / max(batch or 32, 1)))  # None: nobody knows
    steps = _number(case.fit.get("steps_per_epoch")) or _number(stated)
    if not steps or steps * epochs >= FEW_UPDATES or (case.frame is not None and is_in_a_loop(case.frame)):
        return
    whole = steps == 1 and count > 64 and batch is not None
    more = f"model.fit(..., epochs={math.ceil(10 * FEW_UPDATES / steps)})"
    yield (BATCH_OF_ALL if whole else TOO_FEW_UPDATES).found(
        "train",
        severity="note" if epochs == 1 else "warning",  # who fits one epoch knows it, and means a trial or a loop
        expected=f"at least some tens of updates of the weights (a floor of {FEW_UPDATES})",
        received=f"{int(steps * epochs)}: {int(epochs)} epochs of {int(steps)} batches",
        fix="model.fit(..., batch_size=32)" if whole else more,
    )


def _validation_split(case: Case) -> float:
    return _number(case.fit.get("validation_split")) or 0.0


def _number(stated: object) -> float | None:
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) and stated >= 0 else None
