"""Checks of labels that are rows, one score per class, or of more than two axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import compiled_with, last_layer
from deep_mnist.doctor.checks.vocabulary_sizes import reads_what_it_predicts, sized_line
from deep_mnist.doctor.evidence.chunks import REAL_KINDS, Wrong, chunks, wrong_in
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, Rule, Scope, check

MEANT = 0.02  # of the rows: fewer with two classes are slips in rows that are meant to have one
LOOKED_AT = 1024  # rows, for what they are
ROW_SUM_TOLERANCE = 0.02  # of a row of probabilities, stored as float16 or rounded to two digits

FOR_SPARSE_LOSS = Rule(
    code="L121",
    name="label-rows-for-class-numbers",
    field="labels.encoding",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="The labels are one-hot rows, and the loss expects class numbers.",
    why="Keras refuses the rank, or takes each 0 and 1 for a class; or use the loss without sparse_.",
)
OTHER_WIDTH = Rule(
    code="L122",
    name="one-hot-labels-of-another-width",
    field="labels.width",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="One-hot rows have more columns than the output has units, or fewer.",
    why="Keras refuses to compare rows of unequal width.",
)
NO_DISTRIBUTION = Rule(
    code="L123",
    name="label-rows-no-distribution",
    field="labels.encoding",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    follows=(Follows(rules=("L125",)),),
    summary="Some rows of labels are no distribution over the classes: they hold negative numbers, or do not sum to 1.",
    why="Cross-entropy compares distributions: all-zero rows teach nothing, and others weigh too much.",
)
ENCODED_TWICE = Rule(
    code="L124",
    name="labels-one-hot-encoded-twice",
    field="labels.encoding",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="One-hot rows were one-hot encoded once more.",
    why="Keras refuses the rank; old versions took each row for an example.",
)
EXTRA_AXES = Rule(
    code="L141",
    name="labels-of-too-many-axes",
    field="labels.rank",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="The labels have more axes than class numbers or one-hot rows have.",
    why="Keras refuses the rank, or broadcasts labels against every unit.",
)
SEVERAL_UNDER_SOFTMAX = Rule(
    code="L125",
    name="several-classes-under-softmax",
    field="labels.encoding",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Rows mark several classes at once, and the output's softmax shares one certainty among all classes.",
    why="The units compete: no two of them can be near 1 together, and the loss stays high.",
)
SOFTMAX_LOSSES = ("categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence", *BINARY_LOSSES)
ONE_ANSWER = "One unit gives one answer, and a row states two: Keras refuses them, or compares the unit with each."
ROW_RULES = (FOR_SPARSE_LOSS, OTHER_WIDTH, NO_DISTRIBUTION, ENCODED_TWICE, EXTRA_AXES)


def rows_found(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with rows (n, classes) as scores for each class."""
    contract = case.contract
    name, width, images = f"{split.name}_labels", labels.shape[1], split.images
    if images is not None and images.ndim > 4 and images.shape[:2] == labels.shape:
        return  # grouped in batches: reported once, of the images' rank
    improper = wrong_in(labels, lambda chunk: ~_are_proper(chunk))
    if contract.label_encoding == "sparse":
        if improper.count and contract.output_rank is None:
            return  # the output may have as many positions
        if improper.count and _are_of_steps(labels, images):
            yield _of_steps(contract, split, labels)
            return
        one_hot = "rows" if improper.count else "one-hot rows"
        yield FOR_SPARSE_LOSS.found(
            split.name,
            expected=f"class numbers (n,) for {contract.loss}",
            received=f"{one_hot} of shape {labels.shape}",
            fix=f"{name} = {name}.argmax(axis=1)" if width > 1 else f"{name} = {name}.reshape(-1)",
            why=ONE_ANSWER if contract.loss in BINARY_LOSSES else "",
        )
        return
    expected = contract.output_units or contract.num_classes
    any_numbers = contract.loss in (*BINARY_LOSSES, *REGRESSION_LOSSES)
    if expected and width != expected:
        if reads_what_it_predicts(case):
            return  # reported once, of the tokens
        yield _other_width(case, split, labels, expected)
    elif contract.label_encoding == "one_hot" and not any_numbers and improper.count and not _are_weighted(labels):
        yield _no_distribution(split, labels, improper)


def _are_proper(rows: np.ndarray) -> np.ndarray:
    sums = rows.sum(axis=1, dtype=np.float64)
    proper: np.ndarray = (np.abs(sums - 1) < ROW_SUM_TOLERANCE) & (rows.min(axis=1) >= -ROW_SUM_TOLERANCE)
    return proper


@check(SEVERAL_UNDER_SOFTMAX)
def check_several(case: Case, split: Split) -> Iterator[Finding]:
    """Yield rows that mark several classes, for a network that can be certain of one."""
    contract, labels = case.contract, split.labels
    if labels is None or labels.ndim != 2 or labels.dtype.kind not in REAL_KINDS or not labels.size:
        return
    if contract.output_activation != "softmax" or contract.loss not in SOFTMAX_LOSSES or contract.output_rank != 2:
        return
    width = labels.shape[1]
    if width == contract.output_units and (several := _with_several(labels)).count > MEANT * len(labels):
        yield SEVERAL_UNDER_SOFTMAX.found(
            split.name,
            expected="rows with one class each, or a sigmoid, by which each unit answers for itself",
            received=f"{several.count} rows with two classes or more, under a softmax",
            fix=f"{last_layer(width, 'sigmoid')}; {compiled_with(contract, 'binary_crossentropy', several=True)}",
            where=several.where,
        )


