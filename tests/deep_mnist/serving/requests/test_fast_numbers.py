"""The fast reader takes what is plainly right, and the strict one says what is wrong with the rest."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deep_mnist.serving.requests.fast_numbers import parsed, regular_numbers
from deep_mnist.serving.requests.v1 import read_v1

NUMBERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
NESTED = st.recursive(
    NUMBERS | st.none() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=9
)


def fast(text: str) -> np.ndarray | None:
    document = parsed(text.encode())
    return None if document is None else regular_numbers(document["instances"], text.encode())


@given(NESTED)
@example([0, 2**63 + 1])
def test_what_the_fast_reader_takes_is_what_numpy_makes_of_the_lists(value: object) -> None:
    """The same shape and numbers as of json's lists; booleans, strings, null and ragged lists are never taken."""
    found = fast(json.dumps({"instances": value}))
    if found is not None:
        expected = np.asarray(value)  # of floats, which are rounded, where one number is beyond int64
        assert expected.shape == found.shape and expected.dtype.kind in "iuf"
        np.testing.assert_array_equal(found, np.asarray(value, found.dtype))


@pytest.mark.parametrize("shape", [(1,), (3, 2), (2, 28, 28), (2, 28, 28, 1), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", " :\t")])
def test_regular_lists_take_the_fast_way(shape: tuple[int, ...], separators: tuple[str, str]) -> None:
    """Of any shape and spacing, with a signature's name or without."""
    values = np.arange(np.prod(shape)).reshape(shape)
    text = json.dumps({"signature_name": "network", "instances": values.tolist()}, separators=separators)
    read = read_v1(text.encode())

    assert isinstance(read.inputs[""], np.ndarray) and read.inputs[""].tolist() == values.tolist()
    assert (read.signature_name, read.row_format) == ("network", True)


@pytest.mark.parametrize("text", ['{"instances": [[1, 2], [3]]}', '{"instances": [[1], 2]}'])
def test_irregular_lists_are_left_to_the_strict_reader(text: str) -> None:
    """Their numbers alone would make an array."""
    assert fast(text) is None and isinstance(read_v1(text.encode()).inputs[""], list)
