"""What the page asks for beside predictions: an example of the judged split, and what mattered for a prediction.

GET  /example/NUMBER                          one of the version's golden requests and its label
POST /heat                                    gradient × input of one example, a body as of V1
"""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from deep_mnist.serving.http.body import read_body
from deep_mnist.serving.http.predictions import ServingParts, loaded_model
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.prediction import pending
from deep_mnist.serving.requests.stages import Stages
from deep_mnist.serving.requests.v1 import read_v1


def add_explanations(app: FastAPI, parts: ServingParts) -> None:
    """Add the routes."""

    @app.get("/example/{number}")
    def example(number: str) -> Response:
        model = loaded_model(parts.champion)
        if not (number.isascii() and number.isdigit() and len(number) < 9 and int(number) < model.examples):
            expected = f"a number from 0 to {model.examples - 1}" if model.examples else "a version with examples"
            raise RequestError(404, "request", expected, number[:20], "reload the page")
        image, label = model.example(int(number))
        return JSONResponse({"example": image.tolist(), "label": model.class_name(label)})

    @app.post("/heat")
    async def heat(request: Request) -> Response:
        model = loaded_model(parts.champion)
        with parts.admission.admitted():
            body = await read_body(request, parts.limits)
            found = await parts.admission.run(partial(_attribute, model, body))
        return JSONResponse({"heat": found}, headers={"x-model-version": str(model.version)})


def _attribute(model: ServedModel, body: bytes, outcome: Future[list[Any]]) -> None:
    attribution = model.form.attribution
    if attribution is None:
        fix = "serve it with --engine tensorflow"
        raise RequestError(501, "request", "an engine that computes gradients", model.form.platform, fix)
    images = pending(model, partial(read_v1, body), Stages(), Future(), examples=1).images
    try:
        found = attribution.of(images)
    except Exception as error:  # Keras raises nearly every kind; the prediction itself is none the worse for it
        fix = "look at the prediction without it"
        raise RequestError(501, "request", "a network with a gradient at its input", str(error)[:200], fix) from None
    outcome.set_result(np.round(found / (np.abs(found).max() or 1), 4).tolist())