def _with_several(rows: np.ndarray) -> Wrong:
    """Return the rows with more than one 1, none where anything but 0 and 1 stands in them."""
    if wrong_in(rows, lambda chunk: (chunk != 0) & (chunk != 1)).count:
        return Wrong(0, ())
    return wrong_in(rows, lambda chunk: np.count_nonzero(chunk, axis=1) > 1)


def _of_steps(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    return FOR_SPARSE_LOSS.found(
        split.name,
        expected=f"one class number for a sequence, as the network predicts: (n,) for {contract.loss}",
        received=f"one for each of its {labels.shape[1]} steps: {labels.shape}",
        fix="Let the network predict every step: return_sequences=True in its last recurrent layer, and no Flatten "
        "or pooling behind it.",
    )


def _are_of_steps(labels: np.ndarray, images: np.ndarray | None) -> bool:
    """Whether rows hold a class number for each step of sequences, (n, steps) or (n, steps, features)."""
    steps = images.shape[1] if images is not None and images.ndim in (2, 3) else 0
    return labels.shape[1] == steps > 1 and not wrong_in(labels, lambda chunk: (chunk < 0) | (chunk % 1 != 0)).count


def _other_width(case: Case, split: Split, labels: np.ndarray, expected: int) -> Finding:
    contract, trained = case.contract, case.train.labels
    name, width = f"{split.name}_labels", labels.shape[1]
    sized = sized_line(case, expected, width, units_too=True) if contract.vocabulary == expected else ""
    used = np.flatnonzero(np.any([chunk.any(axis=0) for _, chunk in chunks(labels)], axis=0))
    if sized:
        fix, note = sized, ": the vocabulary was counted without the 0 of padding"
    elif width == expected + 1 and len(used) and used[0] == 1:
        fix, note = f"{name} = {name}[:, 1:]", ", the first never used: the classes were numbered from 1"
    elif width > expected and len(used) and used[-1] < expected:
        fix, note = f"{name} = {name}[:, :{expected}]", f", of which only the first {used[-1] + 1} are used"
    elif split.name != "train" and trained is not None and trained.shape[1:] == (expected,):
        fix = f"Encode {name} by the classes of train_labels: one encoder for both, or to_categorical(…, {expected})."
        note = f" where train_labels have {expected}: each was encoded by the classes that it holds itself"
    else:
        activation = contract.output_activation if contract.output_activation in ("sigmoid", "softmax") else None
        plain = contract.output_activation == "linear"
        fix, note = f"{last_layer(width, None if plain else activation or 'softmax')}  # one unit per class", ""
    return OTHER_WIDTH.found(
        split.name,
        expected=f"one-hot rows of {expected} columns, one for each unit",
        received=f"{width} columns{note}",
        fix=fix,
    )


def _are_weighted(labels: np.ndarray) -> bool:
    """Whether rows are one-hot, each times an amount of its own: as good as a weight, by which a loss is linear."""
    rows = labels[:LOOKED_AT]
    amounts = rows[rows != 0]
    return not (np.count_nonzero(rows, axis=1) > 1).any() and len(np.unique(amounts)) > 2


def _no_distribution(split: Split, labels: np.ndarray, wrong: Wrong) -> Finding:
    name, total = f"{split.name}_labels", float(labels[wrong.where[0]].sum())
    classes = f'np.eye({labels.shape[1]}, dtype="float32")'
    return NO_DISTRIBUTION.found(
        split.name,
        expected="rows that are probabilities, summing to 1",
        received=f"{wrong.count} rows that sum to {total:.4g} or hold negative numbers",
        fix=f"Give the class that each row is about as y, {classes}[classes] (of a policy gradient the action taken), "
        "and the amounts as sample_weight."
        if _are_amounts(labels)
        else f"{name} = {classes}[{name}.argmax(axis=1)]",
        where=wrong.where,
    )


def _are_amounts(labels: np.ndarray) -> bool:
    """Whether no largest column of rows tells their class: columns are equal, or hold ever other negative numbers."""
    rows = labels[:LOOKED_AT]
    equal = bool((rows == rows[:, :1]).all() and rows.any())
    return equal or (bool((rows < 0).any()) and len(np.unique(rows, axis=0)) > rows.shape[1])


def _is_one_hot_twice(labels: np.ndarray) -> bool:
    """Whether rows of 0 and 1 were encoded as if they were class numbers: only the first two columns are used."""
    return bool((labels.sum(axis=2) == 1).all()) and not labels[:, :, 2:].any()


def rank_found(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with labels of no rank or of more than two axes."""
    name, images = f"{split.name}_labels", split.images
    if images is not None and images.ndim > 4 and images.shape[:2] == labels.shape[:2]:
        return  # grouped in batches: reported once, of the images' rank
    if labels.ndim == 3 and labels.shape[2] > 1 and _is_one_hot_twice(labels[:64]):
        again = f"{name} = {name}[..., 1]" + (".argmax(axis=1)" if contract.label_encoding == "sparse" else "")
        yield ENCODED_TWICE.found(
            split.name,
            expected=f"one-hot rows (n, {labels.shape[1]})",
            received=f"shape {labels.shape}: one-hot encoded twice",
            fix=again,
        )
        return
    squeezed = tuple(length for length in labels.shape[1:] if length != 1)
    if len(squeezed) > 1 and contract.output_rank is None:
        return  # the output may have as many positions
    yield EXTRA_AXES.found(
        split.name,
        expected="labels of shape (n,) or (n, classes)",
        received=f"shape {labels.shape}",
        fix=f"{name} = {name}.reshape({(len(labels), *squeezed)})"
        if len(squeezed) < 2
        else f"Write {name} again: these look like images or another array.",
    )
