"""From requests to predictions, on one model: read and validated one by one, predicted and compared together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.model.served_model import Arrays, ServedModel, ServedSignature, UnsuitableInputError
from deep_mnist.serving.requests.error_response import RequestError, malformed
from deep_mnist.serving.requests.json_text import shown
from deep_mnist.serving.requests.request import Answer, PredictionRequest
from deep_mnist.serving.requests.stages import Stages
from deep_mnist.serving.requests.statistical_validation import ProfileComparison, Units, compare_with_profile
from deep_mnist.serving.requests.structural_validation import to_array


@dataclass(frozen=True)
class PendingPrediction:
    """A request that was validated and waits for its prediction.

    Attributes:
        model: That it began with.
        request: What was asked for.
        images: (n, …) of the signature's dtype.
        outcome: Receives the answer, or an error.
        stages: Seconds that each stage took.
    """

    model: ServedModel
    request: PredictionRequest
    images: np.ndarray
    outcome: Future[Answer] = field(default_factory=Future)
    stages: Stages = field(default_factory=Stages)

    @property
    def signature(self) -> ServedSignature:
        return self.model.signatures[self.request.signature_name]

    @property
    def key(self) -> tuple[Any, ...]:
        """What requests must have in common to be predicted in one batch."""
        return id(self.model), self.request.signature_name, self.images.shape[1:]


def pending(
    model: ServedModel, read: Callable[[], PredictionRequest], stages: Stages, outcome: Future[Answer], *, examples: int
) -> PendingPrediction:
    """Return a request whose examples the network can take.

    Args:
        model: What will predict.
        read: Returns what the body asks for.
        stages: Of the request.
        outcome: Of the request.
        examples: The most that one request may hold.

    Raises:
        RequestError: The body is malformed, or the network cannot take what it holds.
    """
    with stages.measured("parse"):
        request = read()
    with stages.measured("door"):
        signature = _signature(model, request.signature_name)
        value = _only_input(request, signature)
        images = to_array(value, signature.form, limit=examples, literals=request.literals)
    return PendingPrediction(model, request, images, outcome, stages)


def predict_together(batch: Sequence[PendingPrediction], saw: Callable[..., None]) -> None:
    """Predict requests of one key as one batch, and give each its outcome.

    Args:
        batch: At least one request.
        saw: Called with the model, the comparison with its reference profile or None, the probabilities, float32
            (n, classes), of the whole batch, and the number of requests.
    """
    try:
        outputs, comparison = _predicted(batch)
        saw(batch[0].model, comparison, outputs["probabilities"], len(batch))
    except RequestError as error:
        if len(batch) > 1:  # one of them may be at fault: the others are none the worse for it
            for each in batch:
                predict_together([each], saw)
        else:
            batch[0].outcome.set_exception(error)
        return
    start = 0
    for each in batch:
        rows = slice(start, start := start + len(each.images))
        try:
            each.outcome.set_result(_answer(each, outputs, comparison, rows))
        except Exception as error:  # of one request; the others have their answers
            each.outcome.set_exception(error)


def _predicted(batch: Sequence[PendingPrediction]) -> tuple[Arrays, ProfileComparison | None]:
    """Return the outputs of a whole batch, and its comparison with the reference profile."""
    model, signature = batch[0].model, batch[0].signature
    images = batch[0].images if len(batch) == 1 else np.concatenate([each.images for each in batch])
    with Stages.shared("predict", batch):
        try:
            outputs = signature.call(images)
        except UnsuitableInputError as error:
            raise RequestError(400, "images.shape", error.expected, error.received, error.fix) from None
    if not all(np.isfinite(values).all() for values in outputs.values() if values.dtype.kind == "f"):
        raise RequestError(
            500, "request", "finite predictions", "NaN or infinity from the network", "roll back to another version"
        )
    with Stages.shared("door", batch):
        return outputs, _compared(model, images, raw_form=len(signature.form.shapes) > 1)


def _answer(each: PendingPrediction, outputs: Arrays, comparison: ProfileComparison | None, rows: slice) -> Answer:
    with each.stages.measured("answer"):
        warnings = [warning.to_dict() for warning in comparison.part(rows).warnings] if comparison else []
        return each.request.answer(each.model, {name: values[rows] for name, values in outputs.items()}, warnings)


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
