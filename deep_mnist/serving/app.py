"""The routes: TensorFlow Serving's V1 protocol, health, metrics, and the pages.

POST /v1/models/NAME[/versions/N]:predict     predictions
GET  /v1/models/NAME[/versions/N]             status of the version
GET  /v1/models/NAME[/versions/N]/metadata    its signatures
GET  /v2/health/live, /v2/health/ready        the process; a model that is loaded
GET  /metrics                                 OpenMetrics
GET  / /drift /card /champion.json            draw a digit; what is sent against what was trained on; the champion
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from deep_mnist.serving.admission import Admission
from deep_mnist.serving.body import read_body
from deep_mnist.serving.champion import ServedChampion
from deep_mnist.serving.limits import ServingLimits
from deep_mnist.serving.pages import add_pages
from deep_mnist.serving.prediction import predict
from deep_mnist.serving.refusal import RefusedRequestError
from deep_mnist.serving.served_model import ServedModel
from deep_mnist.serving.status import metadata_of, model_status

_MODEL = "/v1/models/{name}"


def create_app(champion: ServedChampion, limits: ServingLimits | None = None) -> FastAPI:
    """Return the server's routes around a champion, which is followed while the server runs."""
    limits = limits or ServingLimits()
    admission = Admission(limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        champion.follow()
        yield
        champion.close()
        admission.close()

    app = FastAPI(title="Deep MNIST", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_exception_handler(RefusedRequestError, _refuse)
    _add_protocol(app, champion, limits, admission)
    _add_health(app, champion)
    add_pages(app, champion)
    return app


def _add_protocol(app: FastAPI, champion: ServedChampion, limits: ServingLimits, admission: Admission) -> None:
    async def predictions(request: Request, name: str, version: str = "") -> Response:
        model = served_model(champion, name, version)
        with admission.admitted():
            body = await read_body(request, limits)
            made = await admission.run(lambda: predict(model, body, examples=limits.examples))
        return Response(made.body, media_type="application/json", headers={"x-model-version": str(model.version)})

    def status(name: str, version: str = "") -> Response:
        _check_name(champion, name)
        return JSONResponse(model_status(champion.state, name, version))

    def metadata(name: str, version: str = "") -> Response:
        return JSONResponse(metadata_of(served_model(champion, name, version)))

    for path in (_MODEL, f"{_MODEL}/versions/{{version}}"):
        app.add_api_route(f"{path}:predict", predictions, methods=["POST"], response_model=None)
        app.add_api_route(f"{path}/metadata", metadata, methods=["GET"], response_model=None)
        app.add_api_route(path, status, methods=["GET"], response_model=None)


def _add_health(app: FastAPI, champion: ServedChampion) -> None:
    @app.get("/v2/health/live")
    def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready")
    def ready() -> Response:
        loaded = champion.model is not None
        return JSONResponse({"ready": loaded}, status_code=200 if loaded else 503)


def served_model(champion: ServedChampion, name: str, version: str = "") -> ServedModel:
    """Return the model that a path names.

    Raises:
        RefusedRequestError: Another name, another version than the one that is served, or none served yet.
    """
    _check_name(champion, name)
    model = champion.model
    if model is None:
        error = champion.state.broken.error if champion.state.broken else "none so far"
        raise RefusedRequestError(503, "request", f"a champion of {name}", error, "publish one")
    if version and version != str(model.version):
        fix = f"leave /versions/{version[:20]} out, or ask for {model.version}"
        raise RefusedRequestError(404, "request", f"version {model.version} of {name}", f"{version[:20]}", fix)
    return model


def _check_name(champion: ServedChampion, name: str) -> None:
    served = champion.registry.name
    if name != served:
        received = f"{name[:80]!r}: servable not found"
        raise RefusedRequestError(404, "request", f"the model {served!r}", received, f"ask for /v1/models/{served}")


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedRequestError):
        raise error
    return JSONResponse(error.to_dict(), status_code=error.status, headers=error.headers)
