"""Whether a network can tell a few examples apart: the weakest thing that a training asks of it.

Tried at several rates, each from the start, and judged in prediction mode too, where no dropout and no noise hide what
was learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from deep_mnist.doctor.rehearsal.losses import LEARNED_FEW, LONG_FACTOR, LONG_STEPS
from deep_mnist.doctor.rehearsal.trial import FEW_EXAMPLES, StepTrial
from deep_mnist.doctor.rehearsal.yardstick import Yardstick

FACTORS = (1.0, 10.0, 100.0, 0.1)  # of the user's rate
STEPS = 200  # at each
LOOK_EVERY = 20  # steps
GROUPS = 2  # of examples: units may be dead for one group and not for another


@dataclass(frozen=True)
class Memory:
    """What was tried and seen.

    Attributes:
        groups: Of examples, each tried from the start.
        examples: In each.
        rates: At which it was tried.
        steps: At each rate.
        best: The lowest loss seen on a group in prediction mode, over `constant`'s.
        constant: The loss of the best constant prediction of that group.
        learned: It came clearly below that.
    """

    groups: int
    examples: int
    rates: Sequence[float]
    steps: int
    best: float
    constant: float
    learned: bool


def memory_of(trial: StepTrial, yardstick: Yardstick, *, scaled: bool = False, **how: bool) -> Memory | None:
    """Return whether a network learns a few examples at any of FACTORS times its rate; None where none can be chosen.

    Args:
        trial: Left in any state.
        yardstick: Of the network's loss.
        scaled: Targets that are numbers are first brought to a mean of 0 and a deviation of 1.
        **how: dropout and penalty of `StepTrial.repeated`.

    Raises:
        SpentError: Before that was known.
    """
    if trial.rate is None:
        return None
    tried: Memory | None = None
    for count, rows in enumerate(groups_of(trial.x, trial.y), 1):
        one = _memory_of_group(trial, yardstick, rows, scaled, how, FACTORS, STEPS)
        if one is None or one.learned:
            return one
        nearer = one if tried is None or one.best / one.constant < tried.best / tried.constant else tried
        tried = replace(nearer, groups=count)
    if tried is None or scaled:
        return tried
    rows = next(groups_of(trial.x, trial.y))
    last = _memory_of_group(trial, yardstick, rows, scaled, how, (LONG_FACTOR,), LONG_STEPS)
    return last if last is not None and last.learned else tried


def _memory_of_group(
    trial: StepTrial,
    yardstick: Yardstick,
    rows: np.ndarray,
    scaled: bool,
    how: Mapping[str, bool],
    factors: Sequence[float],
    steps: int,
) -> Memory | None:
    x, y = trial.pair(rows)
    y = (y - y.mean(axis=0)) / (y.std(axis=0) + 1e-9) if scaled else y
    constant = yardstick.of(y)
    if not constant or trial.rate is None:
        return None
    seen, tried = _Seen(trial, x, y, constant), []
    for factor in factors:
        tried.append(trial.rate * factor)
        trial.repeated(x, y, steps, rate=tried[-1], every=LOOK_EVERY, until=seen.has_learned, **how)
        if seen.learned:
            break
    return Memory(1, len(rows), tried, steps, seen.best, constant, seen.learned)


class _Seen:
    """Looks at the few examples' loss between the steps."""

    def __init__(self, trial: StepTrial, x: Any, y: Any, constant: float) -> None:
        self.trial, self.x, self.y, self.constant = trial, x, y, constant
        self.best, self.learned = float("inf"), False

    def has_learned(self, losses: Sequence[float]) -> bool:
        if not losses:
            return False
        shown = self.trial.plain_loss_of(self.x, self.y)
        self.best = min(self.best, shown if np.isfinite(shown) else float("inf"))
        lowest = min(shown, float(np.median(losses[-LOOK_EVERY:])))
        self.learned |= lowest < LEARNED_FEW * self.constant
        return self.learned


def groups_of(x: Any, y: Any) -> Iterator[np.ndarray]:
    """Yield rows of a few examples whose inputs and targets all differ, the targets far apart, at most GROUPS times.

    >>> [rows.tolist() for rows in groups_of(np.arange(6)[:, None], np.array([0, 0, 1, 1, 0, 2]))]
    [[0, 2, 5], [1, 3]]
    """
    if y is None or not hasattr(y, "shape"):
        return
    targets, left = np.asarray(y).reshape(len(y), -1), np.arange(len(y))
    for _ in range(GROUPS):
        _, firsts = np.unique(targets[left], axis=0, return_index=True)
        if len(firsts) < 2:
            return
        spread = np.unique(np.linspace(0, len(firsts) - 1, FEW_EXAMPLES).round().astype(int))
        chosen = _different(x, left[np.sort(firsts[spread])])
        if len(chosen) < 2:
            return
        yield chosen
        left = np.setdiff1d(left, chosen)


def _different(x: Any, rows: np.ndarray) -> np.ndarray:
    """Return those of the rows whose inputs no earlier one has."""
    first: dict[bytes, int] = {}
    for row in rows:
        first.setdefault(b"".join(np.asarray(part[row]).tobytes() for part in tf.nest.flatten(x)), int(row))
    return np.array(list(first.values()))
