"""Random states of this process, given back: what the doctor draws must not change what the user's program draws.

Nothing is imported here: a library that the program has not loaded has no state.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

KERAS_SEEDS = "global_seed_generator"


@contextlib.contextmanager
def unchanged_random_states(layers: Iterable[Any] = ()) -> Iterator[None]:
    """Give Python's, numpy's, TensorFlow's, Keras's and torch's random states back at the end of the block.

    Args:
        layers: Whose variables (seeds, and whatever else they keep) are given back too.
    """
    held = {id(each): each for layer in layers for each in getattr(layer, "variables", ()) if hasattr(each, "assign")}
    undo = [*map(_of_variable, held.values()), *random_states()]
    try:
        yield
    finally:
        for each in undo:
            each()


def random_states() -> list[Callable[[], Any]]:
    """Return what sets each random state of this process to what it is now."""
    python, array = random.getstate(), np.random.get_state()
    states: list[Callable[[], Any]] = [lambda: random.setstate(python), lambda: np.random.set_state(array)]
    for of_library in (_of_tensorflow, _of_keras, _of_torch):
        with contextlib.suppress(Exception):  # internals of one version, or before anything was run
            states += of_library()
    return states


def _of_variable(variable: Any) -> Callable[[], Any]:
    value = np.array(variable)
    return lambda: variable.assign(value)


def _of_tensorflow() -> Iterator[Callable[[], Any]]:
    """The generator from which eager operations without a seed of their own take one, and that of tf.random."""
    module = sys.modules.get("tensorflow.python.eager.context")
    generator = getattr(module.context(), "_rng", None) if module is not None else None
    if isinstance(generator, random.Random):
        state = generator.getstate()
        yield lambda: generator.setstate(state)
    own = getattr(sys.modules.get("tensorflow.python.ops.stateful_random_ops"), "global_generator", None)
    if own is not None:
        yield _of_variable(own.state)


def _of_keras() -> Iterator[Callable[[], Any]]:
    """The seed generator of layers and initializers without one of their own."""
    held = sys.modules.get("keras.src.backend.common.global_state")
    if held is None or sys.modules["keras"].backend.backend() != "tensorflow":
        return
    generator = held.get_global_attribute(KERAS_SEEDS)
    if generator is None:  # made from Python's random state when it is first asked for
        yield lambda: held.set_global_attribute(KERAS_SEEDS, None)
        return
    value = np.array(generator.state.value)
    yield lambda: (held.set_global_attribute(KERAS_SEEDS, generator), generator.state.assign(value))


def _of_torch() -> Iterator[Callable[[], Any]]:
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        state = torch.get_rng_state()
        yield lambda: torch.set_rng_state(state)
