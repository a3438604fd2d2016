"""Checks of targets that are numbers: within what the network can get to in this fit, and not among its inputs."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.contract.losses import MARGIN_LOSSES, REGRESSION_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import behind_windows
from deep_mnist.doctor.checks.multiple import by_output
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.columns import is_frame, name_in_frames
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.live.lineage import Lineage, data_in, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of
from deep_mnist.doctor.evidence.output_reach import output_reach
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.task import Task
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

ADAPTIVE = ("adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "amsgrad", "lion")
SAMPLE = 2000  # examples looked at
FAR = 3.0  # times the reach, from where on training certainly fails
FIRST_STEP = 10.0  # of a weight of the last layer, in one step of plain gradient descent
FEWEST = 20  # examples, of which a column equal to the targets is no chance
FEWEST_VALUES = 2  # different targets, as above
UNEXPLAINED = 1e-6  # share of the variance that rounding to some digits leaves
MOST_COLUMNS = 4096

OTHER_FAULT = Follows(
    fields=("model.output_activation", "labels.rank", "labels.width", "contract.loss"), on=On.ANY_SPLIT, least="error"
)

OUT_OF_REACH = Rule(
    code="L200",
    name="targets-out-of-reach",
    field="labels.values",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS, Need.LOSS),
    summary="The targets are larger than the output can become in this fit: rate times updates bounds every weight.",
    follows=(OTHER_FAULT,),
    why="The output creeps towards the targets and the fit ends long before it is there: the loss stays huge.",
)
STEPS_EXPLODE = Rule(
    code="L201",
    name="targets-too-large-for-gradient-descent",
    field="labels.values",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS, Need.LOSS),
    summary="Plain gradient descent on a squared error moves the weights by the size of the targets: they fly apart.",
    follows=(OTHER_FAULT,),
    why="The first steps are many times the weights' own size: the loss becomes NaN within an epoch.",
)
AMONG_INPUTS = Rule(
    code="L202",
    name="targets-among-the-inputs",
    field="splits.leakage",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    summary="A column of the inputs is the target itself, value by value, or the target in another unit.",
    why="The network copies that column: the scores are perfect, and worth nothing where the target is not known.",
)


@check(OUT_OF_REACH, STEPS_EXPLODE)
def check_reach(case: Case) -> Iterator[Finding]:
    """Yield targets that the optimizer cannot bring the output to."""
    yield from by_output(case, _reach_found)


def _reach_found(case: Case) -> Iterator[Finding]:
    contract, labels, optimizer = case.contract, case.train.labels, case.contract.optimizer
    rate = optimizer.get("learning_rate")
    if case.task is not Task.NUMBERS or contract.loss not in REGRESSION_LOSSES or not isinstance(rate, float | int):
        return
    if labels is None or labels.dtype.kind not in REAL_KINDS or not labels.size:
        return
    if contract.loss in MARGIN_LOSSES:
        return
    sizes = np.abs(take(labels, sample_indices(len(labels), SAMPLE)).astype(np.float64))
    size = float(sizes.mean())
    if not math.isfinite(size) or size <= 1:
        return
    if optimizer.get("name") in ADAPTIVE:
        yield from _out_of_reach(case, size, float(rate))
    elif optimizer.get("name") == "sgd" and contract.loss == "mean_squared_error" and not optimizer.get("clipped"):
        yield from _explodes(case, size, float(rate))


def _out_of_reach(case: Case, size: float, rate: float) -> Iterator[Finding]:
    updates = _updates(case)
    sizes = _sizes_of(case)
    if updates is None or sizes is None or case.call is None:
        return
    model = _up_to(case.call.model, case.contract.output_name)
    reach = output_reach(model, sizes, rate * updates) if model is not None else None
    if reach is None or size <= reach:
        return
    yield OUT_OF_REACH.found(
        "train",
        severity="error" if size > FAR * reach else "warning",
        expected=f"targets of a size that the output can reach: {rate:g} x {updates} updates move each weight by at "
        f"most {rate * updates:.3g}, and the output to about {reach:.3g}",
        received=f"targets of mean size {size:.4g}",
        fix=scaled_targets(case),
    )


def _up_to(model: Any, output: str) -> Any:
    """Return the part of a model that one of its outputs comes from, by name ("" of one alone); None of no such one."""
    names = list(getattr(model, "output_names", None) or ())
    if not output:
        return model
    if output not in names or len(model.outputs) != len(names):
        return None
    import keras

    return keras.Model(model.inputs, model.outputs[names.index(output)])


def _explodes(case: Case, size: float, rate: float) -> Iterator[Finding]:
    """The last weights' first step is rate * 2 * error * activation; a linear network alone bears it."""
    hidden = len(case.contract.architecture.hidden)
    linear = case.contract.architecture.linear
    if hidden < 1 or linear or 2 * rate * size < FIRST_STEP:
        return
    yield STEPS_EXPLODE.found(
        "train",
        expected="targets of about -3..3 for plain gradient descent on a squared error",
        received=f"targets of mean size {size:.4g}: sgd at {rate:g} changes a weight of the last layer by about "
        f"{2 * rate * size:.3g} in its first step",
        fix=scaled_targets(case),
    )


