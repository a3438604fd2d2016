"""TensorFlow Serving's V1 protocol: from a body to one array, in its two formats, and from predictions to a body.

{"instances": [image, …]}           row format; also [{"images": image}, …]; answered with "predictions"
{"inputs": [image, …]}              column format; also {"images": [image, …]}; answered with "outputs"
"signature_name": "network"         the signature; serving_default when absent
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.model.served_model import Arrays, ServedModel
from deep_mnist.serving.requests.error_response import malformed
from deep_mnist.serving.requests.fast_numbers import parsed, regular_numbers
from deep_mnist.serving.requests.json_text import json_object, shown
from deep_mnist.serving.requests.request import Answer, PredictionRequest

_EXAMPLE = '{"instances": [image, …]}'
_FORMATS = ("instances", "inputs")


@dataclass(frozen=True)
class V1Request(PredictionRequest):
    """A body of the V1 protocol.

    Attributes:
        row_format: Whether it came as "instances" and is answered with "predictions".
    """

    row_format: bool = True

    def answer(self, model: ServedModel, outputs: Arrays, warnings: list[dict[str, Any]]) -> Answer:  # noqa: ARG002
        """Return the response as TensorFlow Serving writes it; `warnings` stands beside, where there are any."""
        alone = next(iter(outputs.values())) if len(outputs) == 1 else None
        document: dict[str, Any]
        if not self.row_format:
            document = {"outputs": outputs if alone is None else alone}
        elif alone is not None:
            document = {"predictions": alone}
        else:
            rows = zip(*outputs.values(), strict=True)
            document = {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}
        if warnings:
            document["warnings"] = warnings
        return Answer(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY))


def read_v1(body: bytes) -> V1Request:
    """Return what a body asks for; its values are not looked at yet.

    Raises:
        RequestError: The body is no request of either format.
    """
    return _plain(body) or _strict(body)


def _plain(body: bytes) -> V1Request | None:
    """Return a request of nothing but regular nested lists; None where the strict reader has to look."""
    document = parsed(body)
    if document is None:
        return None
    keys, name = set(document.keys()), document.get("signature_name", DEFAULT_SIGNATURE)
    (key, *more) = keys - {"signature_name"} or {""}
    if more or key not in _FORMATS or not isinstance(name, str):
        return None
    numbers = regular_numbers(document[key], body)
    if numbers is None or not len(numbers):
        return None
    return V1Request(name or DEFAULT_SIGNATURE, {"": numbers}, literals=False, row_format=key == "instances")


def _strict(body: bytes) -> V1Request:
    document = json_object(body, _EXAMPLE)
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise malformed("signature_name to be a string", shown(name), 'send "signature_name": "serving_default"')
    formats = [key for key in _FORMATS if key in document]
    if len(formats) != 1:
        received = "both 'instances' and 'inputs'" if formats else f"the keys {shown(sorted(document))}"
        raise malformed("one of the keys 'instances' and 'inputs'", received, f"send {_EXAMPLE}")
    value = document[formats[0]]
    if formats == ["inputs"]:
        inputs = value if isinstance(value, dict) else {"": value}
    else:
        inputs = _columns(value)
    literals = b"true" in body or b"false" in body
    return V1Request(name or DEFAULT_SIGNATURE, inputs, literals, row_format=formats == ["instances"])


def _columns(instances: Any) -> dict[str, Any]:
    """Return input name -> values of a list of instances, all plain or all objects of the same keys."""
    if not isinstance(instances, list) or not instances:
        received = "an empty list" if instances == [] else shown(instances)
        raise malformed("'instances' to be a list of at least one example", received, f"send {_EXAMPLE}")
    if not isinstance(instances[0], dict) or set(instances[0]) == {"b64"}:
        return {"": instances}
    keys = set(instances[0])
    for index, each in enumerate(instances):
        if not isinstance(each, dict) or set(each) != keys:
            received = f"{shown(each)} at index {index}"
            raise malformed(
                f"every instance to be an object of the keys {sorted(keys)}", received, "send one form only"
            )
    return {key: [each[key] for each in instances] for key in keys}
