"""The Open Inference Protocol, V2: an inference request in JSON or with the binary tensor data extension.

    {"inputs": [{"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "data": [0, …]}]}

With the header Inference-Header-Content-Length: N the body is N bytes of such JSON, without "data", and the tensor's
bytes (little endian, row by row) after it; its length stands in the input's parameters as "binary_data_size". Outputs
are answered in that form where "binary_data" of an output, or "binary_data_output" of the request, is true.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.model.served_model import Arrays, ServedModel
from deep_mnist.serving.requests.error_response import RequestError, malformed
from deep_mnist.serving.requests.fast_numbers import flat_numbers, has_different_keys, parsed
from deep_mnist.serving.requests.json_text import json_object, shown
from deep_mnist.serving.requests.request import Answer, PredictionRequest
from deep_mnist.serving.requests.v2_tensor import datatype_of, tensor_of

HEADER_LENGTH = "inference-header-content-length"
_EXAMPLE = '{"inputs": [{"name": …, "shape": […], "datatype": …, "data": […]}]}'
_TYPES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


@dataclass(frozen=True)
class V2Request(PredictionRequest):
    """A body of the Open Inference Protocol.

    Attributes:
        id: That the answer gives back; "" for none.
        outputs: Output name -> whether it is answered in binary; {} asks for all.
        binary: Whether outputs are answered in binary where they do not say.
    """

    id: str = ""
    outputs: dict[str, bool | None] | None = None
    binary: bool = False

    def answer(self, model: ServedModel, outputs: Arrays, warnings: list[dict[str, Any]]) -> Answer:
        """Return the response; warnings stand in its parameters, as JSON text, since a parameter is no list."""
        wanted = self.outputs or dict.fromkeys(outputs)
        if unknown := sorted(set(wanted) - set(outputs)):
            raise malformed(f"outputs among {sorted(outputs)}", shown(unknown[0]), "leave outputs out for all of them")
        document: dict[str, Any] = {"model_name": model.name, "model_version": str(model.version)}
        document |= {"id": self.id} if self.id else {}
        document |= {"parameters": {"warnings": json.dumps(warnings)}} if warnings else {}
        raw = []
        document["outputs"] = described = []
        for name, binary in wanted.items():
            values = np.ascontiguousarray(outputs[name])
            tensor: dict[str, Any] = {"name": name, "datatype": datatype_of(values.dtype), "shape": values.shape}
            if self.binary if binary is None else binary:
                raw.append(values.tobytes())
                tensor["parameters"] = {"binary_data_size": len(raw[-1])}
            else:
                tensor["data"] = values.reshape(-1)
            described.append(tensor)
        head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        if not raw:
            return Answer(head)
        headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
        return Answer(b"".join([head, *raw]), headers)


def read_v2(body: bytes, header_length: str = "") -> V2Request:
    """Return what a body asks for; the tensor's values are not looked at yet.

    Args:
        body: Of the request.
        header_length: Of its JSON, where bytes of a tensor come after it.

    Raises:
        RequestError: The body is no inference request.
    """
    if not header_length:
        return _request(_plain(body) or json_object(body, _EXAMPLE), b"", body)
    if not header_length.isdecimal() or int(header_length[:20]) > len(body):
        expected = f"{HEADER_LENGTH} to be the length of the body's JSON, at most {len(body)}"
        raise malformed(expected, header_length[:40], "send the length of the JSON in bytes")
    head, tail = body[: int(header_length)], body[int(header_length) :]
    return _request(json_object(head, _EXAMPLE), tail, head)


def _plain(body: bytes) -> dict[str, Any] | None:
    """Return the document with its one tensor's data as an array; None where the strict reader has to look.

    Flat lists only, as the protocol recommends them: "inputs", "shape", "data" and "outputs" open a bracket each.
    """
    document = parsed(body)
    if document is None or body.count(b"[") > 3 + ("outputs" in document):
        return None
    try:
        (tensor,) = document["inputs"]
        if not has_different_keys(tensor):
            return None
        numbers = flat_numbers(tensor["data"])
        if numbers is None or len(tensor["data"]) != numbers.size:
            return None
        plain = {key: _python(tensor[key]) for key in tensor if key != "data"}
        rest = {key: _python(document[key]) for key in document if key != "inputs"}
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return None
    return {**rest, "inputs": [{**plain, "data": numbers}]}


def _python(item: Any) -> Any:
    if hasattr(item, "as_dict"):
        return item.as_dict()
    return item.as_list() if hasattr(item, "as_list") else item


def _request(document: dict[str, Any], tail: bytes, text: bytes) -> V2Request:
    """Return what a document asks for.

    Args:
        document: The JSON; data of a tensor is a list or an array already.
        tail: Bytes of the tensor.
        text: That the document was read from.
    """
    tensors = _typed(document, "inputs", list)
    if len(tensors) != 1 or not isinstance(tensors[0], dict):
        received = f"{len(tensors)} of them" if len(tensors) != 1 else shown(tensors[0])
        raise malformed("'inputs' to be a list of one tensor", received, f"send {_EXAMPLE}")
    name = _typed(tensors[0], "name", str)
    parameters = _typed(document, "parameters", dict, {})
    values = tensor_of(tensors[0], tail)
    return V2Request(
        _typed(parameters, "signature_name", str, DEFAULT_SIGNATURE),
        {name: values},
        isinstance(values, list) and (b"true" in text or b"false" in text),
        id=_typed(document, "id", str, ""),
        outputs=_outputs(_typed(document, "outputs", list, [])),
        binary=_typed(parameters, "binary_data_output", bool, False),
    )


def _outputs(wanted: list[Any]) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for each in wanted:
        if not isinstance(each, dict):
            raise malformed("'outputs' to be a list of objects", shown(each), 'send "outputs": [{"name": …}]')
        parameters = _typed(each, "parameters", dict, {})
        if "classification" in parameters:
            fix = "ask for the output probabilities"
            raise RequestError(400, "request", "outputs without classification", "classification", fix)
        found[_typed(each, "name", str)] = _typed(parameters, "binary_data", bool, None)
    return found


def _typed(holder: dict[str, Any], key: str, kind: type, default: Any = ...) -> Any:
    """Return a value that must be of a type; without a default, that must be there."""
    if key not in holder and default is not ...:
        return default
    value = holder.get(key)
    if not isinstance(value, kind):
        received = shown(value) if key in holder else f"the keys {shown(sorted(holder))}"
        raise malformed(f"{key!r} to be {_TYPES[kind]}", received, f"send {_EXAMPLE}")
    return value
