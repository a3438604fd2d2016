"""Checks of networks that answer at every step: what loss and accuracy count of the steps of padding."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, DISTRIBUTION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.checks.program.compiled_metrics import stated_metrics
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, own_names
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOOKED_AT = 2000  # sequences
MOST = 0.5  # of the steps: with more, a network that knows padding alone is right at most of them
LEAST_EMPTY = 0.1  # of the steps: fewer hardly lower an accuracy
ACCURACIES = ("accuracy", "acc", "categorical_accuracy")
FEWEST_LENGTHS = 3  # different ones, of sequences that were padded to one

COUNTED = Rule(
    code="I160",
    name="padding-counted-in-the-loss",
    field="labels.values",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS, Need.LOSS),
    summary="Most steps of the sequences are padding of one class, and neither a mask nor weights leave them out.",
    why="Loss and accuracy are those of padding: near perfect, while the steps that matter are hardly learned.",
)
WITHOUT_CLASS = Rule(
    code="L211",
    name="padding-counted-in-the-accuracy",
    field="labels.values",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LABELS, Need.LOSS),
    summary="One-hot targets of the padding behind sequences are all zero: no loss, but class 0 to an accuracy.",
    why="Nothing is learned of these steps, and accuracy counts nearly all of them as wrong: it stays low.",
)


@check(COUNTED)
def check_padded_steps(case: Case) -> Iterator[Finding]:
    """Yield padding that is most of what a loss of every step counts."""
    if case.call is None or case.call.verb != "fit" or not isinstance(case.call.x, np.ndarray):
        return
    if not _counts_every_step(case):
        return
    padded, classes = padding_of(case.train.images), _classes(case.train.labels)
    if padded is None or classes is None or padded.shape != classes.shape or padded.mean() <= MOST:
        return
    of_padding = np.unique(classes[padded])
    lengths = np.unique((~padded).sum(axis=1))
    if len(of_padding) != 1 or len(lengths) < FEWEST_LENGTHS or len(np.unique(classes[~padded])) < 2:
        return
    yield COUNTED.found(
        "train",
        expected="steps of padding left out of the loss, by sample_weight or a mask",
        received=f"{padded.mean():.0%} of the steps are zeros at the end of sequences of {lengths[0]} to {lengths[-1]} "
        f"steps, all of class {of_padding[0]:g}",
        fix=_weighted(case),
    )


@check(WITHOUT_CLASS)
def check_steps_without_class(case: Case) -> Iterator[Finding]:
    """Yield targets whose padding has no class, where an accuracy without weights counts it."""
    labels = case.train.labels
    if case.call is None or case.call.verb != "fit" or labels is None or case.contract.loss not in DISTRIBUTION_LOSSES:
        return
    if labels.ndim != 3 or labels.shape[2] < 2 or labels.dtype.kind not in "fiu" or not _counts_every_step(case):
        return
    stated = stated_metrics(case.call.model)[0]
    metrics = [each for each in (stated if isinstance(stated, list | tuple) else [stated]) if each in ACCURACIES]
    some, padded = labels[:LOOKED_AT], padding_of(labels)
    empty = ~some.any(axis=2)
    one_hot = bool(np.isin(some, (0, 1)).all()) and bool((some.sum(axis=2) == ~empty).all())
    if padded is None or not np.array_equal(empty, padded) or empty.mean() < LEAST_EMPTY:
        return
    if not metrics or not one_hot:
        return
    yield WITHOUT_CLASS.found(
        "train",
        expected="steps of padding left out of the accuracy, by weights or a mask",
        received=f"{empty.mean():.0%} of the steps have a row of zeros, which {metrics[0]!r} counts as class 0",
        fix=f"Compile with weighted_metrics=[{metrics[0]!r}] in the place of metrics, and give fit "
        'sample_weight=targets.any(axis=-1).astype("float32").',
    )


def _counts_every_step(case: Case) -> bool:
    """Whether one of Keras's losses counts each step of arrays that fit is given, and no layer masks any."""
    contract, call = case.contract, case.call
    if call is None or contract.loss not in (*SPARSE_LOSSES, *DISTRIBUTION_LOSSES, *BINARY_LOSSES):
        return False
    if contract.output_rank != 3 or contract.ignored_class is not None:
        return False
    if call.arguments.get("sample_weight") is not None or own_names(call.model) & {"train_step", "compute_loss"}:
        return False
    layers = layers_of(case)
    own = any(not type(each).__module__.startswith(OF_KERAS) for each in layers)
    return not own and not any(type(each).__name__ == "Masking" or getattr(each, "mask_zero", 0) for each in layers)


def padding_of(images: np.ndarray | None) -> np.ndarray | None:
    """Return which steps (n, steps) of some are zeros up to the end of a sequence; None of what are no sequences."""
    if images is None or images.dtype.kind not in "fiu" or images.ndim not in (2, 3):
        return None
    some = np.asarray(images[:LOOKED_AT])
    used = np.asarray(some.any(axis=2) if some.ndim == 3 else some != 0)
    after: np.ndarray = ~np.logical_or.accumulate(used[:, ::-1], axis=1)[:, ::-1]
    return after


def _classes(labels: np.ndarray | None) -> np.ndarray | None:
    """Return the class of each step (n, steps), None where targets are none."""
    if labels is None or labels.dtype.kind not in "fiub" or labels.ndim not in (2, 3):
        return None
    some = np.asarray(labels[:LOOKED_AT])
    if some.ndim == 2:
        return some
    return some[:, :, 0] if some.shape[2] == 1 else some.argmax(axis=2)


def _weighted(case: Case) -> str:
    """Return the call of fit with weights of 0 for padding; a sentence where it has another form."""
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = text.calls_on(case.frame.f_lineno, "fit") if text is not None and case.frame is not None else []
    given = argument_of(calls[0], 0, "x") if len(calls) == 1 else None
    if text is not None and given is not None and case.train.images is not None:
        used = f"({ast.unparse(given)} != 0)" + (".any(axis=-1)" if case.train.images.ndim == 3 else "")
        weights = ast.parse(f'{used}.astype("float32")', mode="eval").body
        if line := text.rewritten(calls[0], sample_weight=weights):
            return line
    return "Give fit a sample_weight of shape (n, steps): 0 where a step is padding, else 1."
