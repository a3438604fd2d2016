"""The tensors of the Open Inference Protocol: datatypes, and values from JSON or from bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from deep_mnist.serving.requests.error_response import RequestError, malformed
from deep_mnist.serving.requests.json_text import shown

_DATATYPES = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
_DATATYPES |= {f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
_NAMES = {np.dtype(name): datatype for datatype, name in _DATATYPES.items()}
_MOST_AXES = 16  # numpy takes 64


def datatype_of(dtype: np.dtype[Any]) -> str:
    """Return the protocol's name of a dtype.

    >>> datatype_of(np.dtype(np.float32))
    'FP32'
    """
    return _NAMES.get(dtype, "BYTES")


def tensor_of(tensor: dict[str, Any], tail: bytes) -> Any:
    """Return the values of an input: an array of its shape, or the nested lists that have no array's form.

    Args:
        tensor: The input's description; "data" is a list, or a flat array of numbers.
        tail: The bytes behind the JSON.

    Raises:
        RequestError: Shape, datatype and values contradict one another.
    """
    shape, dtype = _shape(tensor.get("shape")), _dtype(tensor.get("datatype"))
    size = int(np.prod(shape, dtype=np.float64))
    parameters = tensor.get("parameters", {})
    declared = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if declared is not None or tail:
        return _of_bytes(tail, declared, shape, dtype, size)
    data = tensor.get("data")
    if isinstance(data, np.ndarray):
        _check_count(data.size, size, shape)
        return data.reshape(shape)
    if not isinstance(data, list):
        raise malformed("'data' to be a list", shown(data), "send the tensor's values in one flat list")
    if data and isinstance(data[0], list):
        _check_nesting(data, shape)
        return data
    _check_count(len(data), size, shape)
    return _nested(data, shape)


def _nested(data: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return a flat list that the fast reader did not take, of the right length, as lists nested to its shape."""
    for side in reversed(shape[1:]):
        data = [data[start : start + side] for start in range(0, len(data), side)]
    return data


def _check_nesting(data: list[Any], shape: tuple[int, ...]) -> None:
    with suppress(ValueError, OverflowError):  # ragged: request validation says where
        if (nested := np.asarray(data).shape) != shape:
            fix = "send the array's shape, as x.shape gives it"
            raise malformed(f"'data' nested as the shape {list(shape)} says", f"lists of {list(nested)}", fix)


def _of_bytes(tail: bytes, declared: Any, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> np.ndarray:
    if declared != len(tail):
        expected = f"binary_data_size to be the {len(tail)} bytes that follow the JSON"
        raise malformed(expected, shown(declared), "send the tensor's bytes right after the JSON, and nothing else")
    if size * dtype.itemsize != len(tail):
        received, fix = f"{len(tail)} bytes", "send the array of that shape and datatype, as x.tobytes() gives it"
        raise malformed(f"{size * dtype.itemsize} bytes for {dtype} {list(shape)}", received, fix)
    return np.frombuffer(tail, dtype.newbyteorder("<")).reshape(shape)


def _check_count(count: int, size: int, shape: tuple[int, ...]) -> None:
    if count != size:
        raise malformed(f"{size} values for the shape {list(shape)}", f"{count}", "send as many values as shape says")


def _shape(value: Any) -> tuple[int, ...]:
    sides = value if isinstance(value, list) else []
    plain = all(isinstance(side, int) and not isinstance(side, bool) and 0 < side < 2**31 for side in sides)
    if not plain or not 0 < len(sides) <= _MOST_AXES:
        raise malformed(
            "'shape' to be a list of sizes above 0", shown(value), "send the array's shape, as x.shape gives it"
        )
    return tuple(sides)


def _dtype(value: Any) -> np.dtype[Any]:
    if value == "BYTES":
        told = ("numbers", "BYTES: this model has no input of bytes", "send the decoded pixels as UINT8")
        raise RequestError(400, "images.dtype", *told)
    if not isinstance(value, str) or value not in _DATATYPES:
        raise malformed(f"'datatype' to be one of {', '.join(_DATATYPES)}", shown(value), "name the tensor's datatype")
    return np.dtype(_DATATYPES[value])
