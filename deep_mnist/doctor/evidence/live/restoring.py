"""Run a model's own code and leave everything as it was: weights, Python attributes, random generators.

TensorFlow and Keras are not imported: a live model has brought them.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.randomness import random_states

MOST_NUMBERS = 1 << 24  # in all variables that are copied; a larger model is not tried
MOST_LAYERS = 2000
CONTAINERS = (list, dict, set)


def is_small(model: Any) -> bool:
    """Whether a model's variables are few enough to be copied."""
    try:
        return sum(int(np.prod(each.shape)) for each in getattr(model, "variables", ())) <= MOST_NUMBERS
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return False


@contextlib.contextmanager
def unchanged(*owners: Any) -> Iterator[None]:
    """Within the block models and optimizers may be run; at its end they are as before, and nothing was printed.

    Args:
        owners: Models, optimizers, losses: whatever the code within may change.
    """
    restore = [restored for owner in owners for restored in _remembered(owner)]
    restore += [*random_states(), *_names_of_keras()]
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fit itself will give them
            yield
    finally:
        for each in reversed(restore):
            each()


@contextlib.contextmanager
def whole_tracebacks() -> Iterator[None]:
    """Within the block Keras leaves its own frames in tracebacks: they hold the layer and the shapes."""
    config = sys.modules["keras"].config
    kept = config.is_traceback_filtering_enabled()
    config.disable_traceback_filtering()
    try:
        yield
    finally:
        if kept:
            config.enable_traceback_filtering()


def _remembered(owner: Any) -> list[Callable[[], None]]:
    """Return what gives a model, its layers and its optimizer their attributes and variables' values back."""
    objects = list(_parts(owner))
    variables = {id(each): each for part in objects for each in _variables(part)}
    return [*(_of_object(each) for each in objects), *(_of_variable(each) for each in variables.values())]


def _parts(owner: Any) -> Iterator[Any]:
    """Yield a model and its layers, optimizer, loss and metrics, each once."""
    seen: set[int] = set()
    waiting = [owner]
    while waiting and len(seen) < MOST_LAYERS:
        part = waiting.pop()
        if id(part) in seen or not hasattr(part, "__dict__"):
            continue
        seen.add(id(part))
        yield part
        for name in ("_layers", "_metrics", "_losses"):
            held = vars(part).get(name)
            waiting += list(held) if isinstance(held, list | tuple) else []
        waiting += [vars(part).get(name) for name in ("optimizer", "_loss_tracker", "_compile_loss", "_tracker")]
        waiting += [each for each in list(vars(part).values()) if _is_part(each)]


def _is_part(value: Any) -> bool:
    names = {each.__name__ for each in type(value).__mro__}
    return bool(names & {"Layer", "BaseOptimizer", "Metric", "SeedGenerator", "Tracker"})


def _variables(part: Any) -> list[Any]:
    held = [each for each in vars(part).values() if hasattr(each, "assign") and hasattr(each, "numpy")]
    for value in list(vars(part).values()):
        if isinstance(value, list | tuple):
            held += [each for each in value if hasattr(each, "assign") and hasattr(each, "numpy")]
    return held


def _of_object(part: Any) -> Callable[[], None]:
    kept = dict(vars(part))
    contents = [(each, each.copy()) for each in kept.values() if isinstance(each, CONTAINERS)]

    def restore() -> None:
        vars(part).clear()
        vars(part).update(kept)
        for container, before in contents:
            _refill(container, before)

    return restore


def _refill(container: Any, before: Any) -> None:
    """Give a list, dictionary or set its items back, where they are others."""
    now, then = ([id(each) for each in (held.values() if isinstance(held, dict) else held)]
                 for held in (container, before))  # fmt: skip
    if now == then:
        return
    if isinstance(container, list):
        list.__setitem__(container, slice(None), list(before))
        storage = getattr(container, "_storage", None)  # of TensorFlow's wrapper of lists
        if isinstance(storage, list):
            storage[:] = list(before)
    else:
        base: Any = dict if isinstance(container, dict) else set
        try:  # past the tracking of Keras's own containers
            base.clear(container)
            base.update(container, before)
        except TypeError:  # a proxy of one
            container.clear()
            container.update(before)


def _of_variable(variable: Any) -> Callable[[], None]:
    try:
        before = _value_of(variable)
    except (NotImplementedError, ValueError, AttributeError, TypeError):  # not yet built, or a symbol
        return lambda: None

    def restore() -> None:
        now = _value_of(variable)
        if now.ctypes.data == before.ctypes.data:  # what is held is never written to: an assignment makes it anew
            return
        if not np.array_equal(before, now, equal_nan=before.dtype.kind == "f"):
            variable.assign(before)

    return restore


def _value_of(variable: Any) -> np.ndarray:
    """Return a variable's value, without a copy where it lies in the processor's memory."""
    held = getattr(variable, "_value", variable)  # of Keras's variable
    handle = getattr(held, "handle", None)
    if getattr(handle, "dtype", None) != "resource" or not hasattr(handle, "numpy"):
        return np.array(variable.numpy())
    tensor = sys.modules["tensorflow"].raw_ops.ReadVariableOp(resource=handle, dtype=held.dtype)
    return np.asarray(tensor._numpy())  # numpy() copies


def _names_of_keras() -> list[Callable[[], None]]:
    """Return what sets back how far Keras has numbered its names.

    The rest of its global state tells what Keras is about to initialize: not ours.
    """
    state_of_keras = sys.modules.get("keras.src.backend.common.global_state")
    attributes = getattr(getattr(state_of_keras, "GLOBAL_STATE_TRACKER", None), "__dict__", None) or {}
    names = attributes.get("object_name_uids")
    return [partial(_refill, names, dict(names))] if isinstance(names, dict) else []
