"""Checks of one split's labels against the loss, the output and the images' number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import REAL_KINDS, Case, Split
from deep_mnist.doctor.checks.targets import check_targets
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding
from deep_mnist.doctor.fix_lines import compiled_with, last_layer

ROW_SUM_TOLERANCE = 0.02  # of a row of probabilities, stored as float16 or rounded to two digits
AMOUNTS_AMONG = 2000  # labels looked at
MOST_CLASSES_LIKELY = 20  # different fractions; more are no classes
BY_LUCK = 0.001  # chance that a random split puts every example of a rare class into the other part
CLASS_RATIO = 1 / 255  # what integer labels look like after the images' scaling


def check_labels(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong with a split's labels by themselves and against the contract."""
    labels, contract = split.labels, case.contract
    if labels is None:
        return
    if labels.dtype.kind not in REAL_KINDS:
        yield _wrong_kind(split, labels)
        return
    yield from _check_count(split)
    if not labels.size:
        return
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        yield _not_finite(split, labels)
        return
    numbers = case.contract.loss in REGRESSION_LOSSES and case.contract.output_units == 1
    if numbers or not case.task.has_classes:
        yield from check_targets(case, split)
        return
    rank = labels.ndim
    if rank == 1 or (rank == 2 and labels.shape[1] == 1):
        yield from _check_numbers(case, split, labels.reshape(-1))
    elif rank == 2:
        yield from _check_rows(contract, split, labels)
    else:
        yield from _check_rank(contract, split, labels)


def _found(
    split: Split,
    name: str,
    severity: str,
    expected: str,
    received: str,
    fix: str,
    why: str,
    where: tuple[int, ...] = (),
    kind: FaultKind = FaultKind.PLAIN,
) -> Finding:
    return Finding(
        field=f"labels.{name}",
        severity=severity,
        split=split.name,
        expected=expected,
        received=received,
        fix=fix,
        why=why,
        where=where,
        kind=kind,
    )


def _first(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.flatnonzero(wrong)[:MAX_WHERE])


def _wrong_kind(split: Split, labels: np.ndarray) -> Finding:
    name = f"{split.name}_labels"
    numeric = labels.dtype.kind in "US" and _are_digits(labels)
    fix = (
        f"{name} = {name}.astype(int)"
        if numeric
        else f"{name} = np.unique({name}, return_inverse=True)[1]  # the same order in every split"
    )
    return _found(
        split,
        "dtype",
        "error",
        "class numbers, 0 to classes - 1",
        f"dtype {labels.dtype} such as {str(labels.reshape(-1)[:1].tolist())[:60]}",
        fix,
        "A loss cannot compare text with scores: training stops at the first batch.",
    )


def _are_digits(labels: np.ndarray) -> bool:
    try:
        return bool(np.all(np.char.isdigit(np.char.strip(labels.reshape(-1)[:1000]))))
    except (TypeError, UnicodeError, ValueError):
        return False


def _check_count(split: Split) -> Iterator[Finding]:
    labels, images = split.labels, split.images
    if labels is None or images is None or not labels.ndim or not images.ndim or len(labels) == len(images):
        return
    if len(images) == 0 or _batched_alike(images, labels) or labels.shape[0] in images.shape[-1:]:
        return
    shorter = min(len(labels), len(images))
    yield _found(
        split,
        "count",
        "error",
        f"{len(images)} labels, one for each image",
        f"{len(labels)}",
        f"Write images and labels again from one source, with one mask and one order "
        f"(the first {shorter} need not belong together).",
        "Keras stops: data cardinality is ambiguous.",
        kind=FaultKind.COUNT,
    )


def _batched_alike(images: np.ndarray, labels: np.ndarray) -> bool:
    return images.ndim > 4 and labels.ndim >= 2 and images.shape[:2] == labels.shape[:2]


def _not_finite(split: Split, labels: np.ndarray) -> Finding:
    wrong = ~np.isfinite(labels).reshape(len(labels), -1).all(axis=1)
    name, images = f"{split.name}_labels", f"{split.name}_images"
    return _found(
        split,
        "finite",
        "error",
        "a class for every image",
        f"{int(wrong.sum())} labels NaN or infinite",
        f"keep = np.isfinite({name}.reshape(len({name}), -1)).all(1); {images}, {name} = {images}[keep], {name}[keep]",
        "The loss becomes NaN at the first such batch, and all weights with it.",
        _first(wrong),
    )