def scaled_targets(case: Case) -> str:
    """Return the statements that standardize the targets of every split by train's mean and deviation."""
    names = [f"{name}_labels" for name, each in case.splits.items() if each.labels is not None and _is_own(case, name)]
    labels = case.train.labels
    if case.call is not None and not hasattr(case.call.x, "shape") and case.call.y is None and labels is not None:
        mean, spread = float(np.mean(labels)), float(np.std(labels)) or 1.0  # of what was drawn of a pipeline
        scaled = "; ".join(f"{name} = ({name} - {mean:.6g}) / {spread:.6g}" for name in names)
        return f"{scaled}  # and back again: model.predict(x) * {spread:.6g} + {mean:.6g}"
    scaled = "; ".join(f"{name} = ({name} - mean) / spread" for name in names)
    return (
        f"mean, spread = train_labels.mean(), train_labels.std(); {scaled}"
        "  # and back again: model.predict(x) * spread + mean"
    )


def _is_own(case: Case, name: str) -> bool:
    """Whether a split is an array of its own, and no part of train's that validation_split takes."""
    return name == "train" or case.call is None or case.call.held_out is not None


def _updates(case: Case) -> int | None:
    """Return how many updates this fit makes, None where that is not known or it is one of several."""
    call, images = case.call, case.train.images
    if call is None or images is None or _rate_may_change(call.arguments):
        return None
    epochs, size = call.facts.get("epochs", 1), call.facts.get("batch_size") or 32
    steps = call.facts.get("steps_per_epoch")
    if steps is None and case.train.is_whole and images.ndim:
        steps = math.ceil(len(images) / size) if isinstance(size, int) and size > 0 else None
    if not isinstance(epochs, int) or not isinstance(steps, int):
        return None
    return None if epochs <= 1 and case.fit.get("may_repeat") else steps * epochs


def _rate_may_change(arguments: object) -> bool:
    callbacks = arguments.get("callbacks") if isinstance(arguments, dict) else None
    listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    return any("Scheduler" in type(each).__name__ or "LambdaCallback" in type(each).__name__ for each in listed)


def _sizes_of(case: Case) -> np.ndarray | None:
    """Return the mean magnitude of each feature of an input."""
    images = case.train.images
    if images is None or images.ndim < 1 or images.dtype.kind not in REAL_KINDS or case.contract.inputs:
        return None
    some = np.abs(take(images, sample_indices(len(images), SAMPLE)).astype(np.float64))
    sizes: np.ndarray = some.reshape(-1, some.shape[-1] if some.ndim > 1 else 1).mean(axis=0)
    return sizes if np.isfinite(sizes).all() else None


@check(AMONG_INPUTS)
def check_targets_among_inputs(case: Case) -> Iterator[Finding]:
    """Yield a column of a table, or a place of a window, that equals the targets in every row."""
    images, labels = case.train.images, case.train.labels
    if images is None or labels is None or case.input_kind not in (InputKind.COLUMNS, InputKind.SEQUENCES):
        return
    if images.dtype.kind not in REAL_KINDS or labels.dtype.kind not in REAL_KINDS or len(images) != len(labels):
        return
    if case.task.has_classes or labels.size != len(labels) or case.contract.vocabulary is not None:
        return
    if images.ndim < 2 or images.size == 0:
        return
    rows, targets = images.reshape(len(images), -1), labels.reshape(-1)
    place, how = _same_column(rows, targets), "equal to the target"
    if place is None and not _is_computed_from_inputs(case):
        place, how = _linear_column(rows, targets), "a linear function of the target"
    if place is not None:
        yield AMONG_INPUTS.found(
            "train",
            expected="inputs from which the target is to be found",
            received=f"{_place_name(case, place)}, {how} in all {len(images)} rows",
            fix=_without(case, place),
            where=(place,),
        )


