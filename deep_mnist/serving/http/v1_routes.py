"""TensorFlow Serving's V1 protocol.

POST /v1/models/NAME[/versions/N]:predict     predictions
GET  /v1/models                               the model's name, as KServe lists it
GET  /v1/models/NAME[/versions/N]             status of the version
GET  /v1/models/NAME[/versions/N]/metadata    its signatures
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deep_mnist.serving.http.predictions import ServingParts, check_name, path_names, requested_model, respond
from deep_mnist.serving.http.status import metadata_of, model_status
from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.v1 import read_v1


def add_v1(app: Starlette, parts: ServingParts) -> None:
    """Add the routes; plain ones, since FastAPI's handling of parameters takes longer than reading a request."""
    champion = parts.champion

    async def predict(request: Request) -> Response:
        return await respond(request, parts, read_v1)

    async def status(request: Request) -> Response:
        name, version = path_names(request)
        if request.url.path.endswith(":predict"):
            fix = "send the examples by POST"
            raise RequestError(405, "request", "POST for predictions", request.method, fix, headers={"allow": "POST"})
        check_name(champion, name)
        return JSONResponse(model_status(champion.state, name, version))

    async def metadata(request: Request) -> Response:
        return JSONResponse(metadata_of(requested_model(request, champion)))

    async def models(_: Request) -> Response:
        return JSONResponse({"models": [champion.registry.name]})

    app.add_route("/v1/models", models)
    for path in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        app.add_route(f"{path}:predict", predict, methods=["POST"])
        app.add_route(f"{path}/metadata", metadata)
        app.add_route(path, status)
