"""From a request's body to one array, in TensorFlow Serving's two formats.

    {"instances": [image, …]}           row format; also [{"images": image}, …]; answered with "predictions"
    {"inputs": [image, …]}              column format; also {"images": [image, …]}; answered with "outputs"
    "signature_name": "network"         the signature; serving_default when absent

Nothing here trusts the body: duplicate keys, NaN and Infinity, endless nesting, integers of thousands of digits and
bytes that are no UTF-8 get an error response.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.requests.error_response import malformed

_EXAMPLE = '{"instances": [image, …]}'
SHOWN = 80  # characters of what was received


@dataclass(frozen=True)
class PredictionRequest:
    """What a body asks for.

    Attributes:
        signature_name: Of the model's signature.
        row_format: Whether it came as "instances" and is answered with "predictions".
        inputs: Input name -> nested lists; the name is "" where the request gives none.
        literals: Whether "true" or "false" stands anywhere in the body, which numpy would take for 1 and 0.
    """

    signature_name: str
    row_format: bool
    inputs: dict[str, Any]
    literals: bool


def read_request(body: bytes) -> PredictionRequest:
    """Return what a body asks for; its values are not looked at yet.

    Raises:
        RequestError: The body is no request of either format.
    """
    document = _json_object(body)
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise malformed("signature_name to be a string", shown(name), 'send "signature_name": "serving_default"')
    formats = [key for key in ("instances", "inputs") if key in document]
    if len(formats) != 1:
        received = "both 'instances' and 'inputs'" if formats else f"the keys {shown(sorted(document))}"
        raise malformed("one of the keys 'instances' and 'inputs'", received, f"send {_EXAMPLE}")
    value = document[formats[0]]
    if formats == ["inputs"]:
        inputs = value if isinstance(value, dict) else {"": value}
    else:
        inputs = _columns(value)
    literals = b"true" in body or b"false" in body
    return PredictionRequest(name or DEFAULT_SIGNATURE, formats == ["instances"], inputs, literals)


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


def _json_object(body: bytes) -> dict[str, Any]:
    fix = f"send JSON like {_EXAMPLE}"
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError as error:
        raise malformed("a body in UTF-8", f"the byte 0x{body[error.start]:02x} at {error.start}", fix) from None
    except RecursionError:
        raise malformed("lists nested as deep as the input's rank", "lists nested hundreds deep", fix) from None
    except json.JSONDecodeError as error:
        raise malformed("a body of JSON", f"{error.msg} at character {error.pos}", fix) from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise malformed("numbers that the input's dtype can hold", str(error).partition(":")[0], fix) from None
    if not isinstance(document, dict):
        raise malformed("a JSON object", shown(document), fix)
    return document


def _no_constant(name: str) -> Any:
    raise malformed("finite numbers", name, "replace NaN and infinity before sending")


def _no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise malformed("every key once", f"{shown(twice)} twice", "send each key once")
    return found


def shown(value: Any) -> str:
    """Return the beginning of a value as JSON, for an error."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        text = f"{kind} of {len(value)}: {_head(value)}"
    elif isinstance(value, int) and abs(value) >= 2**64:
        text = f"an integer of {len(str(abs(value)))} digits"
    else:
        text = json.dumps(value[: SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _head(value: Any) -> str:
    some = list(value)[:3]
    return ", ".join(shown(each) if not isinstance(each, list | dict) else "…" for each in some)
