"""What the network cannot take is refused with 400: the field, what was expected, received, and a fix that works."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.structural_validation import InputForm, to_array
from tests.support.serving import RunningServer

X = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
RAW = InputForm("images", np.dtype(np.uint8), ((28, 28), (28, 28, 1)))
COLOURS = InputForm("images", np.dtype(np.uint8), ((28, 28, 3),))
COLUMNS = InputForm("features", np.dtype(np.float32), ((4,),))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (X[0], "images.rank"),
        (X.reshape(2, 784), "images.rank"),
        (X[:, np.newaxis], "images.shape"),
        ((X / 255.0).astype(np.float64), "images.dtype"),
        (X.astype(int) * 2, "images.range"),
        (X > 7, "images.dtype"),
        (X[..., np.newaxis].repeat(3, axis=-1), "images.shape"),
    ],
    ids=["no batch axis", "flat", "channel first", "fractions", "too great", "booleans", "colours"],
)
def test_the_fix_is_a_statement_that_makes_it_fit(served: RunningServer, sent: np.ndarray, field: str) -> None:
    """The response's own fix, applied to what was sent, is taken."""
    refused = served.post({"instances": sent.tolist()})
    document = refused.json()

    assert (refused.status_code, document["field"]) == (400, field)
    assert document["error"] == (
        f"Expected {document['expected']}. Received: {document['received']}. Fix: {document['fix']}"
    )
    names: dict[str, Any] = {"x": sent, "np": np}
    exec(document["fix"], names)
    assert served.post({"instances": names["x"].tolist()}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instances": [[["a"] * 28] * 28]}, "images.dtype"),
        ({"instances": [[[None] * 28] * 28]}, "images.dtype"),
        ({"instances": [[[1] * 28] * 27 + [[True] + [1] * 27]]}, "images.dtype"),
        ({"instances": [{"b64": "AAAA"}]}, "images.dtype"),
        ({"instances": [[[0] * 28] * 28, [[0] * 28] * 27]}, "images.shape"),
        ({"instances": [[[0] * 28] * 27 + [[0] * 27]]}, "images.shape"),
        ({"instances": [[[2**70] * 28] * 28]}, "images.dtype"),
        ({"instances": [[[-1] * 28] * 28]}, "images.range"),
        ({"instances": []}, "request"),
        ({"inputs": []}, "images.count"),
        ({"instances": 3}, "request"),
        ({"inputs": 3}, "images.rank"),
        ({"inputs": {"pixels": [[[0] * 28] * 28]}}, "request"),
        ({"instances": [{"images": 1}, {"image": 1}]}, "request"),
        ({"instances": [[[0] * 28] * 28], "inputs": []}, "request"),
        ({"instances": [[[0] * 28] * 28], "signature_name": "other"}, "request"),
        ({"instances": [[[0] * 28] * 28], "signature_name": 7}, "request"),
        ({}, "request"),
        ([], "request"),
    ],
)
def test_what_is_no_request_is_refused(served: RunningServer, body: Any, field: str) -> None:
    """Structural faults and malformed envelopes: 400 with the doctor's field."""
    response = served.post(body)
    document = response.json()
    assert (response.status_code, document["field"]) == (400, field), document
    assert document["expected"] and document["received"] and document["fix"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"instances": [NaN]}',
        b'{"instances": [Infinity]}',
        b'{"instances": [1], "instances": [2]}',
        b'{"instances": ' + b"[" * 200_000,
        b'{"instances": ' + b'{"a":' * 100_000,
        b'{"instances": [' + b"9" * 100_000 + b"]}",
        b'{"instances": [1e999]}',
        b'{"instances": ' + b"[" * 70 + b"1" + b"]" * 70 + b"}",
        b'{"instances": ["\\ud800"]}',
        b"\xef\xbb\xbf{}",
        b'{"signature_name": "\\ud800", "instances": [1]}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_hostile_bodies_are_refused(served: RunningServer, body: bytes) -> None:
    """NaN, nesting, digits without end, keys twice, bytes that are no text."""
    response = served.post(body)
    assert response.status_code == 400, response.text
    assert response.json()["fix"]


def test_floats_are_finite_and_fit_the_dtype() -> None:
    """Infinity by overflow, and what float32 cannot hold, name the examples."""
    for value in ("1e999", "1e39"):
        with pytest.raises(RequestError) as caught:
            to_array(json.loads(f"[[1, 2, 3, 4], [1, 2, 3, {value}]]"), COLUMNS, limit=10)
        assert caught.value.where == (1,) and caught.value.field in ("images.finite", "images.range")


def test_numbers_become_the_signatures_dtype() -> None:
    """Integers and fractions for float32, and sides of any length."""
    free = InputForm("images", np.dtype(np.float32), ((None, None, 3),))
    assert to_array([[1, 2, 3, 4.5]], COLUMNS, limit=1).dtype == np.float32
    assert to_array(np.zeros((2, 5, 7, 3)).tolist(), free, limit=2).shape == (2, 5, 7, 3)
    with pytest.raises(RequestError, match=r"\(n, \?, \?, 3\)"):
        to_array(np.zeros((2, 5, 7)).tolist(), free, limit=2)


def test_too_many_examples_are_refused() -> None:
    """413: a smaller request will do."""
    with pytest.raises(RequestError) as caught:
        to_array([[0, 0, 0, 0]] * 11, COLUMNS, limit=10)
    assert caught.value.status == 413


@pytest.mark.parametrize("sent", [X, X[..., np.newaxis]], ids=["without an axis", "with one of length 1"])
def test_grey_images_are_made_colours_by_the_fix(sent: np.ndarray) -> None:
    """Their sides are right: nothing is resized."""
    with pytest.raises(RequestError) as refused:
        to_array(sent.tolist(), COLOURS, limit=10)

    names: dict[str, Any] = {"x": sent, "np": np}
    exec(refused.value.fix, names)
    assert to_array(names["x"].tolist(), COLOURS, limit=10).shape == (2, 28, 28, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_another_datatype_is_taken_where_its_values_fit(dtype: type) -> None:
    """Whole numbers within the range, whatever they are sent as; fractions and what lies beyond are not."""
    assert np.array_equal(to_array(X.astype(dtype), RAW, limit=10, literals=False), X)

    for wrong in (X.astype(dtype) * 2, X.astype(np.float32) + np.float32(0.5)):
        with pytest.raises(RequestError):
            to_array(wrong, RAW, limit=10, literals=False)
