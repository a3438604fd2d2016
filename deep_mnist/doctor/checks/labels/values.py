"""Checks of the values of class numbers: whole, among the network's classes, and of more than one class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.checks.vocabulary_sizes import reads_what_it_predicts, sized_line
from deep_mnist.doctor.evidence.chunks import extent, holds, tally, wrong_in
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.task import are_divided
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import FOLDERS_AS_CLASSES, Follows, Need, On, Rule, Scope

FEWEST = 20  # labels; fewer may be of one class by luck
BY_LUCK = 0.001  # chance that a random split puts every example of a rare class into the other part
FAR_APART = 10  # times as many units as different labels, which no network needs
MOST_LISTED = 40  # classes listed in a fix

BEYOND_CLASSES = Rule(
    code="L101",
    name="labels-beyond-the-classes",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    follows=(Follows(rules=("M110",), on=On.MODEL), FOLDERS_AS_CLASSES),
    summary="Some labels are no number of a class: negative, or not below the number of classes.",
    why="A label outside the output's units gives an error on a CPU and NaN on a GPU.",
)
FRACTIONS = Rule(
    code="L104",
    name="labels-are-fractions",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Labels of a network that predicts classes are not whole numbers.",
    why="The cast to integers makes every label 0: loss 0, accuracy chance.",
)
DIVIDED = Rule(
    code="L105",
    name="labels-divided-by-255",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="The labels were divided by 255 as if they were pixels.",
    why="The cast to integers makes every label 0: loss 0, accuracy chance.",
)
ONE_CLASS = Rule(
    code="L106",
    name="labels-of-one-class",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="All labels of a split are the same number, for a network of several classes.",
    why="The network learns to predict always the same: loss near 0, accuracy chance on real data.",
)
VALUE_RULES = (BEYOND_CLASSES, FRACTIONS, DIVIDED, ONE_CLASS)


def fractions(split: Split, labels: np.ndarray) -> Finding:
    """Return the finding on labels (n,) that are not whole numbers."""
    name, (low, high) = f"{split.name}_labels", extent(labels)
    divided = are_divided(labels)
    return (DIVIDED if divided else FRACTIONS).found(
        split.name,
        expected="whole class numbers",
        received=f"fractions from {low:.4g} to {high:.4g}"
        + (", as if divided by 255 with the images" if divided else ""),
        fix=f"{name} = np.rint({name} * 255).astype(int)" if divided else f"Write {name} again as whole class numbers.",
        where=wrong_in(labels, lambda chunk: chunk != np.rint(chunk)).where,
    )


def values_found(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with the values of whole numbers (n,) as classes of this network."""
    classes = case.contract.num_classes
    least, greatest = extent(labels)
    if case.contract.loss in BINARY_LOSSES and _weigh_nothing(case, split, (labels < 0) | (labels > 1)):
        return
    if classes is None:
        if _is_beyond_an_answer(case, least, greatest):
            yield _no_answers(case, split, labels)
        return
    if least >= 0 and greatest < classes:
        if least == greatest and classes > 1 and len(labels) >= FEWEST and not _is_one_by_nature(case, split, labels):
            yield _one_class(split, labels, classes)
        return
    if case.contract.loss in BINARY_LOSSES and labels.dtype.kind == "f" and len(tally(labels).values) > classes:
        yield _no_answers(case, split, labels)
        return
    if least == greatest and len(labels) >= FEWEST and split.name == "train":
        yield _one_class(split, labels, classes)
        return
    if least >= 0 and reads_what_it_predicts(case):
        return  # reported once, of the tokens
    sized = case.contract.vocabulary == classes and sized_line(case, classes, int(greatest) + 1, units_too=True)
    yield BEYOND_CLASSES.found(
        split.name,
        expected=f"class numbers 0 to {classes - 1}",
        received=_values_text(labels),
        fix=sized or _renumbered(f"{split.name}_labels", labels, classes, in_memory=case.call is not None),
        where=wrong_in(labels, lambda chunk: (chunk < 0) | (chunk >= classes)).where,
    )


def _is_beyond_an_answer(case: Case, least: float, greatest: float) -> bool:
    """Whether labels lie beyond 0 and 1, which a loss of answers of yes or no asks for, whatever the network is."""
    if case.call is None or case.call.verb == "Session.run":  # whose graph tells what reaches the loss
        return False
    if case.contract.loss not in BINARY_LOSSES or 0 <= least <= greatest <= 1:
        return False
    own = own_names(case.call.model)
    return own.isdisjoint(("train_step", "compute_loss", "fit")) and not case.contract.outputs


