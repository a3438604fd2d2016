"""The routes: TensorFlow Serving's V1 protocol, health, metrics, and the pages.

POST /v1/models/NAME[/versions/N]:predict     predictions
GET  /v1/models                               the model's name, as KServe lists it
GET  /v1/models/NAME[/versions/N]             status of the version
GET  /v1/models/NAME[/versions/N]/metadata    its signatures
GET  /v2/health/live, /v2/health/ready        the process; a model that is loaded
GET  /metrics                                 OpenMetrics
GET  / /drift /card /champion.json            draw a digit; what is sent against what was trained on; the champion
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from deep_mnist.serving.http.admission import Admission
from deep_mnist.serving.http.body import read_body
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.http.pages import add_pages
from deep_mnist.serving.http.status import metadata_of, model_status
from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.monitoring.metrics import ServingMetrics
from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.prediction import Prediction, predict

_MODEL = "/v1/models/{name}"


@dataclass(frozen=True)
class ServingParts:
    """What the routes work with."""

    champion: ServedChampion
    limits: ServingLimits
    admission: Admission
    metrics: ServingMetrics


def create_app(champion: ServedChampion, limits: ServingLimits | None = None) -> FastAPI:
    """Return the server's routes around a champion, which is followed while the server runs."""
    limits = limits or ServingLimits()
    admission = Admission(limits)
    metrics = ServingMetrics(champion, lambda: admission.at_work)
    parts = ServingParts(champion, limits, admission, metrics)
    champion.on_swap = metrics.follow
    if champion.model:
        metrics.follow(champion.model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        champion.follow()
        yield
        champion.close()
        parts.admission.close()

    app = FastAPI(title="Deep MNIST", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_exception_handler(RequestError, _error_response)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _failed)
    _add_protocol(app, parts)
    _add_health(app, parts)
    add_pages(app, champion, metrics)
    return app


def _add_protocol(app: FastAPI, parts: ServingParts) -> None:
    async def predictions(request: Request, name: str, version: str = "") -> Response:
        started, code = time.perf_counter(), 500
        try:
            model, made = await _predicted(request, parts, name, version)
            code = 200
        except RequestError as error:
            code = error.status
            parts.metrics.refused.labels(error.field).inc()
            raise
        except ClientDisconnect:
            code = 499  # nobody is there to read a response
            return Response(status_code=400)
        finally:
            parts.metrics.requests.labels(str(code)).inc()
            parts.metrics.seconds.observe(time.perf_counter() - started)
        return Response(made.body, media_type="application/json", headers={"x-model-version": str(model.version)})

    def status(name: str, version: str = "") -> Response:
        _check_name(parts.champion, name)
        return JSONResponse(model_status(parts.champion.state, name, version))

    def metadata(name: str, version: str = "") -> Response:
        return JSONResponse(metadata_of(served_model(parts.champion, name, version)))

    @app.get("/v1/models")
    def models() -> dict[str, list[str]]:
        return {"models": [parts.champion.registry.name]}

    for path in (_MODEL, f"{_MODEL}/versions/{{version}}"):
        app.add_api_route(f"{path}:predict", predictions, methods=["POST"], response_model=None)
        app.add_api_route(f"{path}/metadata", metadata, methods=["GET"], response_model=None)
        app.add_api_route(path, status, methods=["GET"], response_model=None)


async def _predicted(request: Request, parts: ServingParts, name: str, version: str) -> tuple[ServedModel, Prediction]:
    """Return the model that a request began with, and what it predicts."""
    model = served_model(parts.champion, name, version)
    with parts.admission.admitted():
        body = await read_body(request, parts.limits)
        return model, await parts.admission.run(_work(model, body, parts))


def _work(model: ServedModel, body: bytes, parts: ServingParts) -> Callable[[], Prediction]:
    def work() -> Prediction:
        made = predict(model, body, examples=parts.limits.examples)
        parts.metrics.saw(model, made.comparison, made.probabilities)
        return made

    return work


def _add_health(app: FastAPI, parts: ServingParts) -> None:
    @app.get("/v2/health/live")
    def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready")
    def ready() -> Response:
        loaded = parts.champion.model is not None
        return JSONResponse({"ready": loaded}, status_code=200 if loaded else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        text, kind = parts.metrics.open_metrics()
        return Response(text, headers={"content-type": kind})


def served_model(champion: ServedChampion, name: str, version: str = "") -> ServedModel:
    """Return the model that a path names.

    Raises:
        RequestError: Another name, another version than the one that is served, or none served yet.
    """
    _check_name(champion, name)
    model = champion.model
    if model is None:
        error = champion.state.broken.error if champion.state.broken else "none so far"
        raise RequestError(503, "request", f"a champion of {name}", error, "publish one")
    if version and version != str(model.version):
        fix = f"leave /versions/{version[:20]} out, or ask for {model.version}"
        raise RequestError(404, "request", f"version {model.version} of {name}", f"{version[:20]}", fix)
    return model


def _check_name(champion: ServedChampion, name: str) -> None:
    served = champion.registry.name
    if name != served:
        received = f"{name[:80]!r}: servable not found"
        raise RequestError(404, "request", f"the model {served!r}", received, f"ask for /v1/models/{served}")


async def _error_response(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestError):
        raise error
    return JSONResponse(error.to_dict(), status_code=error.status, headers=error.headers)


async def _no_route(request: Request, error: Exception) -> Response:
    """Return a path or method that does not exist in the form of every other error."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = RequestError(
        status,
        "request",
        "a path and method of the V1 protocol",
        f"{request.method} {request.url.path[:120]}",
        "ask for POST /v1/models/NAME:predict",
        headers=dict(error.headers or {}) if isinstance(error, HTTPException) else {},
    )
    return JSONResponse(response.to_dict(), status_code=status, headers=response.headers)


async def _failed(_: Request, error: Exception) -> Response:
    """Say that the server is at fault; the traceback goes to its log."""
    fix = "report it with the server's log"
    response = RequestError(500, "request", "predictions", type(error).__name__, fix)
    return JSONResponse(response.to_dict(), status_code=500)
