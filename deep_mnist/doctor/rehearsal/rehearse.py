"""Rehearse a training on the CPU for some hundred steps: what only a run can show, before an accelerator is paid for.

    rehearsal = rehearse(model, x, y, batch_size=32, epochs=5)
    rehearsal.findings      # fields rehearsal.initial_loss, .gradients, .updates, .memorizes, .outputs, .loss, .cost

The network runs as it was compiled, on a bounded sample, and gets every variable back bit by bit afterwards. A healthy
network pays for one short run; only where that run does not learn are a batch learned by heart and other rates tried,
so that a finding names its evidence: the rate that would do, the layer that is dead, the batch that cannot be learned.

False alarms are counted by `bench/rehearsal.py`, on the built-in networks and on sound trainings of fourteen kinds.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.finding import SEVERITIES, Finding
from deep_mnist.doctor.rehearsal import findings as say
from deep_mnist.doctor.rehearsal.budget import Budget
from deep_mnist.doctor.rehearsal.stage import Stage
from deep_mnist.doctor.rehearsal.trial import StepTrial, rows_of
from deep_mnist.doctor.rehearsal.vitals import as_tensors, remember

SECONDS = 600.0  # the last resort: steps and work end a rehearsal
STEPS = 20_000
WORK = 1e12  # multiply-adds: half a minute of two cores
EXAMPLES = 1024
MOST_BATCH = 64
MEMORY_BYTES = 4 << 30
BYTES_A_PARAMETER = 24  # weight, gradient, two slots of Adam, and the copy to restore it from, with room


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal showed.

    Attributes:
        findings: Errors first; empty but for the note on cost when the network is sound.
        losses: Of the run's steps, in order.
        steps, seconds: All that were spent.
        facts: What was measured: "initial_loss", "constant_loss", "update", "seconds_per_step", "memory_bytes".
    """

    findings: Sequence[Finding]
    losses: Sequence[float]
    steps: int
    seconds: float
    facts: Mapping[str, float] = field(default_factory=dict)


def rehearse(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int | None = None,
    examples: int | None = None,
    seconds: float = SECONDS,
    steps: int = STEPS,
    work: float = WORK,
    planned: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
    seed: int = 0,
) -> Rehearsal:
    """Run a compiled network for a few steps and return what that showed; its variables are restored bit by bit.

    Args:
        model: Compiled Keras model on TensorFlow.
        x, y: Arrays, or lists and dicts of arrays, examples along the first axis; at most EXAMPLES of them are used.
        batch_size: Of the real training; default 32.
        epochs: Of the real training; only for the note on cost.
        examples: Of the whole training set, when x is a sample of it.
        steps, work: Limits of the rehearsal: optimizer steps, and multiply-adds, estimated from the network.
        seconds: Its last resort: what is not known by then is not judged.
        planned: Optimizer steps of the real training; without it, `epochs` and `examples` tell them.
        memory_bytes: A network whose weights, gradients and slots need more is not run.
        seed: Of the order of the examples.
    """
    reason = _why_not(model, memory_bytes)
    if reason:
        return Rehearsal([say.abstention(reason)], [], 0, 0.0)
    x, y, count = _sample(x, y, seed)
    if not model.built:
        model(as_tensors(rows_of(x, slice(0, 2))), training=False)
    size, budget = batch_size or 32, Budget(steps, work, seconds)
    if planned is None and epochs and examples:
        planned = epochs * math.ceil(examples / size)
    with restored(model) as rewind:
        trial = StepTrial(model, x, y, count, min(size, MOST_BATCH, count), budget, rewind)
        stage = Stage(trial, planned)
        findings = stage.perform()
        cost = _cost(trial, examples or count, epochs)
    findings = sorted([*findings, *cost], key=lambda each: SEVERITIES.index(each.severity))
    return Rehearsal(findings, stage.losses, budget.spent, budget.clock(), trial.facts)


@contextmanager
def restored(model: keras.Model) -> Iterator[Callable[[], None]]:
    """Give every variable of a network, its optimizer and metrics its value back at the end, and the random states.

    Yields the function that does so, for whoever starts again in between.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    held = {id(each): each for each in [*model.variables, *optimizer.variables, *model.metrics_variables]}
    give_back = remember(held.values())
    with unchanged_random_states():
        try:
            yield give_back
        finally:
            give_back()


def _why_not(model: Any, memory_bytes: int) -> str:
    """Return why a network cannot be rehearsed here, "" when it can."""
    if not isinstance(model, keras.Model) or keras.backend.backend() != "tensorflow":
        return (
            f"the rehearsal runs Keras 3 on TensorFlow; this is {type(model).__module__} on {keras.backend.backend()}"
        )
    if not tf.executing_eagerly():
        return "TensorFlow builds a graph here and runs nothing at once"
    if not (getattr(model, "compiled", False) and getattr(model, "optimizer", None) is not None):
        return "the network is not compiled"
    if type(model).train_step is not keras.Model.train_step:
        return f"{type(model).__name__} has a train_step of its own"
    needed = model.count_params() * BYTES_A_PARAMETER if model.built else 0
    if needed > memory_bytes:
        return f"it needs about {needed >> 20} MiB, and the limit is {memory_bytes >> 20} MiB"
    return ""


def _sample(x: Any, y: Any, seed: int) -> tuple[Any, Any, int]:
    """Return at most EXAMPLES examples in random order; sorted files would otherwise show one class.

    Numbers are of Keras's floating type, as fit gives them to the network and to the loss.
    """
    total = len(tf.nest.flatten(x)[0])
    rows = np.sort(np.random.default_rng(seed).permutation(total)[:EXAMPLES])
    order = np.random.default_rng((seed, 1)).permutation(len(rows))

    def taken(array: Any) -> np.ndarray:
        held = array.numpy() if tf.is_tensor(array) else array
        some = np.asarray(held[rows] if hasattr(held, "dtype") else [held[row] for row in rows])[order]
        return some.astype(keras.config.floatx()) if some.dtype.kind == "f" else some

    return tf.nest.map_structure(taken, x), None if y is None else tf.nest.map_structure(taken, y), len(rows)


def _cost(trial: StepTrial, examples: int, epochs: int | None) -> list[Finding]:
    """Return what the training would cost, nothing where not one step was made."""
    step = statistics.median(trial.step_seconds) if trial.step_seconds else math.nan
    trial.facts |= {"seconds_per_step": step, "memory_bytes": float(_resident_bytes())}
    epoch = step * math.ceil(examples / trial.batch)
    known = math.isfinite(step)
    return [say.cost(step, trial.batch, epoch, epochs, int(trial.facts["memory_bytes"]))] if known else []


def _resident_bytes() -> int:
    """Return the memory this process holds now."""
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
