"""What the rehearsal says: each finding with its evidence and one fix line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal.network_faults import dead_units, names_of, run_finding, vanished_gradient

if TYPE_CHECKING:
    from deep_mnist.doctor.rehearsal.vitals import Vitals

DEAD_SHARE = 0.98  # of a layer's units, zero for every probed example: a healthy ReLU layer has 0 to 60 %
VANISHED = 1e-6  # gradient over weight, both as norms; healthy first layers show 1e-3 to 1e2
EXPLODES = 1e5  # largest relative gradient over the median of the last three; healthy networks stay below 1e3


def abstention(reason: str) -> Finding:
    """The network was not run."""
    return run_finding(
        "cost", "note", "a network that can be rehearsed here", f"not run: {reason}",
        "Watch the first hundred steps of the training yourself, or with doctor.Watchdog().",
        "What only a run can show was not looked at.",
    )  # fmt: skip


def nothing_to_train() -> Finding:
    """No weight is trainable."""
    return run_finding(
        "gradients", "error", "at least one trainable weight", "none: every layer is frozen",
        "model.trainable = True  # then compile again", "The loss never changes.",
    )  # fmt: skip


def broken_weight(paths: Sequence[str]) -> Finding:
    """A weight is NaN or infinite before the first step."""
    return run_finding(
        "loss", "error", "finite weights before the first step", f"NaN or infinity in {names_of(paths)}",
        f"Initialize {paths[0]} anew, or load another checkpoint.", "Every output and every gradient becomes NaN.",
    )  # fmt: skip


def not_finite(layer: str, vitals: Vitals) -> Finding:
    """The loss, an output or a gradient is not finite at the start."""
    where = f"first after layer {layer}" if layer else "in the loss or a gradient"
    if not (math.isfinite(vitals.lowest) and math.isfinite(vitals.highest)):
        fix = "Remove the NaN and infinity from the inputs: the doctor names their indices."
    else:
        fix = f"Look at {layer or 'the loss'}: a logarithm, root or quotient of 0; {vitals.range_text}."
    return run_finding(
        "loss", "error", "finite outputs, loss and gradients before the first step", f"NaN or infinity, {where}", fix,
        "The first step turns every weight it reaches into NaN.",
    )  # fmt: skip


def lost(step: int, layer: str, rate: float | None, smaller: float | None, losses: Sequence[float]) -> Finding:
    """The loss stopped being finite during the run."""
    where = f", first after layer {layer}" if layer else ""
    received = f"NaN or infinity at step {step}{where}; losses before: {_losses(losses[:-1][-4:])}"
    fix = "Lower the learning rate or scale the inputs; a root, quotient or logarithm of 0 gives NaN at any rate."
    if smaller is not None:
        fix = f"model.optimizer.learning_rate = {smaller:.1g}  # {rate:g} diverges; at {smaller:.1g} the loss fell"
    return run_finding(
        "loss", "error", "a loss that stays finite", received, fix, "Every later step would be lost, and so the model."
    )


def unconnected(before: Vitals) -> list[Finding]:
    """Trainable weights on which the loss does not depend."""
    if not before.unconnected:
        return []
    return [
        run_finding(
            "gradients", "warning", "a loss that depends on every trainable weight",
            f"no gradient reaches {names_of(before.unconnected)}",
            f"Connect the layer of {before.unconnected[0]} to an output that has a loss, or remove it.",
            "These weights stay as they were initialized.",
        )
    ]  # fmt: skip


def still(before: Vitals, after: Vitals) -> list[Finding]:
    """Trainable weights whose gradient is exactly zero, before the run and after it."""
    paths = [path for path in before.still if path in after.still]
    dead = [name for name, share in after.dead.items() if share >= DEAD_SHARE]
    if not paths or dead:  # dead units are the cause, and are named
        return []
    return [
        run_finding(
            "gradients", "warning", "a gradient in every trainable weight",
            f"exactly zero for every example, before and after the run, in {names_of(paths)}",
            "Initialize the weights at random (Keras's default), and see that nothing stops the gradient (argmax, "
            "round, stop_gradient, a saturated activation).",
            "A weight without a gradient never moves: all units of a layer that starts at zero stay alike.",
        )
    ]  # fmt: skip


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
    return [
        run_finding(
            field="gradients", severity="warning", expected="gradients of one order of magnitude in every layer",
            received=f"{largest:.1e} of the size of {name}, {last:.1e} at the output: it explodes on the way back",
            fix="Take smaller initial weights (glorot_uniform, he_normal), or add BatchNormalization or shortcuts.",
            why="Where the gradient explodes the loss is rough: steps that suit the last layers wreck the first ones.",
        )
    ]  # fmt: skip


def same_answer(after: Vitals) -> Finding:
    """Every example gets the same output after the run."""
    return run_finding(
        "outputs", "error", "outputs that differ between examples",
        f"after the run every example gets the same prediction (they differ by {after.spread:.0e} of their size)",
        f"Check the scale of the inputs ({after.range_text}), the initializers and the last activation.",
        "The network learns the frequency of the labels only.",
    )  # fmt: skip


def summed_loss(ratio: float) -> Finding:
    """The loss grows with the batch."""
    return run_finding(
        "initial_loss", "warning", "a loss that is a mean over the batch",
        f"the loss of a batch is {ratio:.1f} times that of its half: it is summed",
        'Take reduction="sum_over_batch_size", the default, in the loss.',
        "The rate grows with the batch size: what is right for 32 examples diverges at 256, and losses of runs with "
        "other batches cannot be compared.",
    )  # fmt: skip


def high_start(start: float, reference: float, end: float, steps: int) -> Finding:
    """The first loss is far above that of a constant prediction, and stays above it."""
    return run_finding(
        "initial_loss", "warning", f"a loss near {reference:.2f} at the start, as a constant prediction gives",
        f"{start:.3g} at the start, {end:.3g} after {steps} steps",
        "Scale the inputs to about 0..1, or take smaller initial weights (glorot_uniform, he_normal).",
        "The first epochs only undo a start that is confidently wrong.",
    )  # fmt: skip


def rate(current: float, better: float, losses: Sequence[float], run: Sequence[float], update: float) -> Finding:
    """Another rate learns one batch by heart, and this one does not."""
    which = "high" if better < current else "low"
    size = "" if math.isnan(update) else f"; a step changes a weight by {update:.0e} of its size"
    return run_finding(
        "updates", "error", f"a rate at which one batch is learned; {better:.1g} does ({_losses(losses)})",
        f"{current:g} is too {which}: losses {_losses(run)}{size}",
        f"model.optimizer.learning_rate = {better:.1g}",
        "Steps this large jump over every minimum." if which == "high" else "The training would end before it began.",
    )  # fmt: skip


def not_by_heart(examples: int, losses: Sequence[float], reference: float) -> Finding:
    """No rate tried learns a few examples by heart."""
    return run_finding(
        "memorizes", "error", f"{examples} examples that can be learned by heart",
        f"after {len(losses)} steps on them the loss is {losses[-1]:.3g} (a constant prediction gives "
        f"{reference:.3g}), and no rate from 1/1000 to 1000 times yours does better",
        "Check that labels and loss belong together, that a nonlinear activation stands between the layers, and that "
        "no softmax, large dropout or strong regularization stands inside.",
        "What cannot learn a few examples cannot learn the set.",
    )  # fmt: skip


def undecided(losses: Sequence[float], seconds: float) -> Finding:
    """The run did not learn, and time ended before the cause was found."""
    return run_finding(
        "memorizes", "note", "a loss that falls within the rehearsal",
        f"losses {_losses(losses)} in {len(losses)} steps; {seconds:.0f} s were not enough to find out why",
        "Rehearse for longer: doctor.rehearse(model, x, y, seconds=120).",
        "Either the network is slow to start, or it does not learn.",
    )  # fmt: skip


def cost(step: float, batch: int, epoch: float, epochs: int | None, memory: int) -> Finding:
    """What the training would cost on this machine."""
    whole = f", {epochs} epochs {_duration(epoch * epochs)}" if epochs else ""
    return run_finding(
        "cost", "note", "a cost that is known before it is paid",
        f"{step * 1e3:.0f} ms per step of {batch} examples on this CPU: an epoch {_duration(epoch)}{whole}; "
        f"{memory >> 20} MiB of memory",
        "Nothing to fix. A GPU is typically 10 to 50 times faster on convolutions.",
        "Measured in the rehearsal; compilation is not counted.",
    )  # fmt: skip


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
