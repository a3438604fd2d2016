"""What one look into a network shows, in the same words from the rehearsal and from the watchdog."""

from __future__ import annotations

from collections.abc import Sequence

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal.rules import DEAD_UNITS, VANISHING

SHOWN = 4  # names in one line
BOTH = ", before and after the run"


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


def vanished_gradient(weight: str, size: float, *, step: int | None = None) -> Finding:
    """Return the finding on a gradient that hardly reaches the first weights.

    Args:
        weight: Path of the first weights.
        size: The gradient's norm over theirs.
        step: As for `dead_units`.
    """
    return VANISHING.found(
        expected=f"a gradient that reaches the first weights ({weight})",
        received=f"{size:.1e} of their size; it vanishes on the way back through the layers",
        fix="Use ReLU instead of sigmoid or tanh, add BatchNormalization or shortcuts, or take fewer layers.",
        severity=_severity(step),
        where=_where(step),
    )


def _severity(step: int | None) -> str:
    return "warning" if step is None else "error"


def _where(step: int | None) -> tuple[int, ...]:
    return () if step is None else (step,)
