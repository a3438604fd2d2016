"""Checks of class_weight and sample_weight against the labels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import GeneratorType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.output_weights import weights_of_outputs
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

IMBALANCE = 2.0  # of the classes' counts, from which on a weight by frequency does harm
ALIKE = 0.15  # by which weights may differ from the classes' shares and still be these
AROUND = 0.3  # of their spread, by which weights that compare with a mean may lie off 0
MOST_WRITTEN = 20  # classes in a line
LIVE = (Need.LIVE_MODEL,)

REFUSED = Rule(
    code="P040",
    name="class-weight-refused",
    field="fit.class_weight",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="Keras cannot use class_weight in this form, or with these labels.",
    why="fit stops before its first batch.",
)
OF_NO_CLASS = Rule(
    code="P041",
    name="class-weight-of-no-class",
    field="fit.class_weight",
    severity="warning",
    scope=Scope.CASE,
    needs=(*LIVE, Need.LABELS),
    follows=(Follows(rules=("P040",), on=On.ANY_SPLIT),),
    summary="The keys of class_weight are not the class numbers of the labels.",
    why="A weight whose key is no class is never used, and a class without a key weighs 1.",
)
OF_FREQUENCY = Rule(
    code="P042",
    name="class-weight-favors-frequent",
    field="fit.class_weight",
    severity="warning",
    scope=Scope.CASE,
    needs=(*LIVE, Need.LABELS),
    summary="The weights of the classes are their shares of the examples: the frequent classes weigh more.",
    why="The imbalance is squared instead of mended: rare classes are all but left out of the loss.",
)
NOT_POSITIVE = Rule(
    code="P043",
    name="class-weight-not-positive",
    field="fit.class_weight",
    severity="error",
    scope=Scope.CASE,
    needs=(*LIVE, Need.LABELS),
    summary="A class has a weight that is negative or no number.",
    why="The loss of such a class is turned around, or NaN.",
)
SAMPLE_WEIGHT_LENGTH = Rule(
    code="P044",
    name="sample-weight-of-other-length",
    field="fit.sample_weight",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="sample_weight does not hold one weight for each example.",
    why="fit stops before its first batch.",
)
SAMPLE_WEIGHT_VALUES = Rule(
    code="P045",
    name="sample-weight-without-meaning",
    field="fit.sample_weight",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The weights of the examples are all 0, or negative, or no numbers.",
    why="The loss is 0, NaN or turned around: nothing is learned.",
)


@check(REFUSED)
def check_form(case: Case) -> Iterator[Finding]:
    """Yield a class_weight that Keras will not take."""
    call, weights = case.call, _stated(case, "class_weight")
    if call is None or weights is None:
        return
    labels = case.train.labels
    reason = ""
    if not isinstance(weights, Mapping):
        reason = f"a {type(weights).__name__}"
    elif len(case.contract.outputs) > 1:
        reason = "a network of several outputs"
    elif _stated(case, "sample_weight") is not None:
        reason = "class_weight and sample_weight together"
    elif isinstance(call.x, GeneratorType) or _is_of_a_loader(call.x):
        reason = f"class_weight for a {type(call.x).__name__}"
    elif labels is not None and labels.ndim > 2 and not (is_dataset(call.x) and _tells_classes(case, labels)):
        reason = f"labels of shape {('n', *labels.shape[1:])}".replace("'", "")
    if reason:
        yield REFUSED.found(
            expected="a dictionary of class number and weight, for one class of each example",
            received=reason,
            fix=_balanced(case) if isinstance(call.y, np.ndarray) and labels is not None and labels.ndim < 3
            else weights_of_outputs(case)
            or ("Yield a weight for each label as the third of a batch, and give fit no class_weight."
                if hasattr(call.x, "__next__") or is_dataset(call.x) else
                "Give fit sample_weight, one weight for each label, in the place of class_weight."),
        )  # fmt: skip


def _is_of_a_loader(x: Any) -> bool:
    """Whether data are those of torch or grain, which Keras reads without weights; its own iterators take them."""
    kinds = [f"{each.__module__}.{each.__name__}" for each in type(x).__mro__]
    torch = any(each.startswith("torch.utils.data") and each.endswith("DataLoader") for each in kinds)
    return torch or any(re.fullmatch(r"grain\b.*\.(MapDataset|IterDataset|DataLoader)", each) for each in kinds)


def _tells_classes(case: Case, labels: np.ndarray) -> bool:
    """Whether the last axis is the classes, or is 1: a tf.data.Dataset weighs every place of such labels."""
    return labels.shape[-1] in (1, case.contract.output_units)


@check(OF_NO_CLASS, OF_FREQUENCY, NOT_POSITIVE)
def check_classes(case: Case) -> Iterator[Finding]:
    """Yield weights that are not those of the classes, or are those of the wrong ones."""
    weights, classes = _stated(case, "class_weight"), case.train.classes
    labels = case.train.labels
    if not isinstance(weights, Mapping) or not weights or labels is None or labels.ndim > 2:
        return
    if case.task is Task.NUMBERS:
        yield OF_NO_CLASS.found("train", expected="labels that are classes", received="class_weight for numbers",
                                fix="model.fit(..., class_weight=None)")  # fmt: skip
        return
    counts = _counts(labels) if classes is not None else None
    if counts is None:
        return
    odd = {key: value for key, value in weights.items() if not _is_positive(value) and key in counts}
    if odd:
        key, value = next(iter(odd.items()))
        yield NOT_POSITIVE.found(
            severity="note" if all(each == 0 for each in odd.values()) else "",  # a class may be left out on purpose
            expected="a positive weight for each class", received=f"{value} for class {key}", fix=_balanced(case),
        )  # fmt: skip
    elif wrong := _of_other_classes(case, weights, counts):
        yield OF_NO_CLASS.found(
            "train",
            expected=f"keys among the classes of the labels: {_listed(sorted(counts))}",
            received=wrong,
            fix=_of_these_classes(weights, counts) or _balanced(case),
        )
    elif _is_by_frequency(weights, counts):
        yield OF_FREQUENCY.found(
            "train",
            expected="weights that are higher for the rarer classes",
            received=", ".join(
                f"{weights[key]:.3g} for class {key} ({counts[key]} examples)" for key in sorted(counts)[:4]
            ),
            fix=_balanced(case),
        )


@check(SAMPLE_WEIGHT_LENGTH, SAMPLE_WEIGHT_VALUES)
def check_sample_weight(case: Case) -> Iterator[Finding]:
    """Yield weights of examples that do not fit these, or are none."""
    weights, images = _array(_stated(case, "sample_weight")), case.train.images
    if weights is None or images is None or not images.ndim or weights.dtype.kind not in "fiub" or not weights.ndim:
        return
    count = _examples(case)
    fix = f"Make sample_weight again: one positive number for each of the {count} examples."
    if len(weights) != count:
        yield SAMPLE_WEIGHT_LENGTH.found(
            "train", expected=f"{count} weights, one for each example", received=f"{len(weights)} weights", fix=fix
        )
        return
    numbers = weights.astype(np.float64)
    finite = bool(np.isfinite(numbers).all())
    if not finite or not numbers.any() or (numbers < 0).any():
        what = "weights that are no numbers" if not finite else "weights of 0 alone" if not numbers.any() else (
            f"{int((numbers < 0).sum())} negative weights"
        )  # fmt: skip
        severity = "" if not finite or not numbers.any() else "note" if _are_advantages(numbers) else "warning"
        yield SAMPLE_WEIGHT_VALUES.found(
            "train", severity=severity, expected="positive weights", received=what, fix=fix
        )


def _are_advantages(weights: np.ndarray) -> bool:
    """Whether weights lie around 0 to both sides, as those of a policy gradient: what was better, and what worse."""
    return bool((weights > 0).any() and abs(weights.mean()) <= AROUND * weights.std())


def _stated(case: Case, name: str) -> Any:
    return case.call.arguments.get(name) if case.call is not None else None


def _array(value: Any) -> Any:
    """Return an array, tensor or list of numbers as numpy's; None where it is none."""
    if value is None or isinstance(value, Mapping):
        return None
    if isinstance(value, list | tuple) and any(np.ndim(each) for each in value):
        return None  # of each output by itself
    try:
        return np.asarray(value)
    except Exception:  # a tensor of another device, or ragged lists
        return None


