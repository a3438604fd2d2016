"""What the rehearsal says: each finding with its evidence and one fix line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal import rules
from deep_mnist.doctor.rehearsal.losses import LEARNED_FEW, LONG_FACTOR, LONG_STEPS
from deep_mnist.doctor.rehearsal.network_faults import dead_units, names_of, vanished_gradient

if TYPE_CHECKING:
    from deep_mnist.doctor.rehearsal.budget import Budget
    from deep_mnist.doctor.rehearsal.memory import Memory
    from deep_mnist.doctor.rehearsal.vitals import Vitals

DEAD_SHARE = 0.98  # of a layer's units, zero for every probed example: a healthy ReLU layer has 0 to 60 %
VANISHED = 1e-6  # gradient over weight, both as norms; healthy first layers show 1e-3 to 1e2
EXPLODES = 1e5  # largest relative gradient over the median of the last three; healthy networks stay below 1e3


def abstention(reason: str) -> Finding:
    """The network was not run."""
    return rules.NOT_REHEARSED.found(
        expected="a network that can be rehearsed here",
        received=f"not run: {reason}",
        fix="Watch the first hundred steps of the training yourself, or with doctor.Watchdog().",
    )


def nothing_to_train() -> Finding:
    """No weight is trainable."""
    return rules.NOTHING_TO_TRAIN.found(
        expected="at least one trainable weight",
        received="none: every layer is frozen",
        fix="model.trainable = True  # then compile again",
    )


def broken_weight(paths: Sequence[str]) -> Finding:
    """A weight is NaN or infinite before the first step."""
    return rules.BROKEN_WEIGHT.found(
        expected="finite weights before the first step",
        received=f"NaN or infinity in {names_of(paths)}",
        fix=f"Initialize {paths[0]} anew, or load another checkpoint.",
    )


def not_finite(layer: str, vitals: Vitals, steep: str = "") -> Finding:
    """The loss, an output or a gradient is not finite at the start; `steep` is a layer whose own gradient is not."""
    if steep:
        return rules.BROKEN_START.found(
            expected="finite outputs, loss and gradients before the first step",
            received=f"NaN or infinity in the gradient of layer {steep}, whose output is finite",
            fix=f"Add 1e-7 to what {steep} takes the root of or divides by, as in sqrt(x + 1e-7): "
            "the slope of a root is infinite at 0.",
        )
    where = f"first after layer {layer}" if layer else "in the loss or a gradient"
    if not (math.isfinite(vitals.lowest) and math.isfinite(vitals.highest)):
        fix = "Remove the NaN and infinity from the inputs: the doctor names their indices."
    else:
        fix = f"Look at {layer or 'the loss'}: a logarithm, root or quotient of 0; {vitals.range_text}."
    return rules.BROKEN_START.found(
        expected="finite outputs, loss and gradients before the first step",
        received=f"NaN or infinity, {where}",
        fix=fix,
    )


def lost(step: int, layer: str, rate: float | None, smaller: float | None, losses: Sequence[float]) -> Finding:
    """The loss stopped being finite during the run."""
    where = f", first after layer {layer}" if layer else ""
    fix = "Lower the learning rate or scale the inputs; a root, quotient or logarithm of 0 gives NaN at any rate."
    if smaller is not None:
        fix = f"model.optimizer.learning_rate = {smaller:.1g}  # {rate:g} diverges; at {smaller:.1g} the loss fell"
    return rules.LOST.found(
        expected="a loss that stays finite",
        received=f"NaN or infinity at step {step}{where}; losses before: {_losses(losses[:-1][-4:])}",
        fix=fix,
    )


def unconnected(before: Vitals) -> list[Finding]:
    """Trainable weights on which the loss does not depend."""
    if not before.unconnected:
        return []
    found = rules.UNCONNECTED.found(
        expected="a loss that depends on every trainable weight",
        received=f"no gradient reaches {names_of(before.unconnected)}",
        fix=f"Connect the layer of {before.unconnected[0]} to an output that has a loss, or remove it.",
    )
    return [found]


def still(before: Vitals, after: Vitals) -> list[Finding]:
    """Trainable weights whose gradient is exactly zero, before the run and after it."""
    paths = [path for path in before.still if path in after.still]
    dead = [name for name, share in after.dead.items() if share >= DEAD_SHARE]
    if not paths or dead:  # dead units are the cause, and are named
        return []
    found = rules.ZERO_GRADIENT.found(
        expected="a gradient in every trainable weight",
        received=f"exactly zero for every example, before and after the run, in {names_of(paths)}",
        fix="Initialize the weights at random (Keras's default), and see that nothing stops the gradient (argmax, "
        "round, stop_gradient, a saturated activation).",
    )
    return [found]


def dead(before: Vitals, after: Vitals) -> list[Finding]:
    """Rectifying layers whose units respond to no example, before the run and after it."""
    names = [name for name, share in after.dead.items() if min(share, before.dead.get(name, share)) >= DEAD_SHARE]
    if not names:
        return []
    return [dead_units(names, after.dead[names[0]], after.range_text)]


def vanishing(before: Vitals, after: Vitals) -> list[Finding]:
    """The gradient of the first weights is nothing beside the weights, before the run and after it."""
    if not after.gradients:
        return []
    first = next(iter(after.gradients))
    size = max(after.gradients[first], before.gradients.get(first, 0.0))
    if size > VANISHED or size == 0.0:
        return []
    return [vanished_gradient(first, size)]


def exploding(before: Vitals) -> list[Finding]:
    """The gradient grows by orders of magnitude on its way back through the layers."""
    sizes = list(before.gradients.values())
    if len(sizes) < 6:
        return []
    name, largest = max(before.gradients.items(), key=lambda each: each[1])
    last = sorted(sizes[-3:])[1]
    if largest < EXPLODES * last or largest < 10:
        return []
    found = rules.EXPLODING.found(
        expected="gradients of one order of magnitude in every layer",
        received=f"{largest:.1e} of the size of {name}, {last:.1e} at the output: it explodes on the way back",
        fix="Take smaller initial weights (glorot_uniform, he_normal), or add BatchNormalization or shortcuts.",
    )
    return [found]


def same_answer(after: Vitals) -> Finding:
    """Every example gets the same output after the run."""
    return rules.SAME_OUTPUT.found(
        expected="outputs that differ between examples",
        received="after the run every example gets the same prediction (they differ by "
        f"{after.spread:.0e} of their size)",
        fix=f"Check the scale of the inputs ({after.range_text}), the initializers and the last activation.",
    )


def summed_loss(ratio: float) -> Finding:
    """The loss grows with the batch."""
    return rules.SUMMED_LOSS.found(
        expected="a loss that is a mean over the batch",
        received=f"the loss of a batch is {ratio:.1f} times that of its half: it is summed",
        fix='Take reduction="sum_over_batch_size", the default, in the loss.',
    )


def high_start(start: float, reference: float, end: float, steps: int) -> Finding:
    """The first loss is far above that of a constant prediction, and stays above it."""
    return rules.HIGH_START.found(
        expected=f"a loss near {reference:.2f} at the start, as a constant prediction gives",
        received=f"{start:.3g} at the start, {end:.3g} after {steps} steps",
        fix="Scale the inputs to about 0..1, or take smaller initial weights (glorot_uniform, he_normal).",
    )


def rate(current: float, better: float, losses: Sequence[float], run: Sequence[float], update: float) -> Finding:
    """Another rate learns one batch by heart, and this one does not."""
    rule, which = (rules.RATE_TOO_HIGH, "high") if better < current else (rules.RATE_TOO_LOW, "low")
    size = "" if math.isnan(update) else f"; a step changes a weight by {update:.0e} of its size"
    return rule.found(
        expected=f"a rate at which one batch is learned; {better:.1g} does ({_losses(losses)})",
        received=f"{current:g} is too {which}: losses {_losses(run)}{size}",
        fix=f"model.optimizer.learning_rate = {better:.1g}",
    )


def rate_too_slow(current: float, better: float, losses: Sequence[float], run: Sequence[float]) -> Finding:
    """With ten times the rate, the whole training's steps on the same batches learn."""
    return rules.RATE_TOO_SLOW.found(
        expected=f"a rate at which the loss falls; with ten times it, {better:.1g}, the same steps get {_losses(run)}",
        received=f"{current:g}: losses {_losses(losses)} in {len(losses)} steps, which are the whole training",
        fix=f"model.optimizer.learning_rate = {better:.1g}",
    )


