"""Why a run does not learn: each cause is shown by what happens without it, or by what the loss itself says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import FunctionType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal import findings as say
from deep_mnist.doctor.rehearsal.memory import Memory, memory_of
from deep_mnist.doctor.rehearsal.network_faults import vanished_gradient
from deep_mnist.doctor.rehearsal.rates import SMALL_UPDATE, USUAL_STEPS
from deep_mnist.doctor.rehearsal.trial import StepTrial
from deep_mnist.doctor.rehearsal.vitals import as_tensors, compiled_loss
from deep_mnist.doctor.rehearsal.yardstick import Yardstick

LARGE_TARGETS = 1e3  # in size: below it even a linear unit comes near within a usual training
AT_CONSTANT = 0.97  # of a constant prediction's loss: not below it
MUCH_DROPPED = 0.85  # of the units: usual rates end at 0.8
HELD_BACK = 2.0  # times the loss that the same run without dropout reaches
HELD_AT = 0.9  # of a constant prediction's loss
COLLAPSED = 0.3  # of the weights' size at the start
LEARNED_WITHOUT = 0.7  # of a constant prediction's loss, by the same steps without a penalty
DEEP = 5  # layers of weights
SHRINKS = 1e-2  # of the gradient at the output, relative to the weights: with ReLU it stays within a factor of ten
HELD_HIGH = 0.5  # of a constant prediction's loss


class Causes:
    """The search for a cause after a run.

    Args:
        trial: As the run has left it.
        yardstick: Of the network's loss.
        losses: Of the run.
        planned: Steps of the real training, None where they are not known.
    """

    def __init__(self, trial: StepTrial, yardstick: Yardstick, losses: Sequence[float], planned: int | None) -> None:
        self.trial, self.yardstick, self.losses, self.planned = trial, yardstick, losses, planned
        labels = trial.pair(trial.probed)[1]
        self.constant = yardstick.of(labels) or 0.0
        self.end = trial.plain_loss(trial.probed) if self.constant else math.nan
        self.size = _size(trial.model)
        self.mean = _mean(trial.outputs(trial.probed)) if yardstick.is_distance and self.constant else math.nan

    def of_a_run_that_moves(self) -> list[Finding]:
        """Return what keeps a run high that has left its first loss behind."""
        if not self.constant or not self.losses:
            return []
        if found := self.dropped():
            return found
        if self.yardstick.is_distance and self.end > AT_CONSTANT * self.constant:
            return self.out_of_reach() or self.of_forgetting()
        return []

    def of_forgetting(self) -> list[Finding]:
        """Return why the network cannot tell a few examples apart at any rate, nothing where it can."""
        memory = memory_of(self.trial, self.yardstick)
        if memory is None or memory.learned:
            return []
        dropping = [each for each in _dropouts(self.trial.model) if each.rate >= MUCH_DROPPED]
        if dropping and self._learns(dropout=False):
            return [say.dropped(dropping[0].name, dropping[0].rate, memory.best, math.nan, memory.steps)]
        if self.yardstick.is_distance and _is_linear(self.trial.model) and self._learns(scaled=True):
            return []
        if shrunk := self._shrinking():
            return shrunk
        return [say.plateau(memory) if self.yardstick.is_distance else say.not_by_heart(memory)]

    def _shrinking(self) -> list[Finding]:
        """Return that the gradient shrinks from layer to layer, of a network that cannot learn a few examples."""
        self.trial.rewind()
        gradients = self.trial.look().gradients
        first, last = next(iter(gradients), ""), max(list(gradients.values())[-2:], default=0.0)
        if len(gradients) < DEEP or not 0 < gradients[first] < SHRINKS * last:
            return []
        return [replace(vanished_gradient(first, gradients[first], at_output=last), severity="error")]

    def penalised(self) -> list[Finding]:
        """Return that regularizers have pulled the weights to 0 where the same steps without them learn."""
        if not self.trial.model.losses or not self.constant or self.end < HELD_AT * self.constant:
            return []
        self.trial.rewind()
        shrunk = self.size / _size(self.trial.model)
        if shrunk > COLLAPSED:
            return []
        self.trial.run(self.trial.batches(), len(self.losses), fresh=True, penalty=False)
        without = self.trial.plain_loss(self.trial.probed)
        if without > LEARNED_WITHOUT * self.constant:
            return []
        return [say.penalty(_penalties(self.trial.model), shrunk, self.end, without, len(self.losses))]

    def out_of_reach(self) -> list[Finding]:
        """Return that a linear output's targets are further away than a training of this pace comes.

        Outputs of a network with k layers of weights grow with the k-th power of the steps at most.
        """
        targets = self.trial.pair(self.trial.probed)[1]
        if not (self.yardstick.is_distance and self.constant and self.end > 2 * self.constant and self.losses):
            return []
        middle, update = float(np.mean(targets)), self.trial.facts.get("update", math.nan)
        if abs(middle) < LARGE_TARGETS or not _is_linear(self.trial.model) or update < SMALL_UPDATE:
            return []
        self.trial.rewind()
        moved = abs(self.mean - _mean(self.trial.outputs(self.trial.probed)))
        steps, whole = len(self.losses), max(self.planned or 0, USUAL_STEPS)
        depth = sum(len(weight.shape) > 1 for weight in self.trial.model.trainable_variables)
        reached = moved * (whole / steps) ** max(1, depth)
        return [say.out_of_reach(middle, self.mean, steps, reached, whole)] if reached < 0.5 * abs(middle) else []

    def dropped(self) -> list[Finding]:
        """Return that dropout of nearly all units holds the loss up: without it the same steps get far lower."""
        dropping = [each for each in _dropouts(self.trial.model) if each.rate >= MUCH_DROPPED]
        if not dropping or not self.constant or self.end < HELD_HIGH * self.constant:
            return []
        self.trial.run(self.trial.batches(), len(self.losses), fresh=True, dropout=False)
        without = self.trial.plain_loss(self.trial.probed)
        if not self.end > HELD_BACK * without:
            return []
        return [say.dropped(dropping[0].name, dropping[0].rate, self.end, without, len(self.losses))]

    def _learns(self, **how: bool) -> bool:
        memory: Memory | None = memory_of(self.trial, self.yardstick, **how)
        return memory is not None and memory.learned


def turned_sign(trial: StepTrial, losses: Sequence[float]) -> list[Finding]:
    """Return that a loss of the user's own is highest where the predictions are the targets, and falls below 0."""
    if not _is_own(trial.model.loss) or not losses or not losses[-1] < min(0.0, losses[0]):
        return []
    rows = slice(0, min(32, trial.count))
    x, y = map(as_tensors, trial.pair(rows))
    right = _predictions_for(y, trial.outputs(rows))
    if right is None:
        return []
    wrong = tf.roll(right, 1, axis=0)
    try:
        at_right, between, at_wrong = (
            float(compiled_loss(trial.model, x, y, each, training=False))
            for each in (right, (right + wrong) / 2, wrong)
        )
    except Exception:  # a loss of the user's own may want other outputs
        return []
    size = abs(at_right - at_wrong)
    if at_right > at_wrong and between > (at_right + at_wrong) / 2 + 1e-3 * size:
        return [say.turned(at_right, at_wrong, losses)]
    return []


