"""Random states of this process, given back: what the doctor draws must not change what the user's program draws.

Nothing is imported here: a library that the program has not loaded has no state.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

KERAS_SEEDS = "global_seed_generator"


@contextlib.contextmanager
def unchanged_random_states() -> Iterator[None]:
    """Give Python's, numpy's, TensorFlow's, Keras's and torch's random states back at the end of the block."""
    python, array = random.getstate(), np.random.get_state()
    undo = [*_of_tensorflow(), *_of_keras(), *_of_torch()]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
        for each in undo:
            each()


def _of_tensorflow() -> Iterator[Callable[[], Any]]:
    """The generator from which TensorFlow's eager operations without a seed of their own take one."""
    module = sys.modules.get("tensorflow.python.eager.context")
    generator = getattr(module.context(), "_rng", None) if module is not None else None
    if isinstance(generator, random.Random):
        state = generator.getstate()
        yield lambda: generator.setstate(state)


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
