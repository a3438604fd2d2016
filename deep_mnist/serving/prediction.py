"""From a request's body to a response's, on one model: read, hold against the training data, predict, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.serving.door import Looked, Units, look
from deep_mnist.serving.refusal import RefusedRequestError, malformed
from deep_mnist.serving.request import PredictionRequest, read_request
from deep_mnist.serving.served_model import Arrays, ServedModel, ServedSignature
from deep_mnist.serving.structure import to_array


@dataclass(frozen=True)
class Prediction:
    """What came of a request.

    Attributes:
        body: The response's.
        probabilities: float32 (n, classes).
        looked: What the door saw; None where the version has no survey.
    """

    body: bytes
    probabilities: np.ndarray
    looked: Looked | None


def predict(model: ServedModel, body: bytes, *, examples: int) -> Prediction:
    """Return predictions for a body in either format.

    Args:
        model: What predicts.
        body: Of the request.
        examples: The most that one request may hold.

    Raises:
        RefusedRequestError: The body is malformed, or the network cannot take what it holds.
    """
    request = read_request(body)
    signature = model.signature(request.signature_name)
    images = to_array(_only_input(request, signature), signature.form, limit=examples, literals=request.literals)
    outputs = signature.call(images)
    if not all(np.isfinite(values).all() for values in outputs.values() if values.dtype.kind == "f"):
        raise RefusedRequestError(
            500, "request", "finite predictions", "NaN or infinity from the network", "roll back to another version"
        )
    looked = _look(model, images, raw_form=len(signature.form.shapes) > 1)
    warnings = [each.to_dict() for each in looked.warnings] if looked else []
    return Prediction(_body(outputs, request.row_format, warnings), outputs["probabilities"], looked)


def _look(model: ServedModel, images: np.ndarray, *, raw_form: bool) -> Looked | None:
    """Hold images, as a signature takes them, against the training data; None where there is no survey."""
    survey, record = model.survey, model.record
    if survey is None:
        return None
    units = Units()
    if not (raw_form or record.prepared or record.dtype == "uint8") and record.scale:
        # Never clipped or rounded: pixels that were not scaled must stay as far out as they are.
        units = Units(record.scale, record.offset)
        images = (images - np.float32(record.offset)) / np.float32(record.scale)
    shape = (len(images), *survey.shape)
    return look(images.reshape(shape), survey, units) if images.size == np.prod(shape) else None


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