def _weigh_nothing(case: Case, split: Split, outside: np.ndarray) -> bool:
    """Whether what is no answer has no weight in the loss, as people leave out what is not known."""
    weights = case.call.arguments.get("sample_weight") if case.call is not None else None
    if weights is None or not outside.any():
        return False
    held = np.asarray(weights).reshape(-1)[: len(outside)]
    return split.name != "train" or (len(held) == len(outside) and not held[outside].any())


def _no_answers(case: Case, split: Split, labels: np.ndarray) -> Finding:
    """Return the finding on amounts, such as ratings, under a loss of answers of yes or no."""
    low, high = extent(labels)
    return BEYOND_CLASSES.found(
        split.name,
        expected=f"0 or 1 for {case.contract.loss}",
        received=_values_text(labels),
        fix=f"{last_layer(1)}; {compiled_with(case.contract, 'mean_squared_error')}"
        if not are_two(labels)
        else f"{split.name}_labels = ({split.name}_labels - {low:g}) / {high - low:g}",
        where=wrong_in(labels, lambda chunk: (chunk < 0) | (chunk > 1)).where,
    )


def are_two(labels: np.ndarray) -> bool:
    """Whether labels are of two values, and so two classes."""
    return len(tally(labels).values) == 2


def _is_one_by_nature(case: Case, split: Split, labels: np.ndarray) -> bool:
    """Whether one class alone is no sign of lost labels: of a test split, or of a train split without a rare class."""
    if case.call is not None and case.call.verb == "train_on_batch" and case.contract.output_units == 1:
        return True  # a discriminator's batch is all real, or all made up
    others = [each.classes for each in case.splits.values() if each is not split and each.classes is not None]
    own = float(labels[0])
    different = [classes for classes in others if classes.tally.of(own) < len(classes)]
    if split.name != "train" or not different:
        return bool(different)
    size = len(different[0])
    rare = size - different[0].tally.of(own)
    return (size / (size + len(labels))) ** rare > BY_LUCK


def _one_class(split: Split, labels: np.ndarray, classes: int) -> Finding:
    return ONE_CLASS.found(
        split.name,
        expected=f"labels of {classes} classes",
        received=f"the label {int(labels[0])} throughout ({len(labels)} times)",
        fix=f"Write {split.name}_labels again from the source (was it divided, cast or overwritten?).",
    )


def _values_text(labels: np.ndarray) -> str:
    found = tally(labels)
    distinct = found.values
    shown = ", ".join(f"{value:g}" for value in distinct[:6])
    ends = f" … {distinct[-1]:g}" if len(distinct) > 6 else ""
    return f"{'' if found.complete else 'over '}{len(distinct)} different values: {shown}{ends}"


def _renumbered(name: str, labels: np.ndarray, classes: int, *, in_memory: bool) -> str:
    low, high = extent(labels)
    if low == 1 and high == classes:
        return f"{name} = {name} - 1"
    if labels.dtype.kind in "iu" and labels.dtype.itemsize > 1:
        if holds(labels, lambda chunk: (chunk.byteswap() >= 0) & (chunk.byteswap() < classes)):
            return f'{name} = {name}.byteswap()  # or read with dtype ">i{labels.dtype.itemsize}"'
    distinct = tally(labels).values.astype(np.int64)
    if distinct.tolist() == [-1, 1]:
        return f"{name} = ({name} + 1) // 2"
    if len(distinct) == classes:
        few = classes <= MOST_LISTED
        return f"{name} = np.searchsorted({distinct.tolist()}, {name})" if few else f"Renumber {name} from 0."
    if len(distinct) < classes and low == -1:
        return f"Drop the examples whose label is -1 (unlabelled) from {name} and its images."
    if in_memory and high >= FAR_APART * len(distinct):
        return (
            f"Number {name} from 0, in every split alike: {len(distinct)} different values need no {high + 1:g} units."
        )
    if in_memory:
        return f"Dense({int(high) + 1}) as the last layer has a unit for each of {low:g}..{high:g}; or renumber {name}."
    return f"Read the label field at its real offset and type, and write {name} again; values must be 0..{classes - 1}."
