"""What a call of fit will log, and what its callbacks are; nothing of the user's is changed."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import (
    Compiled,
    MetricsError,
    compiled_of,
    is_of_keras_3,
    trains_in_own_way,
)
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of
from deep_mnist.doctor.checks.program.predictions import outputs_of

RATE = "learning_rate"  # that LearningRateScheduler and ReduceLROnPlateau add to the logs
WRITERS = ("update", "setdefault", "__setitem__")
HOOKS = ("on_epoch_end", "on_epoch_begin", "on_test_end", "on_train_batch_end", "on_test_batch_end")


@dataclass(frozen=True)
class Logs:
    """Names in the logs of an epoch.

    Attributes:
        of_train: Without validation, "loss" first.
        directions: "up" or "down" of those whose better end Keras knows.
        validated: There is validation, so that each has a val_ too.
        compiled: The metrics, made anew.
    """

    of_train: tuple[str, ...]
    directions: dict[str, str]
    validated: bool
    compiled: Compiled

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.of_train, *(f"val_{name}" for name in self.of_train if self.validated))

    def direction(self, name: str) -> str | None:
        """Return "up" or "down" for what is better in a logged value, None where that is not known."""
        return self.directions.get(name.removeprefix("val_"))


def logs_of(case: Case) -> Logs | None:
    """Return what the fit will log; None where code of the user's may log more, or the metrics are refused."""
    model = case.call.model if case.call is not None else None
    if model is None or not is_of_keras_3(model) or not getattr(model, "compiled", False) or trains_in_own_way(model):
        return None
    if any(writes_logs(each) for each in callbacks_of(case)):
        return None
    compiled = _compiled(case, model)
    if compiled is None:
        return None
    more = [each.name for each in (*getattr(model, "_metrics", ()), *_of_layers(model))]
    kin = (
        [RATE]
        if any(is_callback(each, "LearningRateScheduler", "ReduceLROnPlateau") for each in callbacks_of(case))
        else []
    )
    logged = [each.logged for each in compiled.metrics]
    directions = {each.logged: direction for each in compiled.metrics if (direction := _direction(each))}
    directions |= dict.fromkeys(compiled.losses, "down")
    return Logs(
        tuple(dict.fromkeys((*compiled.losses, *logged, *more, *kin))), directions, is_validated(case), compiled
    )


def _direction(each: Any) -> str | None:
    direction = getattr(each.metric, "_direction", None)
    return direction if direction in ("up", "down") else None


def _compiled(case: Case, model: Any) -> Compiled | None:
    outputs = outputs_of(case, model)
    names = list(getattr(model, "output_names", None) or ())
    if outputs:
        labels, predicted = (list(each) for each in zip(*(each.arrays for each in outputs), strict=True))
    elif len(names) > 1 or isinstance(getattr(model, "loss", None), dict | list | tuple):
        return None
    else:
        labels, predicted = [np.zeros((1, 1), np.float32)], [np.zeros((1, 1), np.float32)]
    try:
        return compiled_of(model, labels, predicted)
    except MetricsError:
        return None


def _of_layers(model: Any) -> Iterator[Any]:
    """Yield metrics that layers keep of themselves."""
    layers = getattr(model, "_flatten_layers", None)
    for layer in layers(include_self=False) if layers is not None else ():
        if not hasattr(layer, "_loss_tracker"):
            yield from getattr(layer, "metrics", ())


def is_validated(case: Case) -> bool:
    """Whether the fit validates at all."""
    call = case.call
    if call is None:
        return False
    share = call.arguments.get("validation_split") or call.facts.get("validation_split")
    return call.validation is not None or bool(isinstance(share, int | float) and share > 0)


def is_callback(callback: Any, *names: str) -> bool:
    """Whether it is one of these callbacks of Keras's, as it is or with methods of the user's for other hooks."""
    return any(each.__name__ in names and is_kerass(each) for each in type(callback).__mro__) and all(
        is_kerass(each) for each in type(callback).__mro__[:-1] if "on_epoch_end" in vars(each)
    )


def is_kerass(kind: type) -> bool:
    return kind.__module__.startswith(("keras.", "tf_keras."))


def writes_logs(callback: Any) -> bool:
    """Whether code of the user's in a callback may add to the logs: it sets items, or calls what could."""
    if isinstance(callback, type):
        return False
    if type(callback).__name__ == "LambdaCallback" and is_kerass(type(callback)):
        return any(_writes(getattr(vars(callback).get(hook), "__code__", None)) for hook in HOOKS)
    return any(
        _writes(getattr(vars(each).get(hook), "__code__", None))
        for each in type(callback).__mro__
        if not is_kerass(each) and each is not object
        for hook in HOOKS
    )


def _writes(code: CodeType | None) -> bool:
    if code is None:
        return False
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    stores = any(each.opname == "STORE_SUBSCR" for each in dis.get_instructions(code))
    return stores or any(name in code.co_names for name in WRITERS) or any(_writes(each) for each in inner)


def expression_of_callback(callback: Any, **changed: Any) -> str:
    """Return the expression that makes one of Keras's callbacks with some arguments changed."""
    stated = {}
    for name, parameter in inspect.signature(type(callback).__init__).parameters.items():
        value = changed.get(name, vars(callback).get(name))
        usual = parameter.default
        if name == "min_delta" and isinstance(value, float | int):
            value = abs(value)
        plain = isinstance(value, str | int | float | bool)
        if name != "self" and plain and (usual is inspect.Parameter.empty or value != usual or name in changed):
            stated[name] = value
    arguments = ", ".join(f"{name}={value!r}".replace("'", '"') for name, value in stated.items())
    return f"keras.callbacks.{type(callback).__name__}({arguments})"
