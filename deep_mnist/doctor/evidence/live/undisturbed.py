"""Run a user's layers and maps on a sample without leaving a trace in the generators of random numbers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np


@contextmanager
def undisturbed(layers: Iterable[Any] = ()) -> Iterator[None]:
    """Give back, at the end, the state of every generator that a sample may draw from.

    Args:
        layers: Whose variables (seeds, and whatever else they keep) are given back too.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    held = [(variable, np.array(variable)) for variable in _variables(layers)]
    eager = _eager_random()
    eager_state = eager.getstate() if eager is not None else None
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        for variable, value in held:
            variable.assign(value)
        if eager is not None and eager_state is not None:
            eager.setstate(eager_state)


def _variables(layers: Iterable[Any]) -> Iterator[Any]:
    """Yield the variables of layers, and of Keras's and TensorFlow's own generators."""
    seen: set[int] = set()
    found = [each for layer in layers for each in getattr(layer, "variables", ())]
    with suppress(Exception):  # internals of one version
        state = sys.modules["keras.src.backend.common.global_state"]
        shared = state.get_global_attribute("global_seed_generator")
        found += [shared.state] if shared is not None else []
    stateful = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    own = getattr(stateful, "global_generator", None)
    found += [own.state] if own is not None else []
    for variable in found:
        if id(variable) not in seen and hasattr(variable, "assign"):
            seen.add(id(variable))
            yield variable


def _eager_random() -> Any:
    """Return Python's generator from which TensorFlow draws the seeds of its eager operations, None without."""
    context = sys.modules.get("tensorflow.python.eager.context")
    with suppress(Exception):  # before anything was run, or another version's
        return context.context()._rng if context is not None else None
    return None
