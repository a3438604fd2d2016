"""The watchdog: ends a training that cannot succeed, and says why in the words of the doctor.

A healthy training pays for two numbers a window. Only when these look wrong is the model probed:
gradients of every weight, and units that answer nothing to any example.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.train.data import TrainingSplit
from components.train.trainee import Trainee

WINDOW = 100  # steps over which loss and accuracy are looked at
CHANCE_STEPS = 500  # after so many steps, accuracy at chance ends the training
PROBED = 256  # examples
DEAD_SHARE = 0.98  # of a layer's units
VANISHED = 1e-6  # of the first weights' norm, the norm of their gradient
EXPLODED = 1e3  # times the loss of a network that knows nothing


@dataclass(frozen=True)
class HealthFinding:
    """What is wrong with a training: the fields of a finding of the doctor."""

    field: str
    expected: str
    received: str
    why: str
    fix: str
    where: tuple[int, ...] = ()


class UnhealthyTrainingError(RuntimeError):
    """The training was ended early; `findings` say why."""

    def __init__(self, findings: list[HealthFinding], step: int) -> None:
        self.findings, self.step = findings, step
        lines = [
            f"{each.field}: Expected {each.expected}. Received: {each.received}. {each.why} Fix: {each.fix}"
            for each in findings
        ]
        super().__init__("\n  ".join([f"training ended early, at step {step}:", *lines]))
        self.expected = "\n".join(f"{each.field}: {each.expected}" for each in findings)
        self.received = "\n".join(f"{each.field}: {each.received}" for each in findings)
        self.fix = "\n".join(dict.fromkeys(each.fix for each in findings))


@dataclass(frozen=True)
class Probe:
    """One look into a model.

    Attributes:
        gradients: Weight name -> norm of its gradient over its own norm, first layer first.
        dead: Layer name -> share of its units that are zero for every example.
        finite: Every weight is finite.
        lowest, highest: Of the probed images.
    """

    gradients: dict[str, float]
    dead: dict[str, float]
    finite: bool
    lowest: float
    highest: float


class Watch:
    """Looks at a training's loss and accuracy, window by window."""

    def __init__(self, trainee: Trainee, train: TrainingSplit, rate: float) -> None:
        self.trainee, self.rate = trainee, rate
        self.images, self.labels = np.asarray(train.images[:PROBED]), np.asarray(train.labels[:PROBED])
        self.chance, self.entropy = _chance(train)
        self._before, self._window = np.zeros(3), np.zeros(3)

    def check(self, step: int, sums: np.ndarray, batch: int) -> None:
        """Look at the epoch's sums of (losses, correct, examples) after `step` steps of the training.

        Raises:
            UnhealthyTrainingError: It cannot succeed.
        """
        if not math.isfinite(float(sums[0])):
            raise UnhealthyTrainingError(self._not_finite(step), step)
        new_epoch = sums[2] <= self._before[2]
        self._window += sums if new_epoch else sums - self._before
        self._before = np.array(sums)
        loss, hits, examples = self._window
        if examples < WINDOW * batch:
            return
        self._window = np.zeros(3)
        findings = self._judge(step, loss * batch / examples, hits / examples, examples)
        if findings:
            raise UnhealthyTrainingError(findings, step)

    def _judge(self, step: int, loss: float, accuracy: float, examples: float) -> list[HealthFinding]:
        slack = 4 * math.sqrt(self.chance * (1 - self.chance) / examples)
        if accuracy > self.chance + slack:
            return []
        probe = look_into(self.trainee, self.images, self.labels)
        if not (probe.finite and all(map(math.isfinite, probe.gradients.values()))):
            return self._not_finite(step)  # a ReLU may turn NaN into 0, and the loss looks sound
        found = [*_dead(probe, step), *_vanishing(probe, step), *_exploding(probe, loss, self.entropy, step)]
        if found or step < CHANCE_STEPS:
            return found
        stuck = abs(loss - self.entropy) < 0.05 * self.entropy
        return [self._stuck(step, loss) if stuck else self._at_chance(step, accuracy)]

    def _not_finite(self, step: int) -> list[HealthFinding]:
        probe = look_into(self.trainee, self.images, self.labels)
        finite_data = math.isfinite(probe.lowest) and math.isfinite(probe.highest)
        fix = f"Lower the learning rate (it is {self.rate:g}), or scale the pixels: {_range_text(probe)}."
        if not finite_data:
            fix = "Mend the data: the images hold NaN or infinity; run the doctor on them."
        state = "the weights are finite" if probe.finite else "weights have become NaN or infinite"
        why = "Steps were too large for this loss, or its input is not finite; every later step would be lost."
        return [
            HealthFinding(
                "training.loss",
                "finite losses, gradients and weights",
                f"NaN or infinity in the training; {state}",
                why,
                fix,
                (step,),
            )
        ]

    def _stuck(self, step: int, loss: float) -> HealthFinding:
        return HealthFinding(
            "training.loss",
            f"a loss below ln(classes), {self.entropy:.3f}, after {step} steps",
            f"{loss:.3f}: the network gives every example the same answer",
            "What the network learns from these labels is their frequency only.",
            f"Check that labels and images are in the same order; change the rate (it is {self.rate:g}).",
            (step,),
        )

    def _at_chance(self, step: int, accuracy: float) -> HealthFinding:
        return HealthFinding(
            "training.accuracy",
            f"accuracy above chance, {self.chance:.3f}, after {step} steps",
            f"{accuracy:.3f}",
            "The loss moves, but not towards the labels.",
            f"Check the labels, the loss and from_logits with the doctor; lower the rate (it is {self.rate:g}).",
            (step,),
        )


