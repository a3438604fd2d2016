"""A temperature makes predictions as sure as they are correct, changes no class, and is not made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluate.measures import calibration
from deep_mnist.calibration import CALIBRATION_FILE, Calibration, fit_calibration, read_calibration
from deep_mnist.outputs import probabilities


def drawn(temperature: float, units: int = 5, count: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, float64 (n, units), and labels that are as likely as these say once divided by the temperature."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, units))
    shares = probabilities(logits, "logits", temperature)
    labels = (shares.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return logits, labels


@pytest.mark.parametrize("true", [0.4, 2.5])
@pytest.mark.parametrize(("kind", "units"), [("logits", 5), ("softmax", 5), ("logits", 1), ("sigmoid", 1)])
def test_the_temperature_of_the_labels_is_found(true: float, kind: str, units: int) -> None:
    """Whatever a network says, its temperature is found within a tenth, and its predictions are then calibrated."""
    logits, labels = drawn(true, units)
    outputs = logits if kind == "logits" else probabilities(logits, "logits")[:, -max(1, units) :]

    found = fit_calibration(outputs, labels, kind)
    before, after = (probabilities(outputs, kind, each) for each in (1.0, found.temperature))

    assert not found.abstained and found.temperature == pytest.approx(true, rel=0.1)
    assert found.fitted_loss < found.loss and found.examples == len(labels)
    assert calibration(after, labels)["ece"] < 0.02 < calibration(before, labels)["ece"]
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()


@given(st.floats(0.05, 20), st.integers(1, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_no_temperature_changes_a_class(temperature: float, units: int, seed: int) -> None:
    """At any temperature the same class is the likeliest, however close the second is."""
    logits = np.random.default_rng(seed).normal(0, 3, (200, units)).astype(np.float32)

    plain, changed = (probabilities(logits, "logits", each) for each in (1.0, temperature))

    assert (plain.argmax(axis=1) == changed.argmax(axis=1)).all()
    np.testing.assert_allclose(changed.sum(axis=1), 1.0)


def test_a_split_that_cannot_tell_gives_none() -> None:
    """No error to learn from, few examples, labels that are no classes, outputs that are not finite."""
    logits, labels = drawn(1.0)
    few = np.tile([[4.0, 0.0]], (6, 1))
    cases = {
        "are correct, so none is best": (logits, logits.argmax(axis=1)),
        "fails on the other": (few, np.array([0, 0, 0, 0, 0, 1])),
        "the labels are not one class number each": (logits, labels + 0.5),
        "labels 0 to 9 are not the classes 0 to 4": (logits, np.where(labels == 4, 9, labels)),
        "an output is not finite": (np.where(logits > 6, np.inf, logits), labels),
    }

    for reason, (outputs, targets) in cases.items():
        found = fit_calibration(outputs, targets, "logits")
        assert found.temperature == 1 and reason in found.abstained, reason


def test_a_damaged_file_names_the_step(tmp_path: Path) -> None:
    """What was written is read back; a model without the file has no temperature; another file is refused."""
    assert read_calibration(tmp_path).temperature == 1
    written = Calibration(0.6, 5000, 0.05, 0.02)
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(written.to_dict()))
    assert read_calibration(tmp_path) == written

    for text in ("{}", "[", json.dumps({**written.to_dict(), "temperature": 0})):
        (tmp_path / CALIBRATION_FILE).write_text(text)
        with pytest.raises(ValueError, match="Rerun train"):
            read_calibration(tmp_path)
