"""What a caller and an operator see of one request: the trace that it belongs to, and a line of the access log."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deep_mnist.serving.requests.stages import Stages

STAGES_KEY = "deep_mnist.stages"  # of a scope: where a prediction's stages are
TRACE = "traceparent"  # a header, and of a scope: its value in the response
_W3C = TraceContextTextMapPropagator()


class ObservedRequests:
    """ASGI middleware: a response names its trace; where `log` is set, each request is a line of JSON on stdout."""

    def __init__(self, app: ASGIApp, *, log: bool) -> None:
        self.app, self.log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace = _trace(scope) if scope["type"] == "http" else ""
        if scope["type"] != "http" or not (trace or self.log):
            await self.app(scope, receive, send)
            return
        scope[TRACE] = trace  # for a response that this does not pass: that of an unexpected error
        seen: dict[str, Any] = {"status": 500, "bytes": 0}

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                seen["status"], seen["version"] = message["status"], headers.get("x-model-version")
                if trace:
                    headers[TRACE] = trace
            seen["bytes"] += len(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        try:
            await self.app(scope, receive, observed)
        finally:
            if self.log:
                print(_line(scope, seen, trace, time.perf_counter() - started), flush=True)


def _trace(scope: Scope) -> str:
    """Return the W3C context of this request's span; without one, the caller's as it came; "" without either."""
    found: dict[str, str] = {}
    _W3C.inject(found)
    headers = Headers(scope=scope)
    if not found and TRACE in headers:
        _W3C.inject(found, _W3C.extract({TRACE: headers[TRACE]}, context.Context()))
    return found.get(TRACE, "")


def _line(scope: Scope, seen: dict[str, Any], trace: str, seconds: float) -> str:
    stages: Stages | None = scope.get(STAGES_KEY)
    client = scope.get("client")
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": client[0] if client else None,
        "method": scope["method"],
        "path": scope["path"],
        **seen,
        "seconds": round(seconds, 6),
        "stages": {stage: round(taken, 6) for stage, taken in stages.seconds.items()} if stages else None,
        "trace": trace.split("-")[1] if trace else None,
    }
    return json.dumps({key: value for key, value in line.items() if value is not None})
