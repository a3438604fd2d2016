"""JSON that nothing is trusted of: what is wrong with it is told in words.

Duplicate keys, NaN and Infinity, endless nesting, integers of thousands of digits and bytes that are no UTF-8 get an
error response.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from deep_mnist.serving.requests.error_response import malformed

SHOWN = 80  # characters of what was received


def json_object(body: bytes, example: str) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Args:
        body: Of a request.
        example: What an error shows as right.

    Raises:
        RequestError: The body is no JSON object.
    """
    fix = f"send JSON like {example}"
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
