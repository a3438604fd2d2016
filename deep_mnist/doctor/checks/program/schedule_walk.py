"""Walks a learning rate through the updates or epochs of a fit."""

from __future__ import annotations

import builtins
import contextlib
import dis
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.program.compiled_metrics import names_kept

POINTS = 48  # of a walk over updates: each costs a call of some operations
MOST_EPOCHS = 300
PURE_MODULES = ("math", "numpy", "tensorflow", "keras", "np", "tf")
CHANGING = ("random", "seed", "set_value", "assign", "append", "write", "open", "input", "exec", "eval", "next", "pop")
STORING = ("STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR", "STORE_DEREF", "IMPORT_NAME", "YIELD_VALUE")
BUILTINS = (
    "float",
    "int",
    "max",
    "min",
    "abs",
    "pow",
    "round",
    "range",
    "len",
    "print",
    "str",
    "format",
    "bool",
    "sum",
)


@dataclass(frozen=True)
class Walk:
    """Rates on the way.

    Attributes:
        at: Updates or epochs at which the rate was taken, int (n,).
        rates: float64 (n,).
        total: Updates or epochs in all.
    """

    at: np.ndarray
    rates: np.ndarray
    total: int

    @property
    def peak(self) -> float:
        return float(self.rates.max())

    @property
    def last_change(self) -> int:
        """The first update from which on the rate stays as it ends."""
        moved = np.flatnonzero(~np.isclose(self.rates, self.rates[-1], rtol=1e-4, atol=0))
        return 0 if not len(moved) else int(self.at[min(moved[-1] + 1, len(self.at) - 1)])

    def share_below(self, part: float) -> float:
        """Return the share of updates at rates of at most this part of the peak."""
        grid = np.linspace(0, self.total, 2001)[:-1]
        held = self.rates[np.searchsorted(self.at, grid, side="right") - 1]
        return float((held <= part * self.peak).mean())


def walk_schedule(schedule: Any, total: int, per_epoch: int) -> Walk | None:
    """Return the rates of a LearningRateSchedule; None where it cannot be asked."""
    near = np.geomspace(1, max(total - 1, 1), POINTS)
    even = np.linspace(0, total - 1, POINTS // 2)
    at = np.unique(np.concatenate([near, even, [0, min(per_epoch, total - 1)]]).astype(np.int64))
    try:
        with names_kept():
            rates = np.array([float(_of_step(schedule, int(step))) for step in at])
    except Exception:  # a schedule of the user's own may ask for anything
        return None
    return Walk(at, rates, total) if np.isfinite(rates).all() else None


def _of_step(schedule: Any, step: int) -> Any:
    from keras import ops

    return np.asarray(schedule(ops.convert_to_tensor(step, dtype="int64")))


# --- LearningRateScheduler --------------------------------------------------------------------------------


class NotANumberError(Exception):
    """The function returned what Keras refuses."""

    def __init__(self, epoch: int, value: Any) -> None:
        super().__init__(epoch, value)
        self.epoch, self.value = epoch, value


def walk_function(function: Any, rate: float, epochs: range) -> Walk | None:
    """Return the rates that a LearningRateScheduler's function gives; None where asking it could change anything.

    Raises:
        NotANumberError: It returns no float.
    """
    if not is_pure(function):
        return None
    rates: list[float] = []
    for epoch in epochs[:MOST_EPOCHS]:
        with contextlib.redirect_stdout(io.StringIO()), names_kept():
            value = _called(function, epoch, rate)
        if value is _FAILED:
            return None
        if not isinstance(value, float | np.float32):
            raise NotANumberError(epoch, value)
        rate = float(np.float32(value))
        rates.append(rate)
    if not rates or not np.isfinite(rates).all():
        return None
    return Walk(np.arange(len(rates)), np.array(rates), len(rates))


_FAILED = object()


def _called(function: Any, epoch: int, rate: float) -> Any:
    for arguments in ((epoch, rate), (epoch,)):  # as Keras asks
        try:
            return function(*arguments)
        except TypeError:
            continue
        except Exception:  # of the user's function: not for us to say
            return _FAILED
    return _FAILED


def is_pure(function: Any, depth: int = 0) -> bool:
    """Whether calling it changes nothing: it stores nothing outside, and calls arithmetic alone."""
    if _is_schedule(function):
        return True
    if not isinstance(function, FunctionType) or depth > 3:
        return False
    held = {**_closed_over(function), **function.__globals__}
    return all(_is_harmless(code, held, depth) for code in _codes(function.__code__))


def _is_schedule(value: Any) -> bool:
    return any(
        each.__name__ == "LearningRateSchedule" and each.__module__.startswith("keras.")
        for each in type(value).__mro__[1:]
    ) and type(value).__module__.startswith("keras.")


def _closed_over(function: FunctionType) -> Mapping[str, Any]:
    cells = function.__closure__ or ()
    held = {}
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            held[name] = cell.cell_contents
    return held


def _codes(code: CodeType) -> Sequence[CodeType]:
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [code, *(found for each in inner for found in _codes(each))]


def _is_harmless(code: CodeType, held: Mapping[str, Any], depth: int) -> bool:
    if any(each.opname in STORING for each in dis.get_instructions(code)):
        return False
    if any(name in CHANGING for name in code.co_names):
        return False
    loaded = {
        each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
    }
    return all(_may_be_asked(name, held, depth) for name in loaded)


def _may_be_asked(name: str, held: Mapping[str, Any], depth: int) -> bool:
    if name not in held:
        return name in BUILTINS and hasattr(builtins, name)
    value = held[name]
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] in PURE_MODULES
    if isinstance(value, int | float | str | bool | np.generic) or _holds_numbers(value):
        return True
    return is_pure(value, depth + 1)


def _holds_numbers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return len(value) < 1000 and all(isinstance(each, int | float) for each in (*value.keys(), *value.values()))
    if isinstance(value, list | tuple):
        return len(value) < 1000 and all(isinstance(each, int | float) or _holds_numbers(each) for each in value)
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
