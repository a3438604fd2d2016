"""What the layers of a network tell of training, as a part of its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """What of the layers decides whether training can work.

    Attributes:
        weight_layers: Number of dense and convolutional layers.
        linear: Nothing but linear layers stands before the last weights, none of them narrower than both ends (a
            narrow one is a projection of its own, as of a linear autoencoder).
        fan_in: Most inputs that one unit sums up; None when a layer with weights is none of Dense and Conv.
        hidden: Dense and convolutional layers before the last weights.
        hidden_softmax: Layers whose softmax feeds a dense layer.
        constant_kernels: Layers before the last whose weights all start at one value.
        frozen: Layers with weights that are not trainable; `all_frozen` when none is, `frozen_output` of the last.
        stale_norms: Frozen BatchNormalization behind layers that train, all with the statistics they start with.
        dense_norms: BatchNormalization over examples alone, (n, features).
    """

    weight_layers: int = 0
    linear: bool = False
    fan_in: int | None = None
    hidden: tuple[str, ...] = ()
    hidden_softmax: tuple[str, ...] = ()
    constant_kernels: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    all_frozen: bool = False
    frozen_output: bool = False
    stale_norms: tuple[str, ...] = ()
    dense_norms: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Architecture:
        """Return the architecture of plain JSON values."""
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {
            str(name): tuple(map(str, value)) if isinstance(value, list | tuple) else value
            for name, value in stated.items()
            if name in known
        }
        return cls(**values)