def _chance(train: TrainingSplit) -> tuple[float, float]:
    """Return the share of the commonest class, and the entropy (nats) of the labels: ln(classes) when balanced."""
    labels = np.asarray(train.labels)
    classes = labels.argmax(-1) if labels.ndim == 2 and labels.shape[-1] > 1 else labels.reshape(-1)
    _, counts = np.unique(classes, return_counts=True)
    shares = counts / counts.sum()
    return float(shares.max()), float(-(shares * np.log(shares)).sum())


def look_into(trainee: Trainee, images: np.ndarray, labels: np.ndarray) -> Probe:
    """Probe a model on some examples."""
    model = trainee.model
    with tf.GradientTape() as tape:
        loss = trainee.loss(images, tf.constant(labels), model(images, training=True))
    weights = model.trainable_variables
    gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    sizes = {
        weight.path: float(tf.norm(tf.cast(gradient, tf.float32))) / (float(tf.norm(weight.value)) + 1e-12)
        for weight, gradient in zip(weights, gradients, strict=True)
        if len(weight.shape) > 1
    }
    finite = all(bool(np.isfinite(weight.numpy()).all()) for weight in model.weights)
    return Probe(sizes, _dead_shares(model, images), finite, float(images.min()), float(images.max()))


def _dead_shares(model: keras.Model, images: np.ndarray) -> dict[str, float]:
    rectified = [layer for layer in model.layers if _is_rectifier(layer)]
    if not rectified:
        return {}
    outputs = keras.Model(model.inputs[0], [layer.output for layer in rectified])(images, training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return {
        layer.name: float(np.mean(np.all(np.asarray(tf.cast(output, tf.float32)) <= 0, axis=_examples(output))))
        for layer, output in zip(rectified, outputs, strict=True)
    }


def _examples(output: Any) -> tuple[int, ...]:
    return tuple(range(len(output.shape) - 1))


def _is_rectifier(layer: keras.layers.Layer) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.ReLU) or activation in (keras.activations.relu, keras.activations.relu6)


def _dead(probe: Probe, step: int) -> list[HealthFinding]:
    return [
        HealthFinding(
            "training.units",
            f"units of {name} that answer to some example",
            f"{share:.0%} of them are zero for every one of {PROBED} examples",
            "A unit that is always zero has no gradient and stays dead; nothing passes this layer.",
            "Lower the learning rate, use He initialization with zero biases, and check the scale of the pixels: "
            f"{_range_text(probe)}.",
            (step,),
        )
        for name, share in probe.dead.items()
        if share >= DEAD_SHARE
    ]


def _vanishing(probe: Probe, step: int) -> list[HealthFinding]:
    if not probe.gradients or any(share >= DEAD_SHARE for share in probe.dead.values()):
        return []
    first = next(iter(probe.gradients))
    if probe.gradients[first] > VANISHED:
        return []
    return [
        HealthFinding(
            "training.gradients",
            f"a gradient that reaches the first weights ({first})",
            f"{probe.gradients[first]:.1e} of their size",
            "It vanishes on the way back through the layers, so the first layers do not learn.",
            "Use ReLU instead of sigmoid or tanh, add BatchNormalization or shortcuts, or take fewer layers.",
            (step,),
        )
    ]


def _exploding(probe: Probe, loss: float, entropy: float, step: int) -> list[HealthFinding]:
    if loss < EXPLODED * max(entropy, 0.1):
        return []
    name, largest = max(probe.gradients.items(), key=lambda each: each[1], default=("the weights", math.inf))
    return [
        HealthFinding(
            "training.gradients",
            "gradients that let the loss fall",
            f"a loss of {loss:.3g}; the gradient of {name} is {largest:.1e} times its size",
            "It explodes: every step throws the weights further away.",
            f"Lower the learning rate, clip the gradients, or scale the pixels: {_range_text(probe)}.",
            (step,),
        )
    ]


def _range_text(probe: Probe) -> str:
    return f"the network gets values of {probe.lowest:g} to {probe.highest:g}"
