"""The watchdog: ends a training that cannot succeed, and says why in the words of the doctor.

    model.fit(x, y, callbacks=[Watchdog(x, y)])     # UnhealthyTrainingError instead of a night of NaN

A healthy training pays for two numbers a window. Only when these look wrong is the network probed: gradients of every
weight, and units that respond to no example. The `train` step and the callback share this one implementation,
and its measures (`vitals.py`) with the rehearsal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal.findings import DEAD_SHARE, VANISHED
from deep_mnist.doctor.rehearsal.network_faults import dead_units, vanished_gradient
from deep_mnist.doctor.rehearsal.rules import AT_CHANCE, DIVERGING, LOST, STUCK
from deep_mnist.doctor.rehearsal.vitals import PROBED, Vitals, compiled_loss, entropy_of, look_into, remember

WINDOW = 100  # steps over which loss and accuracy are looked at
CHANCE_STEPS = 500  # after so many steps, accuracy at chance ends the training
EXPLODED = 1e3  # times the loss of a network that knows nothing


class UnhealthyTrainingError(RuntimeError):
    """The training was ended early; `findings` say why, at which `step`."""

    def __init__(self, findings: Sequence[Finding], step: int) -> None:
        self.findings, self.step = list(findings), step
        lines = [
            f"{each.rule.code} {each.field}: Expected {each.expected}. Received: {each.received}. {each.why} "
            f"Fix: {each.fix}"
            for each in findings
        ]
        super().__init__("\n  ".join([f"training ended early, at step {step}:", *lines]))
        self.expected = "\n".join(f"{each.rule.code} {each.field}: {each.expected}" for each in findings)
        self.received = "\n".join(f"{each.rule.code} {each.field}: {each.received}" for each in findings)
        self.fix = "\n".join(dict.fromkeys(each.fix for each in findings))


class Watch:
    """Looks at a training's loss and accuracy, window by window.

    Args:
        look: Probes the network as it stands.
        labels: Of the training set or a sample: classes (n,) or (n, 1), or one-hot rows (n, classes).
        rate: The learning rate, for the messages.
    """

    def __init__(self, look: Callable[[], Vitals], labels: Any, rate: float) -> None:
        self.look, self.rate = look, rate
        self.chance, self.entropy = chance_of(labels)
        self._before, self._window = np.zeros(3), np.zeros(3)

    def check(self, step: int, sums: Any, batch: int) -> None:
        """Look at the epoch's sums of (losses, correct, examples) after `step` steps of the training.

        Raises:
            UnhealthyTrainingError: It cannot succeed.
        """
        if not math.isfinite(float(sums[0])):
            raise UnhealthyTrainingError(self._not_finite(step), step)
        new_epoch = sums[2] <= self._before[2]
        self._window += sums if new_epoch else sums - self._before
        self._before = np.array(sums)
        loss, correct, examples = self._window
        if examples < WINDOW * batch:
            return
        self._window = np.zeros(3)
        findings = self._judge(step, loss * batch / examples, correct / examples, examples)
        if findings:
            raise UnhealthyTrainingError(findings, step)

    def _judge(self, step: int, loss: float, accuracy: float, examples: float) -> list[Finding]:
        slack = 4 * math.sqrt(self.chance * (1 - self.chance) / examples)
        if accuracy > self.chance + slack:
            return []
        seen = self.look()
        if not (seen.finite and all(map(math.isfinite, seen.gradients.values()))):
            return self._not_finite(step)  # a ReLU may turn NaN into 0, and the loss looks sound
        found = [*_dead(seen, step), *_vanishing(seen, step), *_diverging(seen, loss, self.entropy, step)]
        if found or step < CHANCE_STEPS:
            return found
        stuck = abs(loss - self.entropy) < 0.05 * self.entropy
        return [self._stuck(step, loss) if stuck else self._at_chance(step, accuracy)]

    def _not_finite(self, step: int) -> list[Finding]:
        seen = self.look()
        fix = f"Lower the learning rate (it is {self.rate:g}), or scale the inputs: {seen.range_text}."
        if not (math.isfinite(seen.lowest) and math.isfinite(seen.highest)):
            fix = "Fix the data: the inputs hold NaN or infinity; run the doctor on them."
        state = "the weights are finite" if seen.finite else "weights have become NaN or infinite"
        found = LOST.found(
            expected="finite losses, gradients and weights",
            received=f"NaN or infinity in the training; {state}",
            fix=fix,
            why="Steps were too large for this loss, or its input is not finite; every later step would be lost.",
            where=(step,),
        )
        return [found]

    def _stuck(self, step: int, loss: float) -> Finding:
        return STUCK.found(
            expected=f"a loss below ln(classes), {self.entropy:.3f}, after {step} steps",
            received=f"{loss:.3f}: the network gives every example the same prediction",
            fix=f"Check that labels and inputs are in the same order; change the rate (it is {self.rate:g}).",
            where=(step,),
        )

    def _at_chance(self, step: int, accuracy: float) -> Finding:
        return AT_CHANCE.found(
            expected=f"accuracy above chance, {self.chance:.3f}, after {step} steps",
            received=f"accuracy {accuracy:.3f}",
            fix=f"Check the labels, the loss and from_logits with the doctor; lower the rate (it is {self.rate:g}).",
            where=(step,),
        )


def chance_of(labels: Any) -> tuple[float, float]:
    """Return the share of the commonest class, and the entropy (nats) of the labels: ln(classes) when balanced."""
    labels = np.asarray(labels)
    classes = labels.argmax(-1) if labels.ndim == 2 and labels.shape[-1] > 1 else labels.reshape(-1)
    _, counts = np.unique(classes, return_counts=True)
    shares = counts / counts.sum()
    return float(shares.max()), entropy_of(shares)


class Watchdog(keras.callbacks.Callback):  # type: ignore[misc]
    """The watchdog for any `model.fit` of a classifier compiled with an accuracy metric; without one, for its loss.

    Args:
        x, y: The training data or a sample, as given to `fit`; without them the network is not probed, and only a
            loss or a weight that is not finite ends the training.

    Raises:
        UnhealthyTrainingError: Out of `fit`, when the training cannot succeed.
    """

    def __init__(self, x: Any = None, y: Any = None) -> None:
        super().__init__()
        self.x = None if x is None else tf.nest.map_structure(lambda array: np.asarray(array[:PROBED]), x)
        self._labels: np.ndarray | None = None if y is None else np.asarray(y)
        self._watch: Watch | None = None
        self._step = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras's signature
        """Prepare the watch: the model is known now."""
        if self.x is not None and self._labels is not None:
            rate = float(self.model.optimizer.learning_rate)
            self._watch = Watch(self._look, self._labels, rate)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the running means that Keras keeps of the epoch."""
        logs, self._step = logs or {}, self._step + 1
        loss = float(logs.get("loss", 0.0))
        if not math.isfinite(loss):
            raise UnhealthyTrainingError(self._not_finite(), self._step)
        accuracy = next((float(logs[name]) for name in logs if name.endswith("accuracy")), None)
        if self._watch is not None and accuracy is not None:
            steps = batch + 1
            self._watch.check(self._step, np.array([loss * steps, accuracy * steps, steps]), 1)

    def _not_finite(self) -> list[Finding]:
        if self._watch is not None:
            return self._watch._not_finite(self._step)
        rate = float(self.model.optimizer.learning_rate)
        fix = f"Lower the learning rate (it is {rate:g}), or scale the inputs; look for NaN in the data."
        found = LOST.found(
            expected="a finite loss",
            received="NaN or infinity",
            fix=fix,
            why="Every later step is lost.",
            where=(self._step,),
        )
        return [found]

    def _look(self) -> Vitals:
        def loss_of(x: Any, y: Any, outputs: Any) -> Any:
            return compiled_loss(self.model, x, y, outputs, training=True)

        labels = np.asarray(self._labels)
        give_back = remember(self.model.non_trainable_variables)
        seen = look_into(self.model, loss_of, self.x, labels[:PROBED])
        give_back()
        return seen


def _dead(seen: Vitals, step: int) -> list[Finding]:
    names = [name for name, share in seen.dead.items() if share >= DEAD_SHARE]
    return [dead_units(names, seen.dead[names[0]], seen.range_text, step=step)] if names else []


def _vanishing(seen: Vitals, step: int) -> list[Finding]:
    if not seen.gradients or any(share >= DEAD_SHARE for share in seen.dead.values()):
        return []
    first = next(iter(seen.gradients))
    return [] if seen.gradients[first] > VANISHED else [vanished_gradient(first, seen.gradients[first], step=step)]


def _diverging(seen: Vitals, loss: float, entropy: float, step: int) -> list[Finding]:
    if loss < EXPLODED * max(entropy, 0.1):
        return []
    name, largest = max(seen.gradients.items(), key=lambda each: each[1], default=("the weights", math.inf))
    found = DIVERGING.found(
        expected="gradients that let the loss fall",
        received=f"a loss of {loss:.3g}; the gradient of {name} is {largest:.1e} times its size",
        fix=f"Lower the learning rate, clip the gradients, or scale the inputs: {seen.range_text}.",
        where=(step,),
    )
    return [found]