def not_by_heart(memory: Memory) -> Finding:
    """A few examples cannot be told apart at any rate tried."""
    return rules.NOT_MEMORIZED.found(
        expected=f"{memory.examples} examples that the network learns to tell apart",
        received=_tried(memory),
        fix="Check that labels and loss belong together, that a nonlinear activation stands between the layers, and "
        "that no softmax and no rounding stands inside.",
    )


def plateau(memory: Memory) -> Finding:
    """The same, under a squared or absolute error."""
    return rules.PLATEAU.found(
        expected=f"{memory.examples} examples that the network learns to tell apart",
        received=f"the run stays at the loss of a constant prediction; {_tried(memory)}",
        fix="Check that the last activation can reach the targets (none reaches any number), and scale the targets.",
    )


def penalty(layers: Sequence[str], shrunk: float, loss: float, without: float, steps: int) -> Finding:
    """Regularizers have pulled the weights to 0; without them the same steps learn."""
    where = f" of {names_of(layers)}" if layers else ""
    return rules.PENALTY.found(
        expected="a penalty beside which the loss still counts",
        received=f"after {steps} steps the weights are {shrunk:.0%} of their size and the loss, less the penalty, "
        f"{loss:.3g}; without the penalty{where} the same steps get it to {without:.3g}",
        fix="Take a hundredth of the regularizers' factor, such as keras.regularizers.L2(1e-4).",
    )