def _examples(case: Case) -> int:
    """Return the examples that fit is given, those that validation_split takes too."""
    given = _array(case.call.y) if case.call is not None and hasattr(case.call.y, "shape") else None
    if given is not None and given.ndim:
        return len(given)
    return len(case.train.images) if case.train.images is not None else 0


def _counts(labels: np.ndarray) -> dict[int, int] | None:
    """Return the examples of each class number, as Keras reads it from labels."""
    if labels.dtype.kind not in "fiub" or not len(labels):
        return None
    rows = labels.ndim == 2 and labels.shape[1] > 1
    numbers = labels.argmax(axis=1) if rows else labels.reshape(-1)
    if not np.isfinite(numbers.astype(np.float64)).all():
        return None
    values, counts = np.unique(np.round(numbers).astype(np.int64), return_counts=True)
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def _is_positive(value: Any) -> bool:
    try:
        return math.isfinite(float(value)) and float(value) > 0
    except (TypeError, ValueError):
        return False


def _of_other_classes(case: Case, weights: Mapping[Any, Any], counts: Mapping[int, int]) -> str:
    """Return what the keys are, "" where they are classes."""
    used = [key for key in weights if key in counts]
    if not used:
        return f"keys {_listed(list(weights))}, none of them a class"
    units = case.contract.output_units or 0
    beyond = [key for key in weights if key not in counts and (case.train.is_whole or not _is_within(key, units))]
    without = [key for key in counts if key not in weights]
    return f"keys {_listed(list(weights))}: none for class {without[0]}" if beyond and without else ""


