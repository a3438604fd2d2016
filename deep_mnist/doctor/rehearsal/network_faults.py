"""What one look into a network shows, in the same words from the rehearsal and from the watchdog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal.rules import DEAD_UNITS, SOFTMAX_AXIS, UNITS_ALIKE, VANISHING

if TYPE_CHECKING:
    from deep_mnist.doctor.rehearsal.trial import StepTrial

SHOWN = 4  # names in one line
BOTH = ", before and after the run"
STILL_ALIKE = 1e-3  # difference of the units' weights, over these: what rounding makes of equal ones in a run
ONE = 1e-3  # by which a sum of probabilities may miss 1


def names_of(paths: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> names_of(["a", "b"]), names_of(["a", "b", "c", "d", "e", "f"])
    ('a, b', 'a, b, c, d and 2 more')
    """
    return ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


def dead_units(layers: Sequence[str], share: float, range_text: str, *, step: int | None = None) -> Finding:
    """Return the finding on layers whose units respond to no example.

    Args:
        layers: Names, the first of them first in the network.
        share: Of the first one's units, 0..1.
        range_text: What the input spans, as `Vitals.range_text` says it.
        step: At which the watchdog looked: an error; None in a rehearsal: a warning, seen before and after its run.
    """
    when = BOTH if step is None else ""
    return DEAD_UNITS.found(
        expected="units that respond to some example",
        received=f"{share:.0%} of the units of {names_of(layers)} are zero for every example{when}",
        fix=f"Initialize {layers[0]} with zero biases and he_normal kernels, lower the learning rate, and check the "
        f"scale of its input: {range_text}.",
        severity=_severity(step),
        where=_where(step),
    )


def vanished_gradient(weight: str, size: float, *, step: int | None = None, at_output: float = 0.0) -> Finding:
    """Return the finding on a gradient that hardly reaches the first weights.

    Args:
        weight: Path of the first weights.
        size: The gradient's norm over theirs.
        step: As for `dead_units`.
        at_output: The same of the last weights, where it is told.
    """
    beside = f", {at_output:.1e} at the output" if at_output else ""
    return VANISHING.found(
        expected=f"a gradient that reaches the first weights ({weight})",
        received=f"{size:.1e} of their size{beside}; it vanishes on the way back through the layers",
        fix="Use ReLU instead of sigmoid or tanh, add BatchNormalization or shortcuts, or take fewer layers.",
        severity=_severity(step),
        where=_where(step),
    )


def alike_units(model: Any) -> dict[str, float]:
    """Return, for dense and convolutional layers of 2 units or more, how far the units' weights differ, over these."""
    found: dict[str, float] = {}
    for layer in model._flatten_layers():
        kernel = getattr(layer, "kernel", None)
        if type(layer).__name__ in ("Dense", "Conv1D", "Conv2D", "Conv3D") and kernel is not None and kernel.trainable:
            values = np.asarray(kernel.value, np.float64).reshape(-1, kernel.shape[-1])
            size = float(np.abs(values).max(initial=0.0))
            if values.shape[1] > 1 and size:
                found[str(layer.name)] = float(np.ptp(values, axis=1).max()) / size
    return found


def units_alike(before: dict[str, float], after: dict[str, float]) -> list[Finding]:
    """Return the finding on layers whose units started with equal weights and still have them."""
    names = [name for name, differs in before.items() if not differs and after.get(name, 1.0) < STILL_ALIKE]
    if not names:
        return []
    found = UNITS_ALIKE.found(
        expected="units of a layer that start with different weights",
        received=f"all units of {names_of(names)} have equal weights, before and after the run",
        fix=f"Initialize {names[0]} at random: leave out kernel_initializer, or take glorot_uniform or he_normal.",
    )
    return [found]


def softmax_axis(trial: StepTrial, loss: str | None) -> list[Finding]:
    """Return the finding on outputs that are probabilities over the examples, or over positions, not over classes."""
    if loss not in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        return []
    if getattr(trial.model.loss, "axis", -1) not in (-1,):
        return []
    outputs = trial.outputs(slice(0, trial.probed.stop - (trial.probed.stop > 2)))
    values = np.asarray(outputs, np.float64) if hasattr(outputs, "shape") else np.zeros(0)
    if values.ndim < 2 or values.min() < 0 or values.shape[-1] < 2 or _sum_to_one(values, -1):
        return []
    axis = next((axis for axis in range(values.ndim - 1) if values.shape[axis] > 1 and _sum_to_one(values, axis)), None)
    if axis is None:
        return []
    over = "the examples of the batch" if axis == 0 else f"axis {axis}"
    found = SOFTMAX_AXIS.found(
        expected="probabilities that sum to 1 over the classes, the last axis",
        received=f"outputs of shape {values.shape} that sum to 1 over {over}, and over the classes to "
        f"{values.sum(axis=-1).min():.3g} to {values.sum(axis=-1).max():.3g}",
        fix="Take the softmax over the last axis: keras.layers.Softmax(axis=-1), or tf.nn.softmax(x, axis=-1).",
    )
    return [found]


def _sum_to_one(values: np.ndarray, axis: int) -> bool:
    return bool(np.all(np.abs(values.sum(axis=axis) - 1) < ONE))


def _severity(step: int | None) -> str:
    return "warning" if step is None else "error"


def _where(step: int | None) -> tuple[int, ...]:
    return () if step is None else (step,)