def dropped(layer: str, rate: float, loss: float, without: float, steps: int) -> Finding:
    """Without dropout the same steps get far lower."""
    other = "a few examples are learned" if math.isnan(without) else f"{without:.3g}"
    return rules.DROPPED.found(
        expected="dropout that leaves enough units to learn with, 0.1 to 0.5",
        received=f"{layer} drops {rate:.0%}: a loss of {loss:.3g} after {steps} steps, without dropout {other}",
        fix=f"keras.layers.Dropout({max(0.1, round(1 - rate, 2)):g})  # the share that is dropped",
    )


def out_of_reach(middle: float, mean: float, steps: int, reached: float, whole: int) -> Finding:
    """The outputs come nowhere near the targets."""
    return rules.OUT_OF_REACH.found(
        expected=f"outputs that can reach the targets' mean, {middle:.3g}",
        received=f"a mean output of {mean:.3g} after {steps} steps; {whole} at this pace move it by {reached:.2g}",
        fix="Standardize the targets: y = (y - y.mean()) / y.std()  # and undo it on what is predicted",
    )


def turned(at_right: float, at_wrong: float, losses: Sequence[float]) -> Finding:
    """The loss is higher for right predictions than for wrong ones."""
    return rules.TURNED_SIGN.found(
        expected="a loss that is lowest where the predictions are the targets",
        received=f"{at_right:.3g} for predictions that are right, {at_wrong:.3g} for those of other examples; "
        f"in the run {_losses(losses)}",
        fix="Take the minus sign out of the loss: what is minimized must be small where the prediction is right.",
    )


def undecided(budget: Budget) -> Finding:
    """The rehearsal's limits ended it before it could be judged."""
    limit = f"{budget.seconds:.0f} s" if budget.is_late else f"{budget.steps} steps or {budget.work:.0e} multiply-adds"
    return rules.UNDECIDED.found(
        expected="a rehearsal that can be judged within its limits",
        received=f"not judged for want of time: {limit} did not suffice",
        fix="Rehearse for longer: doctor.rehearse(model, x, y, seconds=3600, steps=10_000, work=1e13).",
    )


def _tried(memory: Memory) -> str:
    rates, last = ", ".join(f"{each:.1g}" for each in memory.rates), LONG_FACTOR * memory.rates[0]
    return (
        f"{memory.steps} steps on {memory.examples} examples at each of the rates {rates}, tried on "
        f"{memory.groups} such groups, get the loss to {memory.best:.3g} at best (a constant prediction gives "
        f"{memory.constant:.3g}), and {LONG_STEPS} steps at {last:.1g} on one group not below {LEARNED_FEW:.0%} of that"
    )


def cost(step: float, batch: int, epoch: float, epochs: int | None, memory: int) -> Finding:
    """What the training would cost on this machine."""
    whole = f", {epochs} epochs {_duration(epoch * epochs)}" if epochs else ""
    return rules.COST.found(
        expected="a cost that is known before it is paid",
        received=f"{step * 1e3:.0f} ms per step of {batch} examples on this CPU: an epoch {_duration(epoch)}{whole}; "
        f"{memory >> 20} MiB of memory",
        fix="Nothing to fix. A GPU is typically 10 to 50 times faster on convolutions.",
    )


def _losses(losses: Sequence[float]) -> str:
    shown = [losses[0], *losses[len(losses) // 2 : len(losses) // 2 + 1], losses[-1]] if losses else []
    return " -> ".join(f"{each:.3g}" for each in shown) or "none"


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "an unknown time"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
