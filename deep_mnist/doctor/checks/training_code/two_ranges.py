"""Check of a generator and the network that judges it: whether what is made has the range of what is real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.network.frozen import named_in
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, step_of
from deep_mnist.doctor.evidence.live.own_step import OwnStep, patched
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

RANGES = {"tanh": "-1..1", "sigmoid": "0..1"}
SHAPING = ("Reshape", "Flatten", "Cropping2D", "Cropping1D", "Permute")
LEAST_ROWS = 8
BELOW, ABOVE, SEEN = -0.3, 1.5, 0.5  # of real values: clearly below 0, clearly above 1, and not all near 0

TWO_RANGES = Rule(
    code="I193",
    name="generator-of-another-range",
    field="images.range",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="A generator ends in tanh, of -1..1, and no real image is below 0; or in sigmoid, of 0..1, and real "
    "images are below 0 or far above 1.",
    why="The discriminator tells real from made by the range alone, and the generator cannot follow.",
)


@dataclass(frozen=True)
class Opponents:
    """A generator with its name in the program, "" where it has none, and the network that judges what it makes."""

    name: str
    generator: Any
    judge: Any


@check(TWO_RANGES)
def check_two_ranges(case: Case) -> Iterator[Finding]:
    """Yield a generator whose last activation makes another range than that of the real images beside its own."""
    if case.call is None or not can_be_tried(case):
        return
    for pair in opponents_in(case):
        real = _real(case, pair)
        if real is None or len(real) < LEAST_ROWS or not np.isfinite(real).all():
            continue
        last, low, high = _last_activation(pair.generator), float(real.min()), float(real.max())
        apart = low >= 0 and high > SEEN if last == "tanh" else low < BELOW or high > ABOVE
        if apart:
            yield TWO_RANGES.found(
                "train",
                expected=f"real images in {RANGES[last]}, the range of {last}",
                received=f"{low:.3g}..{high:.3g} beside what a generator makes that ends in {last}",
                fix=_fix(pair.name, last, low, high),
            )
            return


def opponents_in(case: Case) -> list[Opponents]:
    """Return the generators that end in tanh or sigmoid, each with a network for its outputs that has one unit."""
    model = case.call.model if case.call is not None else None
    held = dict(named_in(case.frame)) if case.frame is not None else {}
    held |= {f" {name}": each for name, each in getattr(model, "__dict__", {}).items()}
    networks = {id(each): (name, each) for name, each in reversed(held.items()) if _shapes(each) is not None}
    networks |= {id(model): ("", model)} if id(model) not in networks and _shapes(model) is not None else {}
    return [
        Opponents("" if name.startswith(" ") else name, generator, judge)
        for name, generator in networks.values()
        for _, judge in networks.values()
        if _last_activation(generator) in RANGES and _judges(judge, generator)
    ]


def _shapes(network: Any) -> tuple[Any, Any] | None:
    """Return a live network's shapes of input and output, None of all else."""
    if all(each.__name__ != "Model" for each in type(network).__mro__):
        return None
    try:
        taken, made = network.input_shape, network.output_shape
        is_known = isinstance(taken, tuple) and isinstance(made, tuple) and bool(network.layers)
    except Exception:  # not built, or of the user's own
        return None
    return (taken, made) if is_known else None


def _judges(judge: Any, generator: Any) -> bool:
    taken, made = _shapes(generator) or ((), ())
    of_judge = _shapes(judge) or ((), ())
    return len(made) >= 3 and taken != made and of_judge[0] == made and of_judge[1][-1:] == (1,)


def _last_activation(network: Any) -> str:
    for layer in reversed(network.layers):
        if type(layer).__name__ in SHAPING:
            continue
        if isinstance(getattr(layer, "layers", None), list) and layer.layers:
            return _last_activation(layer)
        return str(getattr(getattr(layer, "activation", None), "__name__", ""))
    return ""


def _real(case: Case, pair: Opponents) -> np.ndarray | None:
    """Return real images as the judge is given them beside what the generator made, None where it is not."""
    call, step = case.call, step_of(case)
    if step is not None:
        return _beside(step, pair)
    if call is None or call.verb != "train_on_batch" or call.model is not pair.judge or case.frame is None:
        return None
    both = (id(pair.generator), id(pair.judge))
    around = (each.layers for _, each in named_in(case.frame) if _shapes(each) is not None)
    inner = ([one for one in each if type(one).__name__ != "InputLayer"] for each in around)
    joined = any(tuple(map(id, each)) == both for each in inner)
    return case.train.images if joined else None


def _beside(step: OwnStep, pair: Opponents) -> np.ndarray | None:
    """Run a step and return the rows that the judge is given and the generator did not make.

    None where the judge is never given a row as the generator made it: it may be brought to another range between.
    """
    given: list[np.ndarray] = []
    made: list[np.ndarray] = []

    def watch(own: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = own(self, *args, **kwargs)
            if self is pair.judge and args and hasattr(args[0], "numpy"):
                given.extend(np.asarray(args[0]))
            if self is pair.generator and hasattr(result, "numpy"):
                made.extend(np.asarray(result))
            return result

        return call

    owners = {type(pair.judge), type(pair.generator)}
    first, *others = owners
    with patched(first, "__call__", watch):
        if others:
            with patched(others[0], "__call__", watch):
                step.record()
        else:
            step.record()
    fakes = {each.tobytes() for each in made}
    real = [each for each in given if each.tobytes() not in fakes]
    return np.stack(real) if real and len(real) < len(given) else None


def _fix(name: str, last: str, low: float, high: float) -> str:
    if high > ABOVE:
        scaled = "images / 127.5 - 1" if last == "tanh" else "images / 255"
        return f"Scale the real images to the range of {last}: {scaled}."
    other, scaled = ("sigmoid", "2 * images - 1") if last == "tanh" else ("tanh", "(images + 1) / 2")
    if low < -1.01 or not name:
        return f"Scale the real images to the range of {last}: {scaled}."
    return f"{name}.layers[-1].activation = keras.activations.{other}  # or scale the real images: {scaled}"