def _dropouts(model: keras.Model) -> Iterator[Any]:
    kinds = keras.layers.Dropout | keras.layers.SpatialDropout1D | keras.layers.SpatialDropout2D
    return (layer for layer in model._flatten_layers() if isinstance(layer, kinds) and layer.rate < 1)


def _penalties(model: keras.Model) -> list[str]:
    """Return the names of layers with a regularizer."""
    names = ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "embeddings_regularizer")
    held = (layer for layer in model._flatten_layers() if any(getattr(layer, name, None) for name in names))
    return [str(layer.name) for layer in held]


def _size(model: keras.Model) -> float:
    """Return the norm of all weight matrices together, never 0."""
    squares = (
        float(np.square(np.asarray(w.value, np.float64)).sum()) for w in model.trainable_variables if len(w.shape) > 1
    )
    return math.sqrt(sum(squares)) + 1e-12


def _mean(outputs: Any) -> float:
    return float(np.mean(np.asarray(tf.nest.flatten(outputs)[0], np.float64)))


def _is_linear(model: keras.Model) -> bool:
    """Whether the last layer is known to have no activation."""
    layers = list(model._flatten_layers(include_self=False))
    activation = getattr(layers[-1], "activation", None) if layers else None
    return getattr(activation, "__name__", "") == "linear"


def _is_own(loss: Any) -> bool:
    """Whether a loss is the user's own function or class."""
    if loss is None or isinstance(loss, str | list | tuple | dict):
        return False
    known = loss if isinstance(loss, FunctionType) else type(loss)
    return not known.__module__.startswith("keras.")


def _predictions_for(y: Any, outputs: Any) -> Any:
    """Return outputs that say what the targets say, None where targets and outputs are of different kinds."""
    if not tf.is_tensor(outputs) or not tf.is_tensor(y):
        return None
    if outputs.shape.rank == 2 and outputs.shape[1] > 1 and y.dtype.is_integer and tf.size(y) == len(outputs):
        hot = tf.one_hot(tf.reshape(y, [-1]), outputs.shape[1], dtype=outputs.dtype)
        return 0.9 * hot + 0.1 / outputs.shape[1]
    if tf.size(y) != tf.size(outputs):
        return None
    same = tf.cast(tf.reshape(y, outputs.shape), outputs.dtype)
    two = tf.reduce_all((same == 0) | (same == 1))
    return tf.clip_by_value(same, 0.05, 0.95) if two else same
