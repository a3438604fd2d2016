"""What a signature's input takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Sides = tuple[int | None, ...]
DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class InputForm:
    """What a signature's input takes.

    Attributes:
        name: Of the input.
        dtype: numpy dtype.
        shapes: Shapes of one example, the first the usual one; None is a side of any length.
    """

    name: str
    dtype: np.dtype[Any]
    shapes: tuple[Sides, ...]

    def sentence(self) -> str:
        """Return the form in words."""
        return f"{self.name}: {self.dtype} " + " or ".join(batch_shape(shape) for shape in self.shapes)


def batch_shape(shape: Sides) -> str:
    """Return the shape of a batch of examples in words.

    >>> batch_shape((28, None))
    '(n, 28, ?)'
    """
    return f"(n, {', '.join('?' if side is None else str(side) for side in shape)})"
