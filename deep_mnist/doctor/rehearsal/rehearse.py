"""Rehearse a training on the CPU for some seconds: what only a run can show, before an accelerator is paid for.

    rehearsal = rehearse(model, x, y, batch_size=32, epochs=5)
    rehearsal.findings      # fields rehearsal.initial_loss, .gradients, .updates, .memorizes, .outputs, .loss, .cost

The network runs as it was compiled, on a bounded sample, and gets every variable back bit by bit afterwards. A healthy
network pays for one short run; only where that run does not learn are a batch learned by heart and other rates tried,
so that a finding names its evidence: the rate that would do, the layer that is dead, the batch that cannot be learned.

False alarms: none on the 33 healthy public networks of the project's bank, none on the built-in ones over 20 seeds
(`bench/rehearsal.py`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.doctor.finding import SEVERITIES, Finding
from deep_mnist.doctor.rehearsal import findings as say
from deep_mnist.doctor.rehearsal.stage import Stage, rows_of
from deep_mnist.doctor.rehearsal.vitals import as_tensors, remember

SECONDS = 20.0
STEPS = 150
EXAMPLES = 1024
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
        seconds, steps: Limits of the rehearsal. The clock is looked at between steps.
        memory_bytes: A network whose weights, gradients and slots need more is not run.
        seed: Of the order of the examples.
    """
    reason = _why_not(model, memory_bytes)
    if reason:
        return Rehearsal([say.abstention(reason)], [], 0, 0.0)
    x, y, count = _sample(x, y, seed)
    if not model.built:
        model(as_tensors(rows_of(x, slice(0, 2))), training=False)
    stage = Stage(model, x, y, count, min(batch_size or 32, 64, count), seconds, steps)
    with restored(model) as rewind:
        findings = stage.perform(rewind)
    cost = _cost(stage, examples or count, epochs)
    findings = sorted([*findings, cost], key=lambda each: SEVERITIES.index(each.severity))
    return Rehearsal(findings, stage.losses, stage.spent, stage.clock(), stage.facts)


@contextmanager
def restored(model: keras.Model) -> Iterator[Callable[[], None]]:
    """Give every variable of a network and its optimizer its value back at the end, bit by bit.

    Yields the function that does so, for whoever starts again in between.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    give_back = remember([*model.variables, *optimizer.variables])
    try:
        yield give_back
    finally:
        give_back()
        model.reset_metrics()


def _why_not(model: Any, memory_bytes: int) -> str:
    """Return why a network cannot be rehearsed here, "" when it can."""
    if not isinstance(model, keras.Model) or keras.backend.backend() != "tensorflow":
        return (
            f"the rehearsal runs Keras 3 on TensorFlow; this is {type(model).__module__} on {keras.backend.backend()}"
        )
    if not (getattr(model, "compiled", False) and getattr(model, "optimizer", None) is not None):
        return "the network is not compiled"
    if type(model).train_step is not keras.Model.train_step:
        return f"{type(model).__name__} has a train_step of its own"
    needed = model.count_params() * BYTES_A_PARAMETER if model.built else 0
    if needed > memory_bytes:
        return f"it needs about {needed >> 20} MiB, and the limit is {memory_bytes >> 20} MiB"
    return ""


def _sample(x: Any, y: Any, seed: int) -> tuple[Any, Any, int]:
    """Return at most EXAMPLES examples in random order; sorted files would otherwise show one class."""
    total = len(tf.nest.flatten(x)[0])
    rows = np.sort(np.random.default_rng(seed).permutation(total)[:EXAMPLES])
    order = np.random.default_rng((seed, 1)).permutation(len(rows))

    def taken(array: Any) -> np.ndarray:
        return np.asarray(array[rows] if hasattr(array, "dtype") else [array[row] for row in rows])[order]

    return tf.nest.map_structure(taken, x), None if y is None else tf.nest.map_structure(taken, y), len(rows)


def _cost(stage: Stage, examples: int, epochs: int | None) -> Finding:
    step = stage.facts.get("seconds_per_step", math.nan)
    epoch = step * math.ceil(examples / stage.batch)
    stage.facts["memory_bytes"] = float(_resident_bytes())
    return say.cost(step, stage.batch, epoch, epochs, int(stage.facts["memory_bytes"]))


def _resident_bytes() -> int:
    """Return the memory this process holds now."""
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