def _same_column(rows: np.ndarray, targets: np.ndarray) -> int | None:
    """Return the index of a column that equals the targets everywhere, of several columns."""
    if len(targets) < FEWEST or not 2 < rows.shape[1] <= MOST_COLUMNS or len(np.unique(targets)) < FEWEST_VALUES:
        return None
    for column in np.flatnonzero(rows[0] == targets[0]):
        same = np.isclose(rows[:, column].astype(np.float64), targets.astype(np.float64), rtol=1e-6, atol=0)
        if same.all():
            return int(column)
    return None


def _is_computed_from_inputs(case: Case) -> bool:
    """Whether one array is what inputs and targets are made of, as in trials by a formula, or the program hides it."""
    if case.frame is None:
        return True
    lineage = Lineage(ProgramText(case.frame))
    fit = next(iter(lineage.text.calls_on(case.frame.f_lineno, "fit")), None)
    x, y = (argument_of(fit, *each) if fit is not None else None for each in ((0, "x"), (1, "y")))
    if fit is None or x is None or y is None:
        return True
    ours, theirs = ({name for each in lineage.of(part, place_of(fit)) for name in data_in(each)} for part in (x, y))
    return any(isinstance(lineage.text.value_of(ast.Name(each, ast.Load())), np.ndarray) for each in ours & theirs)


def _linear_column(rows: np.ndarray, targets: np.ndarray) -> int | None:
    """Return the index of the only column that is a linear function of the targets, None where others are too.

    Windows of a straight line have nothing but such columns, and predict the next number rightly.
    """
    if len(targets) < FEWEST or not 2 < rows.shape[1] <= MOST_COLUMNS or len(np.unique(targets)) < FEWEST_VALUES:
        return None
    some = sample_indices(len(rows), SAMPLE)
    found = np.flatnonzero(_explained(rows[some], targets[some]) > 1 - UNEXPLAINED)
    if len(found) != 1 or _explained(rows[:, found], targets)[0] <= 1 - UNEXPLAINED:
        return None
    return int(found[0])


def _explained(rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the share of the targets' variance that each column alone explains; 0 where a number is not finite."""
    with np.errstate(all="ignore"):
        centered = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
        aim = targets.astype(np.float64) - targets.mean(dtype=np.float64)
        sizes = np.square(centered).sum(axis=0) * np.square(aim).sum()
        usable = np.isfinite(sizes) & (sizes > 0)
        shares: np.ndarray = np.where(usable, np.square(aim @ centered) / np.where(usable, sizes, 1), 0)
    return shares


def _place_name(case: Case, place: int) -> str:
    table: Any = case.call.x if case.call is not None else None
    images = case.train.images
    if is_frame(table):
        return f"column {list(table.columns)[place]!r}"
    if images is None or not _has_columns(images):
        return f"number {place} of each window"
    return f"column {place}{name_in_frames(case.frame, images.shape[-1], place)}"


def _has_columns(images: np.ndarray) -> bool:
    """Whether each row is of a table: by itself, or as the only step of a sequence."""
    return images.ndim == 2 or (images.ndim == 3 and images.shape[1] == 1)


def _without(case: Case, place: int) -> str:
    """Return the statements that blank a column, so that the network's width need not change."""
    names = [f"{name}_images" for name, each in case.splits.items() if each.images is not None and _is_own(case, name)]
    comment = "  # or leave it out, and give the input one less"
    table: Any = case.call.x if case.call is not None else None
    images = case.train.images
    if is_frame(table):
        key = list(table.columns)[place]
        return "; ".join(f"{name} = {name}.assign(**{{{str(key)!r}: 0.0}})" for name in names) + comment
    if images is None or not _has_columns(images):
        steps, width = images.shape[1:] if images is not None and images.ndim == 3 else (place + 1, 1)
        return behind_windows(case.frame, place // width, steps)
    return (
        "; ".join(f"{name} = np.where(np.arange({images.shape[-1]}) == {place}, 0, {name})" for name in names) + comment
    )
