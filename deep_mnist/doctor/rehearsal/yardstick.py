"""What a network that ignores its inputs could reach at best: the loss of the best constant prediction."""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import Any

import keras
import numpy as np

from deep_mnist.contract.losses import loss_name
from deep_mnist.doctor.rehearsal.vitals import constant_loss

SQUARED, ABSOLUTE = "mean_squared_error", "mean_absolute_error"


@dataclass(frozen=True)
class Yardstick:
    """Of one loss that is measured against labels or targets.

    Attributes:
        loss: Snake-case name; None for several losses or a function of the user's own.
    """

    loss: str | None

    @property
    def is_distance(self) -> bool:
        """Whether targets are numbers, and the loss is how far a prediction lies from them."""
        return self.loss in (SQUARED, ABSOLUTE)

    def of(self, y: Any) -> float | None:
        """Return the loss of the best constant prediction for these labels or targets; None where none is known.

        Args:
            y: Labels as `constant_loss` takes them, or targets (n, …) of any shape.
        """
        if not self.is_distance:
            return constant_loss(y, self.loss)
        if not hasattr(y, "shape") or len(y) < 2 or np.asarray(y).dtype.kind not in "fiub":
            return None
        targets = np.asarray(y, np.float64).reshape(len(y), -1)
        if self.loss == SQUARED:
            return float(targets.var(axis=0).mean())
        return float(np.abs(targets - np.median(targets, axis=0)).mean())


def yardstick_of(model: keras.Model) -> Yardstick:
    """Return the yardstick of a compiled model's loss, as far as the loss is one of Keras's."""
    loss = model.loss
    if isinstance(loss, str):
        return Yardstick(loss_name(loss))
    known = loss if isinstance(loss, FunctionType | type) else type(loss)
    return Yardstick(loss_name(known.__name__) if known.__module__.startswith("keras.src.losses") else None)
