"""The OpenAPI document of this server: openapi.yaml, with the name, version and input that are served."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.monitoring.release import release
from deep_mnist.serving.requests.v2_tensor import datatype_of


def openapi_document(champion: ServedChampion) -> dict[str, Any]:
    """Return the document as plain JSON types."""
    document = copy.deepcopy(_written())
    document["info"]["version"] = release()
    parameters = document["components"]["parameters"]
    parameters["Name"]["schema"]["enum"] = [champion.registry.name]
    if champion.model:
        parameters["Version"]["example"] = str(champion.model.version)
        for path, body in _examples(champion.model).items():
            for variant in (path, path.replace("{name}", "{name}/versions/{version}")):
                document["paths"][variant]["post"]["requestBody"]["content"]["application/json"]["example"] = body
    return document


def _examples(model: ServedModel) -> dict[str, dict[str, Any]]:
    """Return path -> a body that this model takes: one example of zeros."""
    form = model.signatures[DEFAULT_SIGNATURE].form
    values = np.zeros((1, *(side or 8 for side in form.shapes[0])), form.dtype)
    described = {"name": form.name, "shape": list(values.shape), "datatype": datatype_of(form.dtype)}
    return {
        "/v1/models/{name}:predict": {"instances": values.tolist()},
        "/v2/models/{name}/infer": {"inputs": [{**described, "data": values.ravel().tolist()}]},
    }


@cache
def _written() -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("openapi.yaml").read_text())
    return written
