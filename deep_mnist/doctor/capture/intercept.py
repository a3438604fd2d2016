"""Puts the doctor before every fit of Keras in this process, whichever Keras is or will be imported."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.capture.fit_call import FitCall, Verb, bound_call
from deep_mnist.doctor.evidence.live.own_code import is_of_a_library, users_frame

# Where each Keras defines the class whose methods train; tf.keras is one of the first two.
MODEL_MODULES = {"keras.src.models.model": "Model", "tf_keras.src.engine.training": "Model"}

# Called before each first-hand call with the call, the caller's frame and the original method, already bound to
# (model, *args, **kwargs) of which x may have been replaced; what it returns is the call's result.
Before = Callable[[FitCall, FrameType | None, Callable[[], Any]], Any]
Patch = Callable[[ModuleType], Any]

_inside = threading.local()


class ImportWatch(importlib.abc.MetaPathFinder):
    """Calls a patch on each module of `patches` when it is imported, or at once when it already is."""

    def __init__(self, patches: Mapping[str, Patch]) -> None:
        self.patches = dict(patches)

    def start(self) -> None:
        for name, patch in self.patches.items():
            if name in sys.modules:
                patch(sys.modules[name])
        sys.meta_path.insert(0, self)

    def stop(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module's own spec with the patch behind its loader; None for any other module."""
        if name not in self.patches:
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (each.find_spec(name, path, target) for each in later if hasattr(each, "find_spec"))
        spec = next((each for each in specs if each is not None), None)
        if spec is None or spec.loader is None:
            return None
        execute, patch = spec.loader.exec_module, self.patches[name]

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            patch(module)

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec


def wrapped(function: Callable[..., Any], verb: Verb, before: Before) -> Callable[..., Any]:
    """Return a method that asks `before`; calls that Keras makes inside of one are left alone."""

    @functools.wraps(function)
    def method(model: Any, *args: Any, **kwargs: Any) -> Any:
        call = None if getattr(_inside, "depth", 0) else bound_call(verb, function, model, args, kwargs)
        if call is None:
            return function(model, *args, **kwargs)
        call.by_library = is_of_a_library(sys._getframe(1))
        return before(call, users_frame(sys._getframe(1)), lambda: _resumed(function, call, args, kwargs))

    method.__wrapped_by_doctor__ = function  # type: ignore[attr-defined]
    return method


def _resumed(function: Callable[..., Any], call: FitCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make the call, with what drawing a sample has replaced."""
    if "x" in kwargs:
        kwargs = {**kwargs, "x": call.x}
    elif args:
        args = (call.x, *args[1:])
    if "validation_data" in kwargs:
        kwargs = {**kwargs, "validation_data": call.validation}
    with inside():
        return function(call.model, *args, **kwargs)


@contextmanager
def inside() -> Iterator[None]:
    """Within the block, this thread's calls of Keras are Keras's own, or the doctor's."""
    _inside.depth = getattr(_inside, "depth", 0) + 1
    try:
        yield
    finally:
        _inside.depth -= 1


def is_inside() -> bool:
    """Whether this thread is within a call that was already seen."""
    return bool(getattr(_inside, "depth", 0))


def methods_watch(verbs: Sequence[Verb], before: Before) -> tuple[ImportWatch, Callable[[], None]]:
    """Return a watch that puts `before` before these methods of Keras's Model, and what takes it away again."""
    undo: list[Callable[[], None]] = []

    def patch(module: ModuleType) -> None:
        model = getattr(module, MODEL_MODULES[module.__name__])
        for verb in verbs:
            undo.append(_replaced(model, verb.value, wrapped(getattr(model, verb.value), verb, before)))

    def remove() -> None:
        while undo:
            undo.pop()()

    return ImportWatch(dict.fromkeys(MODEL_MODULES, patch)), remove


def _replaced(owner: Any, name: str, value: Any) -> Callable[[], None]:
    own = vars(owner).get(name)
    setattr(owner, name, value)
    return lambda: setattr(owner, name, own) if own is not None else delattr(owner, name)
