"""A request's body, read no further than it may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.requests.error_response import RequestError

DISCARDED_BYTES = 1 << 20
DISCARDING_SECONDS = 0.2
# curl -d, as TensorFlow Serving's guide has it, names the second.
JSON_TYPES = ("application/json", "application/x-www-form-urlencoded", "")
BINARY_TYPES = ("application/octet-stream", *JSON_TYPES)


async def read_body(request: Request, limits: ServingLimits, types: tuple[str, ...] = JSON_TYPES) -> bytes:
    """Return the body, of one of these content types.

    Raises:
        RequestError: Of another type, encoded, too long (told while it arrives) or too slow.
    """
    chunks = request.stream()
    try:
        _check_headers(request, limits, types)
        return await _collected(chunks, limits)
    except RequestError:
        await _discard(chunks)
        raise


async def _collected(chunks: AsyncIterator[bytes], limits: ServingLimits) -> bytes:
    held, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in chunks:
                size += len(chunk)
                if size > limits.body_bytes:
                    raise _too_long(f"more than {limits.body_bytes} bytes", limits)
                held.append(chunk)
    except TimeoutError:
        received = f"{size} bytes in {limits.body_seconds:g} s"
        headers = {"connection": "close"}
        raise RequestError(408, "request", "a whole body", received, "send it at once", headers=headers) from None
    return b"".join(held)


async def _discard(chunks: AsyncIterator[bytes]) -> None:
    """Read on for a moment: a connection that is closed on unread bytes is reset, and the client sees no response."""
    left = DISCARDED_BYTES
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DISCARDING_SECONDS):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return


def _check_headers(request: Request, limits: ServingLimits, types: tuple[str, ...]) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in types:
        raise RequestError(415, "request", "content-type: application/json", kind[:80], "send JSON")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise RequestError(415, "request", "a body without content-encoding", encoding[:80], "send it plain")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body_bytes:
        raise _too_long(f"{length} bytes", limits)


def _too_long(received: str, limits: ServingLimits) -> RequestError:
    fix = "send fewer examples in a request, or start the server with a greater --body-bytes"
    expected = f"a body of at most {limits.body_bytes} bytes"
    return RequestError(413, "request", expected, received, fix, headers={"connection": "close"})
