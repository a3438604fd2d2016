"""The application: both inference protocols (v1_routes.py, v2_routes.py), metrics, the pages, and errors in one form.

GET  /metrics                                 OpenMetrics
GET  /openapi.json                            the protocols, as OpenAPI describes them
GET  / /drift /card /champion.json            draw a digit; what is sent against what was trained on; the champion
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from deep_mnist.serving.http.admission import Admission
from deep_mnist.serving.http.explanations import add_explanations
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.http.observed import TRACE, ObservedRequests
from deep_mnist.serving.http.openapi import openapi_document
from deep_mnist.serving.http.pages import add_pages
from deep_mnist.serving.http.predictions import ServingParts
from deep_mnist.serving.http.v1_routes import add_v1
from deep_mnist.serving.http.v2_routes import add_v2
from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.monitoring.metrics import ServingMetrics
from deep_mnist.serving.monitoring.tracing import sends_spans
from deep_mnist.serving.requests.batcher import DynamicBatcher
from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.prediction import predict_together


def create_app(champion: ServedChampion, limits: ServingLimits | None = None, *, access_log: bool = False) -> FastAPI:
    """Return the server's routes around a champion, which is followed while the server runs."""
    limits = limits or ServingLimits()
    admission = Admission(limits)
    metrics = ServingMetrics(champion, lambda: admission.at_work)
    batcher = DynamicBatcher(partial(predict_together, saw=metrics.saw), limits.batch_rows, limits.batch_seconds)
    parts = ServingParts(champion, limits, admission, batcher, metrics)
    champion.on_swap = metrics.follow
    if champion.model:
        metrics.follow(champion.model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        champion.follow()
        yield
        champion.close()
        parts.admission.close()

    # Metrics are Prometheus' own, and what fails is in the server's log: of FastAPI's telemetry, spans alone.
    telemetry = TelemetryConfig(auto_configure=sends_spans(), metrics=False, logs=False, operation_spans=False)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, telemetry=telemetry)
    app.add_middleware(ObservedRequests, log=access_log)
    app.add_exception_handler(RequestError, _error_response)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _failed)
    add_v1(app, parts)
    add_v2(app, parts)
    add_explanations(app, parts)
    add_pages(app, champion, metrics)

    @app.get("/metrics")
    def open_metrics() -> Response:
        text, kind = metrics.open_metrics()
        return Response(text, headers={"content-type": kind})

    @app.get("/openapi.json")
    def openapi() -> Response:
        return JSONResponse(openapi_document(champion))

    return app


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
        "a path and method of this server",
        f"{request.method} {request.url.path[:120]}",
        "GET /openapi.json lists them",
        headers=dict(error.headers or {}) if isinstance(error, HTTPException) else {},
    )
    return JSONResponse(response.to_dict(), status_code=status, headers=response.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """Say that the server is at fault; the traceback goes to its log. Starlette sends this past all middleware."""
    fix = "report it with the server's log"
    response = RequestError(500, "request", "predictions", type(error).__name__, fix)
    trace = request.scope.get(TRACE)
    return JSONResponse(response.to_dict(), status_code=500, headers={TRACE: trace} if trace else None)
