"""Checks of feature columns: what holds for a table, where nothing is an image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import MAX_WHERE, Finding, first_of
from deep_mnist.doctor.rule import COLUMNS, Need, Rule, Scope, check

SAMPLE = 2000  # examples looked at
LARGE = 100.0  # root mean square of a column
SGD_STEP = 20.0  # of rate * sum of the columns' mean squares; a linear network diverges above 1
SURELY = 1.1  # times the rate at which linear regression diverges
MOST_CURVED = 300  # columns whose curvature is computed
FAR = 100.0  # deviations of a column from 0 to its mean: a network of two layers under Adam learns nothing of it then
UNSEEN = 1e-4  # of the largest column: of that size the first layer sees nothing of a column
TINY = 3e-3  # deviation of all columns, from which 800 updates of Adam at 0.001 learned nothing
UNKNOWN = 5.0  # in the place of rate times updates
RATIO = 1000.0  # of the columns' root mean squares; the Pima diabetes columns, trainable as they are, have 300

SCALES = Rule(
    code="I150",
    name="columns-of-different-scale",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="Columns differ in scale by a factor of a thousand or more, and the network does not scale them.",
    why="The large columns drown the small ones and drive the first layer to extremes: the loss jumps or sticks.",
)
TOO_LARGE = Rule(
    code="I151",
    name="columns-too-large-for-gradient-descent",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="Plain gradient descent on a squared error, at this learning rate, diverges on columns of this size.",
    why="Each step overshoots by more than the last: the loss becomes infinite, then NaN, in a few batches.",
)
FAR_FROM_ZERO = Rule(
    code="I162",
    name="columns-far-from-zero",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="Most columns lie a hundred deviations and more from 0, as years do, and nothing centers them.",
    why="To the first layer all rows are nearly one and the same: the network predicts the mean, or one class.",
)
TOO_SMALL = Rule(
    code="I168",
    name="columns-too-small-to-tell-apart",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="All numbers of a table differ by a thousandth and less, and nothing scales them.",
    why="To the first layer all rows are nearly one and the same: the network predicts the mean, or one class.",
)
CONSTANT = Rule(
    code="I153",
    name="columns-constant",
    field="images.distribution",
    severity="note",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="Some columns hold one value in every row.",
    why="A constant column tells nothing; scaling by its deviation divides by zero.",
)


@check(SCALES, TOO_LARGE, FAR_FROM_ZERO, TOO_SMALL)
def check_columns(case: Case, split: Split) -> Iterator[Finding]:
    """Yield columns of wildly different, too large or too small scale, or far from 0, as train alone shows them."""
    if split.name != "train" or not _takes_columns_as_they_are(case):
        return
    values = _sample(split)
    if len(values) > 1:
        looks = (_check_scales, _check_steps, _check_middle, _check_smallness)
        yield from next((found for look in looks if (found := list(look(case, values)))), [])


def _takes_columns_as_they_are(case: Case) -> bool:
    contract = case.contract
    return not contract.normalizes_input and not contract.scales_inside and contract.scaling_is_known


def _sample(split: Split) -> np.ndarray:
    """Return some finite rows of a split, float64 (n, columns)."""
    images = split.images
    if images is None:
        return np.zeros((0, 0))
    some = take(images, sample_indices(len(images), SAMPLE))
    values = some.reshape(len(some), -1).astype(np.float64)
    finite: np.ndarray = values[np.isfinite(values).all(axis=1)]
    return finite


def _check_scales(case: Case, values: np.ndarray) -> Iterator[Finding]:
    sizes = np.sqrt(np.square(values).mean(axis=0))
    used = np.flatnonzero(sizes > 0)
    if len(used) < 2:
        return
    largest, least = used[sizes[used].argmax()], used[sizes[used].argmin()]
    is_drowned = sizes[largest] >= LARGE and sizes[largest] >= RATIO * sizes[least]
    if not is_drowned and not (sizes[least] < UNSEEN * sizes[largest] <= UNSEEN * LARGE):
        return
    yield SCALES.found(
        "train",
        severity="" if is_drowned else "note",  # a column that is not seen may tell nothing
        expected="columns of comparable scale, or a Normalization layer",
        received=f"column {largest} of size {sizes[largest]:.3g} (root mean square) beside column {least} of "
        f"{sizes[least]:.3g}",
        fix=_standardized(case),
        where=(int(largest), int(least)),
    )


def _check_middle(case: Case, values: np.ndarray) -> Iterator[Finding]:
    """Columns whose values differ by a hundredth of their size."""
    deviation, mean = values.std(axis=0), values.mean(axis=0)
    used = np.ptp(values, axis=0) > 0
    far = used & (np.abs(mean) > FAR * deviation)
    if case.contract.architecture.dense_norms or far.sum() <= used.sum() / 2:
        return
    first = int(np.flatnonzero(far)[0])
    yield FAR_FROM_ZERO.found(
        "train",
        expected="columns around 0, or a Normalization layer",
        received=f"{int(far.sum())} of {int(used.sum())} columns that differ by less than a hundredth of their size: "
        f"column {first} has the mean {mean[first]:.6g} and the deviation {deviation[first]:.3g}",
        fix=_standardized(case),
        where=first_of(far),
    )


def _check_smallness(case: Case, values: np.ndarray) -> Iterator[Finding]:
    if spread := too_little(case, values):
        yield TOO_SMALL.found(
            "train",
            expected="columns that deviate by about 1, or a Normalization layer",
            received=f"a deviation of {spread:.2g} of all {values.shape[1]} columns together",
            fix=_standardized(case),
        )


def too_little(case: Case, rows: np.ndarray) -> float:
    """Return by how much rows deviate, where the weights of this fit cannot tell them apart by so little; else 0.

    Args:
        case: With what is known of fit: rate times updates bounds how far a weight of an adaptive optimizer moves.
        rows: Of train, float64 (n, columns); of a series every step is one.
    """
    spread = float(np.sqrt(rows.var(axis=0).sum()))
    seen = spread * max(1.0, _moved(case)) ** 2
    return spread if seen < TINY and not case.contract.architecture.dense_norms else 0.0


def _moved(case: Case) -> float:
    """Return how far the weights may move in this fit, by rate times updates; `UNKNOWN` where that is not known."""
    rate, epochs, size = (
        case.contract.optimizer.get("learning_rate"),
        case.fit.get("epochs"),
        case.fit.get("batch_size"),
    )
    images = case.train.images
    if images is None or not isinstance(rate, float | int) or not isinstance(epochs, int):
        return UNKNOWN
    return float(rate * epochs * np.ceil(len(images) / (size if isinstance(size, int) and size > 0 else 32)))


def _standardized(case: Case) -> str:
    names = [f"{name}_images" for name, each in case.splits.items() if each.images is not None]
    scaled = ", ".join(f"({name} - mean) / deviation" for name in names)
    return (
        f"mean, deviation = train_images.mean(axis=0), train_images.std(axis=0) + 1e-7; {', '.join(names)} = {scaled}"
    )


def _check_steps(case: Case, values: np.ndarray) -> Iterator[Finding]:
    """Plain gradient descent on a squared error: its step grows with the square of the inputs."""
    contract = case.contract
    rate, clipped = contract.optimizer.get("learning_rate"), contract.optimizer.get("clipped")
    if contract.optimizer.get("name") != "sgd" or not isinstance(rate, float | int) or clipped:
        return
    if not (case.task is Task.NUMBERS and contract.loss == "mean_squared_error"):
        return
    squares = np.square(values).mean(axis=0)
    step = rate * float(squares.sum())
    told = f"rate times the sum of their mean squares is {step:.3g}, where even a linear network diverges beyond 1"
    if _is_linear(contract):
        told = _linear_divergence(contract, rate, values)
    elif step <= SGD_STEP:
        return
    if not told:
        return
    largest = int(squares.argmax())
    yield TOO_LARGE.found(
        "train",
        expected="columns of about -3..3 for plain gradient descent on a squared error, or a Normalization layer",
        received=f"sgd at {rate:g} on columns up to {np.abs(values).max():.4g} (column {largest}): {told}",
        fix=_standardized(case),
        where=(largest,),
    )


def _is_linear(contract: Contract) -> bool:
    """Whether the network is one Dense layer without an activation: linear regression."""
    first = (contract.first_layer or "").lower()
    return first == "dense" and not contract.architecture.hidden and set(contract.output_tail) <= {"linear"}


def _linear_divergence(contract: Contract, rate: float, values: np.ndarray) -> str:
    """Return why gradient descent diverges on linear regression, "" where it does not.

    A quadratic's descent with momentum b diverges where rate times its largest curvature is above 2 (1 + b): Goh, Why
    Momentum Really Works, Distill 2017.
    """
    if values.shape[1] > MOST_CURVED:
        return ""
    rows = np.column_stack([values, np.ones(len(values))])
    curvature = 2 * float(np.linalg.eigvalsh(rows.T @ rows / len(rows))[-1]) / (contract.output_units or 1)
    bound = 2 * (1 + float(contract.optimizer.get("momentum") or 0))
    if rate * curvature <= SURELY * bound:
        return ""
    return f"rate times the error's curvature is {rate * curvature:.3g}, and beyond {bound:g} every step overshoots"


@check(CONSTANT)
def check_constant_columns(case: Case, split: Split) -> Iterator[Finding]:
    """Yield columns that never change in train."""
    values = _sample(split) if split.name == "train" and case.contract.vocabulary is None else np.zeros((0, 0))
    constant = np.ptp(values, axis=0) == 0 if len(values) > 1 else np.zeros(0, bool)
    if not constant.any() or constant.all() or _are_one_hot(values) or _is_padding(values, constant):
        return
    if _is_mask(values):
        return
    places = np.flatnonzero(constant)
    yield CONSTANT.found(
        "train",
        expected="columns that differ between rows",
        received=f"{len(places)} of {values.shape[1]} columns hold one value in every row looked at",
        fix=f"Leave out the columns {places[:MAX_WHERE].tolist()}.",
        where=tuple(int(each) for each in places[:MAX_WHERE]),
    )


def _are_one_hot(rows: np.ndarray) -> bool:
    """Whether each row marks one of several states, of which some may not have come up yet."""
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())


def _is_mask(rows: np.ndarray) -> bool:
    """Whether each row is a run of 1 beside a run of 0, of various lengths: what is there of a list."""
    steps = np.diff(rows, axis=1)
    runs = bool((steps <= 0).all() or (steps >= 0).all())
    return runs and bool(((rows == 0) | (rows == 1)).all()) and len(np.unique(rows.sum(axis=1))) > 2


def _is_padding(rows: np.ndarray, constant: np.ndarray) -> bool:
    """Whether what never changes is the 0 at one end of sequences of whole numbers, none of which is that long."""
    if rows[:, constant].any() or (rows % 1).any() or (rows < 0).any():
        return False
    edge, other = constant, ~constant
    one_end = edge[: edge.sum()].all() or edge[-edge.sum() :].all()
    return bool(one_end and (rows[:, other] == 0).any())
