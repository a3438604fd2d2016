"""A temperature: one number that makes a network as sure as it is correct, and changes no predicted class.

    probabilities = softmax(scores / temperature)

C. Guo et al., "On Calibration of Modern Neural Networks", 2017. It is fitted on the validation split, never the test
split: there the mean confidence shall be the accuracy (L. Clarté et al., "Expectation consistency for calibration of
neural networks", 2023), which left less error on clothes than the greatest likelihood, and as little on digits. Where
the split cannot tell, there is none, and calibration.json says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.outputs import probabilities, scores

CALIBRATION_FILE = "calibration.json"
COLDEST, HOTTEST = 0.05, 20.0  # a temperature at either end was not found but cut off
HALVINGS = 40


@dataclass(frozen=True)
class Calibration:
    """The temperature of a trained network, and what is known of it.

    Attributes:
        temperature: What the scores are divided by; below 1 makes surer, above 1 less sure.
        examples: Of the validation split, on which it was fitted.
        loss: Mean negative log-likelihood there without it, in nats.
        fitted_loss: The same with it.
        abstained: Why none was fitted, "" where one was; the temperature is then 1.
    """

    temperature: float = 1.0
    examples: int = 0
    loss: float = 0.0
    fitted_loss: float = 0.0
    abstained: str = ""

    def sentence(self) -> str:
        """Return what came of it in words."""
        if self.abstained:
            return f"no temperature was fitted: {self.abstained}"
        return (
            f"temperature {self.temperature:.3f} fitted on {self.examples} validation examples, "
            f"cross-entropy {self.loss:.4f} to {self.fitted_loss:.4f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def fit_calibration(outputs: np.ndarray, labels: np.ndarray, kind: str) -> Calibration:
    """Return the temperature for what a network says of the validation split, or why there is none.

    Args:
        outputs: float (n, units), as the network says it; one unit means two classes.
        labels: int (n,), 0..classes-1; anything else abstains.
        kind: "softmax", "sigmoid" or "logits".
    """
    if reason := _unsuitable(outputs, labels, kind):
        return Calibration(abstained=reason)
    said, labels = scores(outputs, kind), labels.astype(np.int64)
    temperature = _best(said, labels)
    if not COLDEST * 1.001 < temperature < HOTTEST / 1.001:
        correct = int((said.argmax(axis=1) == labels).sum())
        return Calibration(abstained=f"{correct} of {len(labels)} validation examples are correct, so none is best")
    if not _holds_out(said, labels):
        return Calibration(abstained=f"one fitted on half of {len(labels)} validation examples fails on the other")
    if (probabilities(outputs, kind, temperature).argmax(axis=1) != said.argmax(axis=1)).any():
        return Calibration(abstained="it would change a predicted class by rounding")
    return Calibration(temperature, len(labels), _loss(said, labels, 1.0), _loss(said, labels, temperature))


def read_calibration(folder: Path) -> Calibration:
    """Return what lies beside a trained model; one from before there were temperatures has 1.

    Raises:
        ValueError: The file is damaged.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return Calibration(abstained="the model is from before temperatures were fitted")
    try:
        stored: Mapping[str, Any] = json.loads(path.read_bytes())
        found = Calibration(**{each.name: stored[each.name] for each in fields(Calibration)})
        if not COLDEST <= found.temperature <= HOTTEST:
            raise ValueError(f"temperature {found.temperature}")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"Expected a temperature in {path}. Received: {error}. Fix: Rerun train.") from error
    return found


def _unsuitable(outputs: np.ndarray, labels: np.ndarray, kind: str) -> str:
    """Say why these outputs have no temperature; "" where they have one."""
    flat = outputs.reshape(len(outputs), -1)
    classes = max(2, flat.shape[1])
    if kind == "sigmoid" and flat.shape[1] > 1:
        return "each of its outputs is a sigmoid of its own"
    if not np.isfinite(flat).all():
        return "an output is not finite"
    if labels.shape != (len(flat),) or not len(labels) or not (labels == labels.astype(np.int64)).all():
        return "the labels are not one class number each"
    if labels.min() < 0 or labels.max() >= classes:
        return f"labels {labels.min():g} to {labels.max():g} are not the classes 0 to {classes - 1} of its output"
    return ""


def _loss(said: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    shares = probabilities(said, "logits", temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(shares, 1e-300)).mean())


def _best(said: np.ndarray, labels: np.ndarray) -> float:
    """Return where the mean confidence is the accuracy; it falls as the temperature rises, so halve the interval."""
    low, high = COLDEST, HOTTEST
    accuracy = (said.argmax(axis=1) == labels).mean()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        surer = probabilities(said, "logits", middle).max(axis=1).mean() > accuracy
        low, high = (middle, high) if surer else (low, middle)
    return (low + high) / 2


def _holds_out(said: np.ndarray, labels: np.ndarray) -> bool:
    """Say whether the temperature of each half of the examples makes the other half likelier."""
    halves = [(said[first::2], labels[first::2]) for first in (0, 1)]
    if min(len(each) for _, each in halves) < 1:
        return False
    held_out = [_loss(*other, _best(*one)) - _loss(*other, 1.0) for one, other in (halves, halves[::-1])]
    return sum(held_out) < 0
