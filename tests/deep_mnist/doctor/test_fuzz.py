"""Whatever arrays and networks come together, the doctor gives a verdict."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deep_mnist.doctor.checks.catalogue import fields
from deep_mnist.doctor.finding import SEVERITIES
from deep_mnist.doctor.report.render import as_html, as_json, as_markdown
from tests.support.doctor_cases import CaseFiles, digits
from tests.support.keras_models import Layer, classifier, conv, dense, layer, sequential

DTYPES = st.sampled_from(["u1", "i1", "<i4", ">i8", "<f2", "<f4", ">f4", "<f8", "?", "<U3", "|S2", "<c8", "<M8[s]"])
SHAPES = st.lists(st.integers(0, 7), max_size=5).map(tuple) | st.sampled_from(
    [(30, 28, 28, 1), (30,), (30, 10), (80, 784), (80,), (80, 28, 28, 1)]
)
NETS: list[Layer] = [
    classifier(),
    classifier(layer("Rescaling", scale=1 / 255, offset=0.0)),
    sequential(dense(), shape=(784,)),
    sequential(layer("Flatten"), dense(1, "sigmoid"), shape=(28, 28)),
    sequential(conv(form="channels_first"), dense(), shape=(None, None, None)),
    sequential(dense(), shape=None),
]


def filled(dtype: str, shape: tuple[int, ...], kind: int, seed: int) -> np.ndarray:
    """Return an array of random bytes, of 0..255, or of 0..1."""
    random, requested = np.random.default_rng(seed), np.dtype(dtype)
    if requested.kind in "USM":
        return np.full(shape, "7" if requested.kind != "M" else 7, requested)
    if kind == 0:
        return np.frombuffer(random.bytes(requested.itemsize * int(np.prod(shape))), requested).reshape(shape)
    return (random.random(shape) * (255 if kind == 1 else 1)).astype(requested)


def any_array() -> st.SearchStrategy[np.ndarray]:
    return st.builds(filled, DTYPES, SHAPES, st.integers(0, 2), st.integers(0, 99))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    train=st.tuples(any_array(), any_array()),
    test=st.tuples(any_array(), any_array()),
    net=st.sampled_from(NETS),
    loss=st.sampled_from(
        ["sparse_categorical_crossentropy", "categorical_crossentropy", "mse", "binary_crossentropy", "x"]
    ),
    classes=st.none() | st.integers(1, 12),
)
@example(
    train=(np.zeros((1, 28, 28, 1), np.float32), np.zeros(1, np.uint8)),
    test=(np.zeros((1, 28, 28, 1), np.float32), np.zeros(1, np.uint8)),
    net=NETS[0],
    loss="mse",
    classes=10,
)
def test_any_arrays_get_a_verdict(tmp_path_factory, train, test, net, loss, classes):
    """Arrays of any dtype and shape, in all four slots, are judged without a crash, and every report is written."""
    case = CaseFiles(
        dict(zip(("train_images", "train_labels", "test_images", "test_labels"), (*train, *test), strict=True)),
        net,
        {"loss": loss, "from_logits": False, "num_classes": classes},
    )

    check(case, tmp_path_factory.mktemp("fuzz"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_digits_get_a_verdict(tmp_path_factory, data):
    """Digits with one array replaced by another of any form, scale or length are judged without a crash."""
    case = digits(120, 60)
    name = data.draw(st.sampled_from(sorted(case.arrays)))
    turn = data.draw(
        st.sampled_from(
            [
                lambda x: x[: len(x) // 3],
                lambda x: x.astype(np.float64) * 1e300,
                lambda x: x.astype(np.float32) * np.float32(np.nan),
                lambda x: x.astype(np.float32) - 1e30,
                lambda x: x.T,
                lambda x: x[None],
                lambda x: x.reshape(-1),
                lambda x: np.resize(x, (3 * len(x), *x.shape[1:])),
                lambda x: x.astype("U4"),
                lambda x: (x.astype(np.float64) * 1e15).astype(np.int64),
                lambda x: np.asfortranarray(x),
            ]
        )
    )

    check(case.change(turn, name), tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("shape", [(4, 0), (4, 0, 0), (4, 28, 0), (4, 28, 28, 0), (4, 0, 28, 1), (0, 28, 28), (0,), ()])
def test_axes_of_length_zero_are_faults_of_shape(shape: tuple[int, ...], tmp_path) -> None:
    """An array that holds nothing, in either split, is a finding about its images, whatever its axes."""
    for name in ("train_images", "test_images"):
        case = digits(120, 60).change(lambda x: np.zeros(shape, x.dtype), name)

        check(case, tmp_path / name)

        found = case.judged(tmp_path / name).findings
        assert any(
            each.severity == "error" and each.field.startswith(("images.", "files.", "labels.count")) for each in found
        )


def check(case: CaseFiles, folder) -> None:
    diagnosis = case.judged(folder)

    reported = json.loads(as_json(diagnosis))
    assert reported["verdict"] == (
        "unfit" if any(each["severity"] == "error" for each in reported["findings"]) else "fit"
    )
    for each in reported["findings"]:
        assert each["field"] in fields() and each["severity"] in SEVERITIES
        assert all(isinstance(each[name], str) and each[name] for name in ("expected", "received", "fix", "why"))
        assert all(isinstance(index, int) for index in each["where"])
    assert as_html(diagnosis) and as_markdown(diagnosis)
