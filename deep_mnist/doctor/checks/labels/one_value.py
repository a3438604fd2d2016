"""Checks of targets that are no classes and never change, as a whole or in some of their channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, DISTRIBUTION_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.chunks import holds
from deep_mnist.doctor.evidence.live.own_code import all_layers, names_in, own_names
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding, first_of
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

FEWEST = 20  # examples
COMPARING = (*SPARSE_LOSSES, *DISTRIBUTION_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
OF_ITS_OWN = {"train_step", "compute_loss", "fit", "add_loss"}  # names of code that may pass over the targets
MOST_CHANNELS = 64
COLOURS = (3, 4)  # channels of images, of which one may be blank

ONE_TARGET = Rule(
    code="L212",
    name="targets-all-alike",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    follows=(Follows(rules=("L106",), on=On.SAME_SPLIT),),
    summary="All targets are one and the same.",
    why="The network learns this one answer, whatever it is shown: the loss falls to near 0 and nothing was learned.",
)
CHANNELS = Rule(
    code="L213",
    name="target-channels-constant",
    field="labels.values",
    severity="note",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.LOSS),
    summary="Some channels of the targets hold one value throughout.",
    why="The network learns this one value for them, whatever it is shown.",
)


@check(ONE_TARGET, CHANNELS)
def check_one_value(case: Case, split: Split) -> Iterator[Finding]:
    """Yield targets of train that never change, where a loss of Keras compares what the network itself predicts."""
    labels = split.labels
    if split.name != "train" or labels is None or not _compares(case, labels) or not _takes_targets_as_they_are(case):
        return
    first = labels[0]
    if holds(labels, lambda chunk: chunk == first):
        if split.images is not None and _are_alike(split.images):
            return  # one input has one answer
        value = f"{float(first.flat[0]):g} throughout" if (first == first.flat[0]).all() else "one and the same target"
        yield ONE_TARGET.found(
            "train",
            severity="" if split.is_whole else "warning",
            expected=f"targets that differ from one {case.example} to another",
            received=f"{value}, for {'all ' if split.is_whole else ''}{len(labels)} {case.example}s",
            fix="Write train_labels again from the source: was each computed from its own example, in the units and "
            "the size of the target, and not divided, cast or written over?",
        )  # fmt: skip
    elif labels.ndim > 3 and labels.shape[-1] <= MOST_CHANNELS and labels.shape[-1] not in COLOURS:
        yield from _channels_found(labels)


def _are_alike(images: np.ndarray) -> bool:
    first = images[0] if len(images) else images
    return holds(images, lambda chunk: chunk == first)


def _is_throughout(values: np.ndarray, one: np.generic) -> bool:
    return holds(values, lambda chunk: chunk == one)


def _channels_found(labels: np.ndarray) -> Iterator[Finding]:
    last = labels[(0,) * (labels.ndim - 1)]
    constant = np.array([_is_throughout(labels[..., each], one) for each, one in enumerate(last)])
    if constant.any():
        yield CHANNELS.found(
            "train",
            expected="targets that change in each of their channels",
            received=f"{int(constant.sum())} of {len(constant)} channels of one value in all {len(labels)} targets",
            fix="Look for what these channels are made of in the code that writes train_labels.",
            where=first_of(constant),
        )


def _compares(case: Case, labels: np.ndarray) -> bool:
    """Whether targets are enough, no classes of examples, and compared with an output by one of Keras's losses."""
    contract = case.contract
    if labels.dtype.kind not in "fiub" or len(labels) < FEWEST or not labels[0].size:
        return False
    if contract.loss not in COMPARING or contract.outputs or (contract.output_activation or "unknown") == "unknown":
        return False
    is_number = case.task is Task.BINARY and contract.loss in REGRESSION_LOSSES
    return is_number or case.task in (Task.EVERY_POSITION, Task.MULTI_LABEL, Task.NUMBERS)


def _takes_targets_as_they_are(case: Case) -> bool:
    """Whether nothing speaks for targets that are constant on purpose.

    Such are those of a frozen discriminator, of a network without a bias that is drawn to one point, and of code of the
    user's own that adds its loss itself.
    """
    if case.call is None:
        return True
    layers = all_layers(case.call.model)
    if case.call.verb == "train_on_batch" or not layers or OF_ITS_OWN & own_names(case.call.model):
        return False
    if any(not each.trainable or not getattr(each, "use_bias", True) for each in layers):
        return False
    own = [getattr(vars(type(each)).get("call"), "__code__", None) for each in layers]
    return not any(code is not None and "add_loss" in names_in(code) for code in own)
