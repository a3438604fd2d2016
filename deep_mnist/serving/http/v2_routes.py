"""The Open Inference Protocol, V2, with the binary tensor data extension.

GET  /v2                                      the server and its extensions
GET  /v2/health/live, /v2/health/ready        the process; a model that is loaded
GET  /v2/models/NAME[/versions/N]             metadata: inputs, outputs, and the contract as parameters
GET  /v2/models/NAME[/versions/N]/ready       whether it is served
POST /v2/models/NAME[/versions/N]/infer       predictions
"""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deep_mnist.serving.http.body import BINARY_TYPES
from deep_mnist.serving.http.predictions import ServingParts, requested_model, respond
from deep_mnist.serving.http.v2_metadata import v2_metadata
from deep_mnist.serving.monitoring.release import release
from deep_mnist.serving.requests.v2 import HEADER_LENGTH, read_v2


def add_v2(app: Starlette, parts: ServingParts) -> None:
    """Add the routes."""
    champion = parts.champion

    async def infer(request: Request) -> Response:
        read = partial(read_v2, header_length=request.headers.get(HEADER_LENGTH, ""))
        return await respond(request, parts, read, BINARY_TYPES)

    async def metadata(request: Request) -> Response:
        return JSONResponse(v2_metadata(requested_model(request, champion)))

    async def model_ready(request: Request) -> Response:
        model = requested_model(request, champion)
        return JSONResponse({"name": model.name, "ready": True})

    async def ready(_: Request) -> Response:
        loaded = champion.model is not None
        return JSONResponse({"ready": loaded}, status_code=200 if loaded else 503)

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def server(_: Request) -> Response:
        return JSONResponse({"name": "deep-mnist", "version": release(), "extensions": ["binary_tensor_data"]})

    app.add_route("/v2/health/live", live)
    app.add_route("/v2/health/ready", ready)
    app.add_route("/v2", server)
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        app.add_route(f"{path}/infer", infer, methods=["POST"])
        app.add_route(f"{path}/ready", model_ready)
        app.add_route(path, metadata)
