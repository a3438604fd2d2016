"""Read each field of a stated contract from plain values, as JSON and YAML hold them.

Each raises ValueError or TypeError for a value that the field cannot have; `Contract.from_dict` says of which file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def read_shape(value: Any) -> tuple[int | None, ...] | None:
    """Return up to 8 positive lengths, None where any goes; None when nothing is stated."""
    if value is None:
        return None
    shape = tuple(value)
    if len(shape) > 8 or not all(each is None or (type(each) is int and 0 < each < 1 << 31) for each in shape):
        raise ValueError(f"input_shape {str(value)[:80]}, expected up to 8 positive lengths")
    return shape


def read_range(value: Any) -> tuple[float, float]:
    """Return (low, high), both finite."""
    low, high = (float(each) for each in value)
    if not float("-inf") < low < high < float("inf"):
        raise ValueError(f"input_range {value}, expected low < high")
    return low, high


def read_choice(*choices: Any) -> Callable[[Any], Any]:
    """Return the reader of a field that is one of `choices`."""

    def read(value: Any) -> Any:
        if value not in choices:
            raise ValueError(f"{str(value)[:60]!r}, expected one of {choices}")
        return value

    return read


def read_optional(kind: type) -> Callable[[Any], Any]:
    """Return the reader of a field of this type, neither 0 nor empty, or None."""

    def read(value: Any) -> Any:
        if value is None or (kind is bool and isinstance(value, bool)):
            return value
        if isinstance(value, bool) or not isinstance(value, kind) or value in (0, ""):
            raise ValueError(f"{str(value)[:60]!r}, expected {kind.__name__} or nothing")
        return value

    return read


def read_mapping(value: Any) -> dict[str, Any]:
    """Return named values."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{str(value)[:60]!r}, expected named values")
    return {str(name): each for name, each in value.items()}


def read_bool(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{str(value)[:60]!r}, expected true or false")
    return value


def read_strings(value: Any) -> tuple[str, ...]:
    """Return a list of words."""
    if isinstance(value, str):
        raise ValueError(f"{value[:60]!r}, expected a list")
    return tuple(str(each) for each in value)
