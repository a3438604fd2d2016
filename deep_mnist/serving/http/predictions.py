"""What every prediction request goes through, whichever protocol it speaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from deep_mnist.serving.http.admission import Admission
from deep_mnist.serving.http.body import JSON_TYPES, read_body
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.http.observed import STAGES_KEY
from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.monitoring.metrics import ServingMetrics
from deep_mnist.serving.monitoring.tracing import record_stages
from deep_mnist.serving.requests.batcher import DynamicBatcher
from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.prediction import pending
from deep_mnist.serving.requests.request import Answer, PredictionRequest
from deep_mnist.serving.requests.stages import Stages

Read = Callable[[bytes], PredictionRequest]
CLIENT_GONE = 499  # nobody is there to read a response


@dataclass(frozen=True)
class ServingParts:
    """What the routes work with."""

    champion: ServedChampion
    limits: ServingLimits
    admission: Admission
    batcher: DynamicBatcher
    metrics: ServingMetrics


async def respond(request: Request, parts: ServingParts, read: Read, types: tuple[str, ...] = JSON_TYPES) -> Response:
    """Return the response to a prediction request, and count it.

    Args:
        request: Whose path names a model; its body is not read yet.
        parts: Of the server.
        read: Reads a body of the protocol.
        types: Content types that the protocol takes.

    Raises:
        RequestError: There are no predictions.
    """
    started, code, stages = time.perf_counter(), 500, Stages()
    request.scope[STAGES_KEY] = stages
    try:
        model = requested_model(request, parts.champion)
        with parts.admission.admitted():
            body = await read_body(request, parts.limits, types)
            answer = await parts.admission.run(_work(parts, model, lambda: read(body), stages))
        code = 200
    except RequestError as error:
        code = error.status
        if code < 500:  # what is wrong with the server is told by the status
            parts.metrics.refused.labels(error.field).inc()
        raise
    except ClientDisconnect:
        code = CLIENT_GONE
        return Response(status_code=400)
    finally:
        parts.metrics.responded(code, time.perf_counter() - started, stages)
        record_stages(stages)
    return Response(answer.body, headers={**answer.headers, "x-model-version": str(model.version)})


def _work(
    parts: ServingParts, model: ServedModel, read: Callable[[], PredictionRequest], stages: Stages
) -> Callable[[Future[Answer]], None]:
    stages.wait()

    def work(outcome: Future[Answer]) -> None:
        stages.waited()
        parts.batcher.put(pending(model, read, stages, outcome, examples=parts.limits.examples))

    return work


def path_names(request: Request) -> tuple[str, str]:
    """Return the model and the version that a path names, "" for none."""
    return request.path_params["name"], request.path_params.get("version", "")


def requested_model(request: Request, champion: ServedChampion) -> ServedModel:
    """Return the model that a request's path names.

    Raises:
        RequestError: Another name, another version than the one that is served, or none served yet.
    """
    return served_model(champion, *path_names(request))


def loaded_model(champion: ServedChampion) -> ServedModel:
    """Return the model that is served.

    Raises:
        RequestError: None so far.
    """
    if champion.model is None:
        raise RequestError(503, "request", "a champion", "none so far", "publish one: make run")
    return champion.model


def served_model(champion: ServedChampion, name: str, version: str = "") -> ServedModel:
    """Return the model that a path names.

    Raises:
        RequestError: Another name, another version than the one that is served, or none served yet.
    """
    check_name(champion, name)
    model = champion.model
    if model is None:
        error = champion.state.broken.error if champion.state.broken else "none so far"
        raise RequestError(503, "request", f"a champion of {name}", error, "publish one")
    if version and version != str(model.version):
        fix = f"leave /versions/{version[:20]} out, or ask for {model.version}"
        raise RequestError(404, "request", f"version {model.version} of {name}", f"{version[:20]}", fix)
    return model


def check_name(champion: ServedChampion, name: str) -> None:
    """Refuse another name than the champion's.

    Raises:
        RequestError: It is another.
    """
    served = champion.registry.name
    if name != served:
        received = f"{name[:80]!r}: servable not found"
        raise RequestError(404, "request", f"the model {served!r}", received, f"ask for {served!r}: GET /v1/models")
