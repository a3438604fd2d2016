"""What one look into a network shows, in the same words from the rehearsal and from the watchdog."""

from __future__ import annotations

from collections.abc import Sequence

from deep_mnist.doctor.checks.network.model_finding import model_finding
from deep_mnist.doctor.finding import Finding

SHOWN = 4  # names in one line
BOTH = ", before and after the run"


def names_of(paths: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> names_of(["a", "b"]), names_of(["a", "b", "c", "d", "e", "f"])
    ('a, b', 'a, b, c, d and 2 more')
    """
    return ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


def run_finding(
    field: str, severity: str, expected: str, received: str, fix: str, why: str, *, step: int | None = None
) -> Finding:
    """Return a finding on `rehearsal.<field>`; `step` is the one at which the watchdog looked."""
    where = () if step is None else (step,)
    return model_finding(f"rehearsal.{field}", severity, expected, received, fix, why, where=where)


def dead_units(layers: Sequence[str], share: float, range_text: str, *, step: int | None = None) -> Finding:
    """Return the finding on layers whose units respond to no example.

    Args:
        layers: Names, the first of them first in the network.
        share: Of the first one's units, 0..1.
        range_text: What the input spans, as `Vitals.range_text` says it.
        step: At which the watchdog looked: an error; None in a rehearsal: a warning, seen before and after its run.
    """
    return run_finding(
        "outputs", _severity(step), "units that respond to some example",
        f"{share:.0%} of the units of {names_of(layers)} are zero for every example{BOTH if step is None else ''}",
        f"Initialize {layers[0]} with zero biases and he_normal kernels, lower the learning rate, and check the scale "
        f"of its input: {range_text}.",
        "A unit that is always zero has no gradient and stays dead; nothing passes this layer.", step=step,
    )  # fmt: skip


def vanished_gradient(weight: str, size: float, *, step: int | None = None) -> Finding:
    """Return the finding on a gradient that hardly reaches the first weights.

    Args:
        weight: Path of the first weights.
        size: The gradient's norm over theirs.
        step: As for `dead_units`.
    """
    return run_finding(
        "gradients", _severity(step), f"a gradient that reaches the first weights ({weight})",
        f"{size:.1e} of their size; it vanishes on the way back through the layers",
        "Use ReLU instead of sigmoid or tanh, add BatchNormalization or shortcuts, or take fewer layers.",
        "The first layers do not learn.", step=step,
    )  # fmt: skip


def _severity(step: int | None) -> str:
    return "warning" if step is None else "error"