def _is_within(key: Any, units: int) -> bool:
    return isinstance(key, int | np.integer) and 0 <= int(key) < max(units, 2)


def _of_these_classes(weights: Mapping[Any, Any], counts: Mapping[int, int]) -> str:
    """Return the argument with the same weights, where keys are numbers as text, as of JSON, or begin with 1."""
    if not all(isinstance(each, int | np.integer) or (isinstance(each, str) and each.isdigit()) for each in weights):
        return ""
    least = min(counts)
    moved = {int(key) - (min(map(int, weights)) - least): float(value) for key, value in weights.items()}
    return f"model.fit(..., class_weight={moved})" if set(moved) == set(counts) else ""


def _listed(keys: list[Any]) -> str:
    return ", ".join(map(repr, keys[:6])) + (" and more" if len(keys) > 6 else "")


def _is_by_frequency(weights: Mapping[Any, Any], counts: Mapping[int, int]) -> bool:
    if len(counts) < 2 or any(key not in weights for key in counts) or not all(map(_is_positive, weights.values())):
        return False
    count = np.array([counts[key] for key in counts], np.float64)
    weight = np.array([float(weights[key]) for key in counts])
    shares = count / count.sum() / (weight / weight.sum())
    return float(count.max() / count.min()) >= IMBALANCE and float(np.abs(shares - 1).max()) <= ALIKE


def _balanced(case: Case) -> str:
    """Return the argument that weighs each class by how rare it is."""
    counts = _counts(case.train.labels) if case.train.labels is not None else None
    if not counts or len(counts) > MOST_WRITTEN:
        return "Give class_weight a weight for each class number: examples / (classes * examples of the class)."
    total = sum(counts.values())
    rows = {key: float(f"{total / (len(counts) * count):.4g}") for key, count in counts.items()}
    return f"model.fit(..., class_weight={rows})"
