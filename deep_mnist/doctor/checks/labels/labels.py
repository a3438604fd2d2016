"""Checks of one split's labels against the loss, the output and the images' number."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import MOST_LOST, log_of_zeros
from deep_mnist.doctor.checks.labels.amounts import AMOUNT_RULES
from deep_mnist.doctor.checks.labels.numbers import NUMBER_RULES, numbers_found
from deep_mnist.doctor.checks.labels.one_hot import ROW_RULES, rank_found, rows_found
from deep_mnist.doctor.checks.labels.targets import TARGET_RULES, targets_found
from deep_mnist.doctor.checks.labels.values import VALUE_RULES
from deep_mnist.doctor.evidence.chunks import REAL_KINDS, are_finite, wrong_in
from deep_mnist.doctor.evidence.columns import Cells, column_of
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import AXES_UNSOUND, Follows, Need, On, Rule, Scope, check

PLAIN_WORD = re.compile(r"[\w .,:/()&+-]{1,60}")  # that a line may quote: no markup, no quotes, no codes of a terminal

NOT_FINITE = Rule(
    code="L107",
    name="labels-not-finite",
    field="labels.finite",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    follows=(Follows(rules=("C033",), on=On.MODEL),),  # whose line leaves them out
    summary="Some labels are NaN or infinite.",
    why="The loss becomes NaN at the first such batch, and all weights with it.",
)
NOT_NUMBERS = Rule(
    code="L130",
    name="labels-not-numbers",
    field="labels.dtype",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="The labels are text or Python objects, not numbers.",
    why="A loss cannot compare text with scores: training stops at the first batch.",
)
OTHER_COUNT = Rule(
    code="L140",
    name="labels-of-another-count",
    field="labels.count",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.IMAGES),
    follows=(AXES_UNSOUND,),
    summary="A split has more labels than examples, or fewer.",
    why="Keras stops: data cardinality is ambiguous.",
)
HELD_OUT_NOT_FINITE = (
    "Its loss is NaN, val_loss in every epoch: to a callback that watches it no epoch is better than another. "
    "The weights learn from train alone."
)


@check(NOT_FINITE, NOT_NUMBERS, OTHER_COUNT, *VALUE_RULES, *AMOUNT_RULES, *NUMBER_RULES, *ROW_RULES, *TARGET_RULES)
def check_labels(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong with a split's labels by themselves and against the contract."""
    labels, contract = split.labels, case.contract
    if labels is None:
        return
    if labels.dtype.kind not in REAL_KINDS:
        yield _not_numbers(case, split, labels)
        return
    yield from _count_found(case, split)
    if not labels.size:
        return
    if not are_finite(labels):
        if not _is_masked(case, labels):
            yield _not_finite(case, split, labels)
        return
    is_number = contract.loss in REGRESSION_LOSSES and contract.output_units == 1
    if is_number or not case.task.has_classes:
        yield from targets_found(case, split)
        return
    rank = labels.ndim
    if rank == 1 or (rank == 2 and labels.shape[1] == 1):
        yield from numbers_found(case, split, labels.reshape(-1))
    elif rank == 2:
        yield from rows_found(case, split, labels)
    else:
        yield from rank_found(contract, split, labels)


def _not_numbers(case: Case, split: Split, labels: np.ndarray) -> Finding:
    numbers = case.contract.loss in REGRESSION_LOSSES and case.contract.output_units == 1
    return NOT_NUMBERS.found(
        split.name,
        expected="numbers" if numbers else "class numbers, 0 to classes - 1",
        received=f"dtype {labels.dtype} such as {str(labels.reshape(-1)[:1].tolist())[:60]}",
        fix=_as_numbers(case, split, labels),
    )


def _as_numbers(case: Case, split: Split, labels: np.ndarray) -> str:
    """Return the statement that makes numbers of text or objects; words get train's numbers in every split."""
    name, cells = f"{split.name}_labels", labels.reshape(-1)
    if labels.dtype.kind in "Mm" or (labels.ndim == 1 and _hold_arrays(cells)):
        return f"{name} = np.stack(list({name}))" if labels.dtype.kind == "O" else f"{name} = {name}.astype(float)"
    column = column_of(0, cells)
    if column.cells is Cells.NUMBERS or (column.cells is Cells.NUMBERS_AS_TEXT and not column.gaps):
        plain = f"np.asarray({name}).astype(float)"
        try:
            whole = all(float(each).is_integer() for each in cells[:1000].tolist())
        except (TypeError, ValueError):  # 1,200 and the like
            return f"{name} = np.array([{column.number_of('str(each)')} for each in {name}])"
        return f"{name} = {plain}.astype(int)" if whole else f"{name} = {plain}"
    if column.values and len(cells.shape) == labels.ndim and all(map(PLAIN_WORD.fullmatch, column.values)):
        return f"{name} = np.searchsorted({list(column.values)}, np.asarray({name}).astype(str))"
    words = f"np.unique(np.asarray(train_labels).astype(str){'.reshape(-1)' if labels.ndim > 1 else ''})"
    own = case.train.labels is not None and case.train.labels.dtype.kind not in REAL_KINDS
    if own and split.name != "train":
        return f"Number the words of {name} as those of train_labels, before those are numbers."
    return f"{name} = np.searchsorted({words}, np.asarray({name}).astype(str))  # the same order in every split"


