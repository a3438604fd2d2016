"""What the losses of a rehearsal's steps say by themselves.

Losses are floats in the order of the steps; `constant` is that of the best constant prediction, infinite when unknown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

RUN_STEPS = 60  # of the run at the user's own rate
LONG_RUN_STEPS = 300  # of a run that has not learned by then
WHOLE_STEPS = 1500  # of a training that may be run whole where it has not learned
LONG_STEPS = 1500  # on a few examples, at LONG_FACTOR times the rate: the last try
LONG_FACTOR = 10.0
LEARNED_FEW = 0.9  # of a constant prediction's loss on the same few examples
SHORT = 6  # steps: so few say nothing
LEARNS = 0.9  # of the loss at the start: below it a run has moved
BY_HEART = 0.7  # of the loss at the start: a healthy network is below 0.3 after HEART_STEPS
CERTAIN = 0.6  # of the loss at the start: below it the run may end early
DIVERGED = 2.0  # times the loss at the start


def learns(losses: Sequence[float], constant: float = math.inf) -> bool:
    """Return whether a run has left its first loss behind; a run of a few steps is taken to.

    >>> learns([2.3, 2.2, 2.0, 1.8, 1.7, 1.5]), learns([2.3, 2.4, 2.3, 2.2, 2.3, 2.3])
    (True, False)
    """
    if len(losses) < SHORT:
        return True
    edge = max(1, len(losses) // 6)
    end = float(np.median(losses[-2 * edge :]))
    start = min(losses[0], constant)
    return end < start - (1 - LEARNS) * abs(start)


def is_certain(losses: Sequence[float], constant: float = math.inf) -> bool:
    """Return whether a run has shown enough: half the steps, its loss far below its start and not above a constant's.

    >>> is_certain([2.3] * 10 + [0.5] * 20, constant=2.3), is_certain([2.3] * 30, constant=2.3)
    (True, False)
    """
    enough = min(CERTAIN * losses[0], 2 * constant) if losses else 0.0
    return len(losses) >= RUN_STEPS // 2 and float(np.median(losses[-10:])) < enough


def by_heart(losses: Sequence[float]) -> bool:
    """Return whether steps on one batch have learned it.

    >>> by_heart([2.3, 1.5, 1.0, 0.8, 0.6]), by_heart([2.3, 1.5, float("nan")])
    (True, False)
    """
    finite = len(losses) > 2 and all(map(math.isfinite, losses))
    return finite and float(np.mean(losses[-3:])) < BY_HEART * losses[0]


def diverged(losses: Sequence[float]) -> bool:
    """Return whether a run, of one step at least, has left the numbers or ended far above its start.

    >>> diverged([2.3, 40.0, 900.0]), diverged([2.3, float("inf")]), diverged([2.3, 2.5, 2.4])
    (True, True, False)
    """
    edge = max(1, len(losses) // 6)
    return not math.isfinite(losses[-1]) or float(np.median(losses[-edge:])) > DIVERGED * abs(losses[0]) + 1e-6
