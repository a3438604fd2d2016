"""Spans by OpenTelemetry: of each request by FastAPI itself, of a prediction's stages by this module.

They go to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, over HTTP; OTEL_SERVICE_NAME and OpenTelemetry's other
variables hold too.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec

from opentelemetry import trace

from deep_mnist.serving.requests.stages import Stages

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def sends_spans() -> bool:
    """Say whether spans are sent; where an endpoint is set and a package is missing, tell it in one line."""
    named = [name for name in ENDPOINTS if os.environ.get(name)]
    if not named:
        return False
    if not all(_is_installed(name) for name in PACKAGES):
        print(
            f"serving: Expected OpenTelemetry's SDK for {named[0]}. Received: not installed; no spans are sent. "
            "Fix: pip install 'deep-mnist[tracing]'",
            file=sys.stderr,
            flush=True,
        )
        return False
    os.environ.setdefault("OTEL_SERVICE_NAME", "deep-mnist")
    return True


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of its parent
        return False


def record_stages(stages: Stages) -> None:
    """Record a prediction's stages as spans within the request's, where that is recorded."""
    if not trace.get_current_span().is_recording():
        return
    tracer, since = trace.get_tracer("deep_mnist.serving"), time.time_ns() - time.perf_counter_ns()
    for stage, begun, ended in tuple(stages.intervals):
        tracer.start_span(stage, start_time=since + int(begun * 1e9)).end(since + int(ended * 1e9))