def _hold_arrays(cells: np.ndarray) -> bool:
    return len(cells) > 0 and isinstance(cells[0], list | tuple | np.ndarray)


def _count_found(case: Case, split: Split) -> Iterator[Finding]:
    labels, images = split.labels, split.images
    if labels is None or images is None or not labels.ndim or not images.ndim or len(labels) == len(images):
        return
    if len(images) == 0 or _batched_alike(images, labels) or labels.shape[0] in images.shape[-1:]:
        return
    if case.call is not None and not hasattr(case.call.x, "shape") and "train_step" in own_names(case.call.model):
        return  # two streams of data, perhaps, which a step of the user's own takes apart
    shorter = min(len(labels), len(images))
    yield OTHER_COUNT.found(
        split.name,
        expected=f"{len(images)} labels, one for each {case.example}",
        received=f"{len(labels)}",
        fix=_rows_again(case, split, images, labels)
        or f"Write {case.example}s and labels again from one source, with one mask and one order "
        f"(the first {shorter} need not belong together).",
    )


def _rows_again(case: Case, split: Split, images: np.ndarray, labels: np.ndarray) -> str:
    """Return the statement that makes rows again of a table that is one sample of many steps; "" of anything else."""
    if images.ndim != 3 or len(images) != 1 or images.shape[1] != len(labels):
        return ""
    rows, columns = images.shape[1:]
    output = getattr(case.call.model, "output_shape", None) if case.call is not None else None
    if isinstance(output, tuple) and len(output) == 3:
        return f"{split.name}_labels = {split.name}_labels.reshape(1, {rows}, -1)  # one sequence, as the inputs are"
    apart = f"{rows} {case.example}s of one step and not one of {rows}: before the network is made, whose Input it is"
    return f"{split.name}_images = {split.name}_images.reshape({rows}, 1, {columns})  # {apart}"


def _batched_alike(images: np.ndarray, labels: np.ndarray) -> bool:
    return images.ndim > 4 and labels.ndim >= 2 and images.shape[:2] == labels.shape[:2]


def _is_masked(case: Case, labels: np.ndarray) -> bool:
    """Whether the loss is one of the user's own that leaves out what is missing."""
    if case.call is None or "tensorflow" not in sys.modules:
        return False
    missing = wrong_in(labels, lambda chunk: ~np.isfinite(chunk)).where
    from deep_mnist.doctor.evidence.live.loss_trial import takes_missing  # runs a loss: for the few that have one

    return len(missing) > 0 and takes_missing(case.call.model, labels[list(missing)])


def _not_finite(case: Case, split: Split, labels: np.ndarray) -> Finding:
    wrong = wrong_in(labels, lambda chunk: ~np.isfinite(chunk))
    name, images = f"{split.name}_labels", f"{split.name}_images"
    keep = f"keep = np.isfinite(np.asarray({name}).reshape(len({name}), -1)).all(1)"
    kept = f"{keep}; {images}, {name} = {images}[keep], {name}[keep]"
    is_class = case.task.has_classes
    return NOT_FINITE.found(
        split.name,
        expected=f"a class for every {case.example}" if is_class else f"numbers as the targets of every {case.example}",
        received=f"{wrong.count} {'labels' if is_class else f'of {len(labels)} targets'} NaN or infinite",
        fix=log_of_zeros(case.frame, labels) or _left_out(case, split, labels, wrong.count) or kept,
        where=wrong.where,
        why="" if split.name == "train" else HELD_OUT_NOT_FINITE,
    )


def _left_out(case: Case, split: Split, labels: np.ndarray, count: int) -> str:
    """Return a loss that leaves missing targets out, of several where few rows have them all; "" of any other."""
    share, contract = count / len(labels), case.contract
    if case.call is None or labels[0].size < 2 or share <= MOST_LOST or np.isinf(labels).any():
        return ""
    same = "keras.ops.where(keras.ops.isnan(y), keras.ops.stop_gradient(p), y)"
    is_known = contract.loss in REGRESSION_LOSSES or (contract.loss in BINARY_LOSSES and not contract.from_logits)
    if is_known and not contract.outputs:
        return (
            f"model.compile(optimizer=model.optimizer, loss=lambda y, p: keras.losses.{contract.loss}({same}, p))"
            "  # a missing target has no part in it"
        )
    return (
        f"Leave what is missing in {split.name}_labels out of the loss: where(isnan(y_true), y_pred, y_true) in the "
        f"place of y_true. {share:.0%} of the {case.example}s have one, too many to leave out themselves."
    )
