"""The structural half of request validation: lists or numbers become the array that a signature takes, or an error.

Rank, shape, dtype, range of the dtype, finite: what the network cannot take at all gets an error response with what was
expected, what was received and the fix, in the doctor's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.finding import first_of
from deep_mnist.doctor.rule import Rule
from deep_mnist.serving.model.input_form import InputForm, Sides, batch_shape
from deep_mnist.serving.requests.error_response import RequestError, invalid
from deep_mnist.serving.requests.json_text import shown
from deep_mnist.serving.requests.rules import (
    BEYOND_DTYPE,
    FRACTIONS,
    NO_NUMBERS,
    NONE,
    NOT_A_LIST,
    NOT_FINITE,
    OTHER_RANK,
    OTHER_SHAPE,
    RAGGED,
    TOO_MANY,
)


def to_array(value: Any, form: InputForm, *, limit: int, literals: bool = True) -> np.ndarray:
    """Return the array (n, *shape) of form.dtype that nested lists of numbers hold.

    Args:
        value: Nested lists, or an array (n, …) that a protocol's reader made of them.
        form: What the signature takes.
        limit: Examples at most.
        literals: Whether true or false may hide among the numbers.

    Raises:
        RequestError: With the doctor's field, expected, received and fix.
    """
    if not isinstance(value, list | np.ndarray):
        raise _error(NOT_A_LIST, form.sentence(), shown(value), "send a list of examples")
    if len(value) > limit:
        fix = f"send at most {limit} examples in a request"
        raise _error(TOO_MANY, f"at most {limit} examples", f"{len(value)}", fix, status=413)
    array = _numbers(value, form, literals)
    _check_shape(array, form)
    return _as_dtype(array, form)


def _numbers(value: list[Any] | np.ndarray, form: InputForm, literals: bool) -> np.ndarray:
    """Return nested lists as an array of numbers of any real dtype."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        raise _ragged(list(value), form) from None
    if array.dtype.kind in "iuf":
        if literals and (odd := _first_boolean(value)):
            raise _error(NO_NUMBERS, f"numbers ({form.dtype})", f"{odd}", "x = x.astype('uint8')")
        return array
    found = {"U": "strings", "b": "true and false"}.get(array.dtype.kind)
    received = found or _odd_value(value)
    fix = (
        "x = x.astype('uint8')" if array.dtype.kind == "b" else "send numbers in nested lists, as x.tolist() gives them"
    )
    raise _error(NO_NUMBERS, f"numbers ({form.dtype})", received, fix)


def _first_boolean(value: Any) -> str:
    """Return "true" or "false" when one hides among the numbers: numpy takes it for 1 or 0."""
    leaves = value
    while leaves and isinstance(leaves[0], list):
        leaves = [leaf for part in leaves for leaf in part]
    return next((str(leaf).lower() for leaf in leaves if leaf is True or leaf is False), "")


def _odd_value(value: Any) -> str:
    """Return the first leaf that is no number that a dtype holds, in words."""
    leaf = value
    while isinstance(leaf, list) and leaf:
        leaf = next((each for each in leaf if isinstance(each, list) or not _is_number(each)), leaf[0])
    if isinstance(leaf, dict) and set(leaf) == {"b64"}:
        return 'base64 ({"b64": …}): this model has no input of bytes'
    return shown(leaf)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _ragged(value: list[Any], form: InputForm) -> RequestError:
    lengths = [len(each) if isinstance(each, list) else -1 for each in value]
    usual = max(set(lengths), key=lengths.count)
    where = first_of(np.array(lengths) != usual)
    received = "lists of unequal length or depth" + (f", first at index {where[0]}" if where else " within an example")
    fix = "send examples of one shape, every row of one length"
    return _error(RAGGED, form.sentence(), received, fix, where=where)


def _check_shape(array: np.ndarray, form: InputForm) -> None:
    if not len(array):
        raise _error(NONE, "at least one example", "an empty list", "send at least one example")
    if any(_fits(array.shape[1:], shape) for shape in form.shapes):
        return
    rule = OTHER_SHAPE if array.ndim in {len(shape) + 1 for shape in form.shapes} else OTHER_RANK
    raise _error(rule, form.sentence(), f"{array.shape}", _shape_fix(array.shape, form))


def _fits(received: Sequence[int], expected: Sides) -> bool:
    return len(received) == len(expected) and all(
        side is None or side == given for side, given in zip(expected, received, strict=True)
    )


def _shape_fix(received: tuple[int, ...], form: InputForm) -> str:
    """Return the statement that gives the usual shape, where one does."""
    usual = form.shapes[0]
    if any(_fits(received, shape) for shape in form.shapes):
        return "x = x[np.newaxis]"
    if any(_fits((*received[2:], *received[1:2]), shape) for shape in form.shapes):
        return "x = np.moveaxis(x, 1, -1)"
    if channels := _channel_fix(received, form):
        return channels
    if None not in usual:
        sides = [side or 0 for side in usual]
        size, pixels = int(np.prod(received)), int(np.prod(sides))
        if pixels and size == pixels * received[0]:
            return f"x = x.reshape(-1, {', '.join(map(str, sides))})"
        if len(received) == len(usual) + 1 or len(received) == len(usual) + 2:
            return f"resize every image to {' x '.join(map(str, sides))}, as the training images were"
    return f"send x of shape {batch_shape(usual)}"


def _channel_fix(received: tuple[int, ...], form: InputForm) -> str:
    """Return the statement that makes colours grey, or grey a colour, where the images have the right sides."""
    plain, channels = (received[1:-1], received[-1]) if len(received) == 4 else (received[1:], 0)
    if channels in (3, 4) and any(_fits(sides, shape) for sides in (plain, (*plain, 1)) for shape in form.shapes):
        return f"x = x[..., :3].mean(axis=-1).round().astype('{form.dtype}')"
    if channels in (0, 1) and any(_fits((*plain, 3), shape) for shape in form.shapes):
        return f"x = x{'' if channels else '[..., np.newaxis]'}.repeat(3, axis=-1)"
    return ""


def _as_dtype(array: np.ndarray, form: InputForm) -> np.ndarray:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = _rows(~np.isfinite(array))
        raise _error(NOT_FINITE, "finite numbers", "infinity or NaN", "x = np.nan_to_num(x)", where=where)
    if form.dtype.kind in "iu" and array.dtype.kind == "f" and (array != np.rint(array)).any():
        low, high = float(array.min()), float(array.max())
        fix = f"x = (x * 255).astype('{form.dtype}')" if 0 <= low and high <= 1 else f"x = x.astype('{form.dtype}')"
        raise _error(FRACTIONS, f"integers ({form.dtype})", f"fractions in {low:g}..{high:g}", fix)
    least, greatest = _range_of(form.dtype)
    low, high = array.min(), array.max()
    if low < least or high > greatest:
        fix = f"x = x.clip({least:g}, {greatest:g})"
        where = _rows((array < least) | (array > greatest))
        raise _error(BEYOND_DTYPE, f"{form.dtype}, {least:g}..{greatest:g}", f"{low:g}..{high:g}", fix, where=where)
    return array.astype(form.dtype, copy=False)


def _range_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)


def _rows(wrong: np.ndarray) -> tuple[int, ...]:
    return first_of(wrong.reshape(len(wrong), -1).any(axis=1))


def _error(
    rule: Rule, expected: str, received: str, fix: str, *, where: tuple[int, ...] = (), status: int = 400
) -> RequestError:
    return invalid(rule.found("request", expected=expected, received=received, fix=fix, where=where), status)
