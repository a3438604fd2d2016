"""The fits that came before one in the same process: what they were to train, and on what; nothing is kept alive."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deep_mnist.doctor.checks.program.fit_traces import digest_of, row_keys

if TYPE_CHECKING:
    from deep_mnist.doctor.capture.fit_call import FitCall
    from deep_mnist.doctor.case import Case

MOST_FITS = 64  # that are remembered, the latest


@dataclass(frozen=True)
class EarlierFit:
    """What is kept of one fit; the objects are held weakly.

    Attributes:
        model, optimizer, compiled: References to the model, its optimizer and what compile() made.
        trained, frozen: Layers with weights, by whether these were to train.
        rate: Its learning rate, None of a schedule.
        keys, spread: Of its examples, as `row_keys` returns them.
        start: Digest of the weights before it.
        ran: It was made, and not only judged.
    """

    model: Any
    optimizer: Any
    compiled: Any
    trained: weakref.WeakSet[Any]
    frozen: weakref.WeakSet[Any]
    rate: float | None
    keys: frozenset[int]
    spread: int
    start: int
    ran: bool


class Fits:
    """The fits of one script, or of a block of code."""

    def __init__(self) -> None:
        self.seen: list[EarlierFit] = []

    def earlier(self) -> tuple[EarlierFit, ...]:
        """Return the fits until now, the latest last."""
        return tuple(self.seen)

    def add(self, call: FitCall, case: Case, *, ran: bool) -> None:
        """Remember a fit that was judged, before it is made."""
        model = call.model
        trained, frozen = layers_by_training(model)
        keys, spread = row_keys(case.train.images)
        fit = EarlierFit(
            _reference(model), _reference(getattr(model, "optimizer", None)), _reference(compiled_by(model)),
            weakref.WeakSet(trained), weakref.WeakSet(frozen), rate_of(model), keys, spread, digest_of(model), ran,
        )  # fmt: skip
        self.seen = [*self.seen, fit][-MOST_FITS:]


def _reference(value: Any) -> Any:
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: None


def compiled_by(model: Any) -> Any:
    """Return an object that each call of compile() makes anew."""
    return getattr(model, "_compile_loss", None)


def layers_by_training(model: Any) -> tuple[list[Any], list[Any]]:
    """Return the layers with weights, those that train and those that do not."""
    trained: list[Any] = []
    frozen: list[Any] = []
    for layer in _leaves(model):
        try:
            if layer.weights:
                (trained if layer.trainable_weights else frozen).append(layer)
        except Exception:  # a layer of the user's own
            continue
    return trained, frozen


def _leaves(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", None) or ():
        if getattr(layer, "layers", None):
            yield from _leaves(layer)
        else:
            yield layer


def rate_of(model: Any) -> float | None:
    """Return the learning rate where it is a number, None of a schedule."""
    stated = getattr(getattr(model, "optimizer", None), "_learning_rate", None)
    try:
        return float(stated) if stated is not None else None
    except Exception:  # a schedule
        return None
