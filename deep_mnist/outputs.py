"""What a network says, and the probabilities that it means by it."""

from __future__ import annotations

from typing import Any

import numpy as np

# Layers that hand on what they get.
_PASSING = ("Reshape", "Flatten", "Identity", "Dropout")
LEAST_SHARE = 1e-30  # of which the logarithm is taken


def probabilities(outputs: np.ndarray, kind: str, temperature: float = 1.0) -> np.ndarray:
    """Return float64 (n, classes) that sum to one; a network of one unit has two classes.

    Args:
        outputs: What the network says.
        kind: What that is, as `output_kind` returns it.
        temperature: What `scores` are divided by, above 0; a predicted class is the same at each.

    >>> probabilities(np.array([[0.0, 0.0]]), "logits").tolist(), probabilities(np.array([[0.25]]), "sigmoid").tolist()
    ([[0.5, 0.5]], [[0.75, 0.25]])
    >>> probabilities(np.array([[0.75, 0.25]]), "softmax", temperature=0.5).round(6).tolist()
    [[0.9, 0.1]]
    """
    values = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
    if temperature != 1.0:
        return _softmax(scores(values, kind) / temperature)
    if values.shape[1] == 1:
        positive = values if kind != "logits" else 1.0 / (1.0 + np.exp(-np.clip(values, -500, 500)))
        return np.concatenate([1.0 - positive, positive], axis=1)
    if kind == "logits":
        return _softmax(values)
    shares: np.ndarray = values / np.maximum(values.sum(axis=1, keepdims=True), LEAST_SHARE)
    return shares


def scores(outputs: np.ndarray, kind: str) -> np.ndarray:
    """Return float64 (n, classes) whose softmax is `probabilities`: logits, or logarithms of shares."""
    values = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
    if kind == "logits":
        return values if values.shape[1] > 1 else np.concatenate([np.zeros_like(values), values], axis=1)
    logarithms: np.ndarray = np.log(np.maximum(probabilities(values, kind), LEAST_SHARE))
    return logarithms


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def output_kind(model: Any) -> str:
    """Return "softmax", "sigmoid" or "logits", as the operation says that makes the output.

    An operation that says nothing (an average of networks, say) is probed: what stays within 0..1 and sums to one for
    noise of every size is a softmax.
    """
    operation = model.outputs[0]._keras_history.operation
    while _hands_on(operation):
        operation = operation.input._keras_history.operation
    if hasattr(operation, "outputs") and hasattr(operation, "layers"):  # a network within the network
        return output_kind(operation)
    name = _name_of_activation(operation) or type(operation).__name__.lower()
    if name in ("softmax", "sigmoid"):
        return name
    return "logits" if hasattr(operation, "activation") else _probed_kind(model)


def _hands_on(operation: Any) -> bool:
    kind = type(operation).__name__
    return kind in _PASSING or (kind == "Activation" and _name_of_activation(operation) == "linear")


def _name_of_activation(operation: Any) -> str:
    return str(getattr(getattr(operation, "activation", None), "__name__", ""))


def _probed_kind(model: Any) -> str:
    random = np.random.default_rng(0)
    shape = [side or 1 for side in model.inputs[0].shape[1:]]
    noise = [random.normal(0, size, (8, *shape)) for size in (0.1, 10.0, 200.0)]
    said = np.concatenate([np.asarray(model.predict_on_batch(batch.astype(np.float32))) for batch in noise])
    shares = said.reshape(len(said), -1)
    within = bool(shares.min() >= 0 and shares.max() <= 1)
    return "softmax" if within and np.allclose(shares.sum(axis=1), 1.0, atol=1e-3) else "logits"