# --- numbers: one class a label ------------------------------------------------------------------


def _check_numbers(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    contract, name = case.contract, f"{split.name}_labels"
    whole = labels.dtype.kind != "f" or bool((labels == np.rint(labels)).all())
    if not whole:
        yield _fractions(contract, split, labels)
        return
    valued = list(_check_values(case, split, labels))
    yield from valued
    if contract.loss in REGRESSION_LOSSES and (contract.output_units or 2) > 1:
        yield Finding(
            field="contract.loss",
            severity="error",
            split=split.name,
            expected="sparse_categorical_crossentropy for class numbers",
            received=f"{contract.loss} on labels of shape {split.labels.shape if split.labels is not None else ()}",
            fix=compiled_with(contract, SPARSE_LOSSES[0], from_logits=contract.output_activation == "linear"),
            why="One number is compared with every unit (broadcast, or refused): the loss means nothing.",
            kind=FaultKind.NUMBERS,
        )
    elif contract.label_encoding == "one_hot" and contract.output_units != 1:
        yield from _numbers_for_rows(contract, split, labels)
    elif contract.label_encoding == "sparse" and not valued:
        yield from _check_number_form(split, labels)
    if labels.dtype.kind == "b" and (contract.num_classes or 2) > 2:
        yield _found(
            split,
            "dtype",
            "error",
            f"class numbers 0 to {(contract.num_classes or 2) - 1}",
            "booleans",
            f"Write {name} again from the source: booleans hold two classes.",
            "All but two classes are lost.",
        )


def _numbers_for_rows(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    name, width = f"{split.name}_labels", contract.output_units or contract.num_classes or "classes"
    yield _found(
        split,
        "encoding",
        "error",
        f"one-hot rows (n, {width}) for {contract.loss}",
        f"class numbers of shape {split.labels.shape if split.labels is not None else labels.shape}",
        f'{name} = np.eye({width}, dtype="float32")[{name}.astype(int).reshape(-1)]',
        "Keras refuses the shape, or broadcasts one number over all units; or use the sparse_ loss.",
    )


def _are_amounts(labels: np.ndarray) -> bool:
    many = len(np.unique(labels[:AMOUNTS_AMONG])) > MOST_CLASSES_LIKELY
    return many and not 0 <= float(labels.min()) <= float(labels.max()) <= 1


def _amounts(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    """Numbers to be predicted as such, under a loss for classes."""
    return Finding(
        field="labels.values" if contract.loss in BINARY_LOSSES else "contract.loss",
        severity="error",
        split=split.name,
        expected="mean_squared_error (or another loss for amounts) over one unit without an activation",
        received=f"{contract.loss} for {len(np.unique(labels[:AMOUNTS_AMONG]))} different fractions, "
        f"{labels.min():.4g} to {labels.max():.4g}",
        fix=f"{last_layer(1)}; {compiled_with(contract, 'mean_squared_error')}",
        why="The loss takes each amount for a class or a probability: it falls below zero, becomes NaN, or stays.",
        kind=FaultKind.NUMBERS,
    )


def _fractions(contract: Contract, split: Split, labels: np.ndarray) -> Finding:
    name, restored = f"{split.name}_labels", labels / CLASS_RATIO
    scaled = bool(np.abs(restored - np.rint(restored)).max() < 0.01) and float(labels.max()) <= 1
    fix = f"{name} = np.rint({name} * 255).astype(int)" if scaled else f"Write {name} again as whole class numbers."
    if contract.loss is not None and not scaled and _are_amounts(labels):
        return _amounts(contract, split, labels)
    return _found(
        split,
        "values",
        "error",
        "whole class numbers",
        f"fractions from {labels.min():.4g} to {labels.max():.4g}"
        + (", as if divided by 255 with the images" if scaled else ""),
        fix,
        "The cast to integers makes every label 0: loss 0, accuracy chance.",
        _first(labels != np.rint(labels)),
    )


def _check_number_form(split: Split, labels: np.ndarray) -> Iterator[Finding]:
    name = f"{split.name}_labels"
    if labels.dtype.kind == "f":
        yield _found(
            split,
            "dtype",
            "note",
            "integer labels",
            f"{labels.dtype}, all whole numbers",
            f'{name} = {name}.astype("int64")',
            "Keras casts them silently; TensorFlow's own sparse losses refuse float labels.",
        )
    if split.labels is not None and split.labels.ndim == 2:
        yield _found(
            split,
            "rank",
            "note",
            "labels of shape (n,)",
            f"shape {split.labels.shape}",
            f"{name} = {name}.reshape(-1)",
            "Keras squeezes the axis away; other code broadcasts (n, 1) against (n,) to (n, n).",
        )


def _check_values(case: Case, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    classes = case.contract.num_classes
    least, greatest = float(labels.min()), float(labels.max())
    if classes is None:
        return
    if least >= 0 and greatest < classes:
        if least == greatest and classes > 1 and len(labels) >= 20 and not _is_one_by_nature(case, split, labels):
            yield _one_value(split, labels, classes)
        return
    yield _found(
        split,
        "values",
        "error",
        f"class numbers 0 to {classes - 1}",
        _values_text(labels),
        _mend_values(f"{split.name}_labels", labels, classes),
        "A label outside the output's units gives an error on a CPU and NaN on a GPU.",
        _first((labels < 0) | (labels >= classes)),
        kind=FaultKind.VALUES,
    )


def _is_one_by_nature(case: Case, split: Split, labels: np.ndarray) -> bool:
    """Whether one class alone is no sign of lost labels: of a test split, or of a train split without a rare class."""
    others = [each.classes for each in case.splits.values() if each is not split and each.classes is not None]
    different = [classes for classes in others if (classes != labels[0]).any()]
    if split.name != "train" or not different:
        return bool(different)
    rare, size = int((different[0] != labels[0]).sum()), len(different[0])
    return (size / (size + len(labels))) ** rare > BY_LUCK


def _one_value(split: Split, labels: np.ndarray, classes: int) -> Finding:
    return _found(
        split,
        "values",
        "error",
        f"labels of {classes} classes",
        f"the label {int(labels[0])} throughout ({len(labels)} times)",
        f"Write {split.name}_labels again from the source (was it divided, cast or overwritten?).",
        "The network learns to predict always the same: loss near 0, accuracy chance on real data.",
        kind=FaultKind.ONE_VALUE,
    )


def _values_text(labels: np.ndarray) -> str:
    distinct = np.unique(labels)
    shown = ", ".join(f"{value:g}" for value in distinct[:6])
    ends = f" … {distinct[-1]:g}" if len(distinct) > 6 else ""
    return f"{len(distinct)} different values: {shown}{ends}"


def _mend_values(name: str, labels: np.ndarray, classes: int) -> str:
    whole = labels.astype(np.int64)
    if whole.min() == 1 and whole.max() == classes:
        return f"{name} = {name} - 1"
    if labels.dtype.kind in "iu" and labels.dtype.itemsize > 1:
        swapped = labels.astype(labels.dtype).byteswap()
        if 0 <= swapped.min() and swapped.max() < classes:
            return f'{name} = {name}.byteswap()  # or read with dtype ">i{labels.dtype.itemsize}"'
    distinct = np.unique(whole)
    if len(distinct) == classes:
        return f"{name} = np.searchsorted({distinct.tolist()}, {name})" if classes <= 40 else f"Renumber {name} from 0."
    if len(distinct) < classes and whole.min() == -1:
        return f"Drop the examples whose label is -1 (unlabelled) from {name} and its images."
    return f"Read the label field at its real offset and type, and write {name} again; values must be 0..{classes - 1}."


# --- rows: one score per class ---------------------------------------------------------------------


def _check_rows(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    name, width = f"{split.name}_labels", labels.shape[1]
    images = split.images
    if images is not None and images.ndim > 4 and images.shape[:2] == labels.shape:
        return  # grouped in batches: reported once, of the images' rank
    sums = labels.sum(axis=1, dtype=np.float64)
    proper = (np.abs(sums - 1) < ROW_SUM_TOLERANCE) & (labels.min(axis=1) >= -ROW_SUM_TOLERANCE)
    if contract.label_encoding == "sparse":
        one_hot = "one-hot rows" if proper.all() else "rows"
        yield _found(
            split,
            "encoding",
            "error",
            f"class numbers (n,) for {contract.loss}",
            f"{one_hot} of shape {labels.shape}",
            f"{name} = {name}.argmax(axis=1)" if width > 1 else f"{name} = {name}.reshape(-1)",
            "Keras refuses the rank, or takes each 0 and 1 for a class; or use the loss without sparse_.",
        )
        return
    expected = contract.output_units or contract.num_classes
    if expected and width != expected:
        yield _width(split, labels, expected)
    elif (
        contract.label_encoding == "one_hot"
        and contract.loss not in (*BINARY_LOSSES, *REGRESSION_LOSSES)
        and not proper.all()
    ):
        yield from _improper_rows(split, labels, proper)


def _width(split: Split, labels: np.ndarray, expected: int) -> Finding:
    name, width = f"{split.name}_labels", labels.shape[1]
    used = np.flatnonzero(labels.any(axis=0))
    if width == expected + 1 and len(used) and used[0] == 1:
        fix, note = f"{name} = {name}[:, 1:]", ", the first never used: the classes were numbered from 1"
    elif width > expected and len(used) and used[-1] < expected:
        fix, note = f"{name} = {name}[:, :{expected}]", f", of which only the first {used[-1] + 1} are used"
    elif width < expected:
        fix, note = f"{name} = np.pad({name}, ((0, 0), (0, {expected - width})))", ""
    else:
        fix, note = f'Dense({width}, activation="softmax")  # one unit per class', ""
    return _found(
        split,
        "width",
        "error",
        f"one-hot rows of {expected} columns, one for each unit",
        f"{width} columns{note}",
        fix,
        "Keras refuses to compare rows of unequal width.",
    )


def _improper_rows(split: Split, labels: np.ndarray, proper: np.ndarray) -> Iterator[Finding]:
    name, wrong = f"{split.name}_labels", ~proper
    received = f"{int(wrong.sum())} rows that sum to {float(labels[wrong][0].sum()):.4g} or hold negative numbers"
    yield _found(
        split,
        "encoding",
        "error",
        "rows that are probabilities, summing to 1",
        received,
        f'{name} = np.eye({labels.shape[1]}, dtype="float32")[{name}.argmax(axis=1)]',
        "Cross-entropy compares distributions: all-zero rows teach nothing, and others weigh too much.",
        _first(wrong),
        kind=FaultKind.ROWS,
    )


def _is_one_hot_twice(labels: np.ndarray) -> bool:
    """Whether rows of 0 and 1 were encoded as if they were class numbers: only the first two columns are used."""
    return bool((labels.sum(axis=2) == 1).all()) and not labels[:, :, 2:].any()


def _check_rank(contract: Contract, split: Split, labels: np.ndarray) -> Iterator[Finding]:
    name, images = f"{split.name}_labels", split.images
    if images is not None and images.ndim > 4 and images.shape[:2] == labels.shape[:2]:
        return  # grouped in batches: reported once, of the images' rank
    if labels.ndim == 3 and labels.shape[2] > 1 and _is_one_hot_twice(labels[:64]):
        again = f"{name} = {name}[..., 1]" + (".argmax(axis=1)" if contract.label_encoding == "sparse" else "")
        yield _found(
            split,
            "encoding",
            "error",
            f"one-hot rows (n, {labels.shape[1]})",
            f"shape {labels.shape}: one-hot encoded twice",
            again,
            "Keras refuses the rank; old versions took each row for an example.",
        )
        return
    squeezed = tuple(length for length in labels.shape[1:] if length != 1)
    if len(squeezed) > 1 and contract.output_rank is None:
        return  # the output may have as many positions
    fix = (
        f"{name} = {name}.reshape({(len(labels), *squeezed)})"
        if len(squeezed) < 2
        else f"Write {name} again: these look like images or another array."
    )
    yield _found(
        split,
        "rank",
        "error",
        "labels of shape (n,) or (n, classes)",
        f"shape {labels.shape}",
        fix,
        "Keras refuses the rank, or broadcasts labels against every unit.",
    )
