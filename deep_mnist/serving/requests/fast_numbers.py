"""Lists of numbers in JSON, straight into an array: simdjson reads them, no number becomes a Python object.

Only what is plainly right comes through here. Whatever else there may be (ragged lists, true and false, keys twice,
NaN) is None, and is read again by the strict reader, which knows how to say what is wrong with it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from simdjson import Array, Object, Parser

_DTYPES: dict[Literal["u", "i", "d"], type[np.number]] = {"u": np.uint64, "i": np.int64, "d": np.float64}
_DEEPEST = 8  # axes
_NO_STRUCTURE = bytes(code for code in range(256) if code not in b"[],")


def parsed(body: bytes) -> Any:
    """Return the JSON object that a body is; None where it is not plainly one, of different keys."""
    if body[:1] != b"{":
        return None
    try:
        document: Any = Parser().parse(body)
    except (ValueError, RuntimeError):  # RuntimeError: simdjson's own limits
        return None
    return document if isinstance(document, Object) and has_different_keys(document) else None


def has_different_keys(item: Object) -> bool:
    """Say whether an object has no key twice."""
    return len(set(item.keys())) == len(item)


def flat_numbers(item: Any) -> np.ndarray | None:
    """Return the numbers in an array of any depth, uint64, int64 or float64 (n,); None where there is anything else."""
    if not isinstance(item, Array):
        return None
    for letter, dtype in _DTYPES.items():
        try:
            return np.frombuffer(item.as_buffer(of_type=letter), dtype)
        except (TypeError, ValueError):
            continue
    return None


def regular_numbers(item: Any, body: bytes) -> np.ndarray | None:
    """Return nested lists as an array of their shape; None where they are ragged or hold anything but numbers.

    Args:
        item: The only array of the body.
        body: That was parsed.
    """
    flat, shape = flat_numbers(item), _first_sides(item)
    if flat is None or flat.size != np.prod(shape, dtype=np.int64):
        return None
    # A regular array's brackets and commas can be only these; comparing them is cheaper than any walk over the lists.
    structure = body[body.index(b"[") : body.rindex(b"]") + 1].translate(None, _NO_STRUCTURE)
    return flat.reshape(shape) if structure == _structure(shape) else None


def _first_sides(item: Any) -> tuple[int, ...]:
    sides: list[int] = []
    while isinstance(item, Array) and len(sides) < _DEEPEST:
        sides.append(len(item))
        item = item[0] if sides[-1] else None
    return tuple(sides)


def _structure(shape: tuple[int, ...]) -> bytes:
    """Return the brackets and commas of nested lists of this shape.

    >>> _structure((2, 3))
    b'[[,,],[,,]]'
    """
    inner = b""
    for side in reversed(shape):
        inner = b"[" + b",".join([inner] * side) + b"]"
    return inner
