"""From a request's body to a response's, on one model: read, hold against the training data, predict, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.model.served_model import Arrays, ServedModel, ServedSignature, UnsuitableInputError
from deep_mnist.serving.requests.error_response import RequestError, malformed
from deep_mnist.serving.requests.parse import PredictionRequest, read_request, shown
from deep_mnist.serving.requests.statistical_validation import ProfileComparison, Units, compare_with_profile
from deep_mnist.serving.requests.structural_validation import to_array


@dataclass(frozen=True)
class Prediction:
    """What came of a request.

    Attributes:
        body: The response's.
        probabilities: float32 (n, classes).
        comparison: Of the examples with the reference profile; None where the version has none.
    """

    body: bytes
    probabilities: np.ndarray
    comparison: ProfileComparison | None


def predict(model: ServedModel, body: bytes, *, examples: int) -> Prediction:
    """Return predictions for a body in either format.

    Args:
        model: What predicts.
        body: Of the request.
        examples: The most that one request may hold.

    Raises:
        RequestError: The body is malformed, or the network cannot take what it holds.
    """
    request = read_request(body)
    signature = _signature(model, request.signature_name)
    images = to_array(_only_input(request, signature), signature.form, limit=examples, literals=request.literals)
    try:
        outputs = signature.call(images)
    except UnsuitableInputError as error:
        raise RequestError(400, "images.shape", error.expected, error.received, error.fix) from None
    if not all(np.isfinite(values).all() for values in outputs.values() if values.dtype.kind == "f"):
        raise RequestError(
            500, "request", "finite predictions", "NaN or infinity from the network", "roll back to another version"
        )
    comparison = _compared(model, images, raw_form=len(signature.form.shapes) > 1)
    warnings = [each.to_dict() for each in comparison.warnings] if comparison else []
    return Prediction(_body(outputs, request.row_format, warnings), outputs["probabilities"], comparison)


def _signature(model: ServedModel, name: str) -> ServedSignature:
    if name not in model.signatures:
        raise RequestError(
            400,
            "request",
            f"signature_name to be one of {sorted(model.signatures)}",
            f"{shown(name)}, a signature that is not found in the model",
            f'send "signature_name": "{DEFAULT_SIGNATURE}", or none',
        )
    return model.signatures[name]


def _compared(model: ServedModel, images: np.ndarray, *, raw_form: bool) -> ProfileComparison | None:
    """Hold images, as a signature takes them, against the training data; None where there is no profile."""
    profile, record = model.profile, model.record
    if profile is None:
        return None
    units = Units()
    if not (raw_form or record.prepared or record.dtype == "uint8") and record.scale:
        # Never clipped or rounded: pixels that were not scaled must stay as far out as they are.
        units = Units(record.scale, record.offset)
        images = (images - np.float32(record.offset)) / np.float32(record.scale)
    shape = (len(images), *profile.shape)
    return compare_with_profile(images.reshape(shape), profile, units) if images.size == np.prod(shape) else None


def _only_input(request: PredictionRequest, signature: ServedSignature) -> Any:
    name = signature.form.name
    if set(request.inputs) not in ({""}, {name}):
        raise malformed(f"the input {name!r}", f"the inputs {sorted(request.inputs)}", f'name the input "{name}"')
    return request.inputs[""] if "" in request.inputs else request.inputs[name]


def _body(outputs: Arrays, row_format: bool, warnings: list[dict[str, Any]]) -> bytes:
    """Return the response as TensorFlow Serving writes it; `warnings` stands beside, where there are any."""
    lists = {name: values.tolist() for name, values in outputs.items()}
    if not row_format:
        document: dict[str, Any] = {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
    elif len(lists) == 1:
        document = {"predictions": next(iter(lists.values()))}
    else:
        document = {"predictions": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}
    if warnings:
        document["warnings"] = warnings
    return json.dumps(document, allow_nan=False).encode()
