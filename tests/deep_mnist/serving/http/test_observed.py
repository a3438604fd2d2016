"""Traces and the access log: what a caller's trace becomes, what a collector receives, what a line holds."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deep_mnist.registry.registry import Registry
from deep_mnist.serving.monitoring.tracing import sends_spans
from deep_mnist.serving.requests.stages import STAGES
from tests.support.serving import NAME, RunningServer, promote, running_server, serving_command

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
ZEROS = {"instances": [[[0] * 28] * 28]}


@pytest.mark.parametrize("document", [ZEROS, {"instances": []}])
def test_a_callers_trace_is_passed_on(served: RunningServer, document: Any) -> None:
    """Predictions and error responses name the trace that the request belongs to; one without names none."""
    assert served.post(document, headers=TRACEPARENT).headers["traceparent"] == TRACEPARENT["traceparent"]
    assert "traceparent" not in served.post(document).headers


@pytest.mark.parametrize("malformed", ["", "00", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{SPAN}", "x" * 5000])
def test_a_malformed_trace_is_ignored(served: RunningServer, malformed: str) -> None:
    """The specification has a server go on as if there were none."""
    answered = served.post(ZEROS, headers={"traceparent": malformed})
    assert answered.status_code == 200 and "traceparent" not in answered.headers


def test_an_unexpected_error_names_the_trace_too(registry: Registry, tmp_path: Path) -> None:
    """A server whose own state is broken answers 500 in the form of every error, with the caller's trace."""
    with running_server(registry, tmp_path / "cache", poll_seconds=3600) as server:
        server.champion.state = replace(server.champion.state, model=object())  # type: ignore[arg-type]
        answered = requests.get(f"{server.url}/champion.json", headers=TRACEPARENT, timeout=60)

    assert (answered.status_code, answered.headers["traceparent"]) == (500, TRACEPARENT["traceparent"])
    assert answered.json()["received"] == "AttributeError"


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector of spans on loopback, and what it has received."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def observed(versions: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any], str]:
    """What the command logs and sends while two requests are answered, and the trace that the first response named."""
    folder = tmp_path_factory.mktemp("observed")
    registry = Registry(str(folder / "registry"), NAME)
    promote(registry, versions / "weak")
    with collector() as (endpoint, received):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        with serving_command(registry.store.url, folder, "--access-log", variables=variables) as (process, address):
            url = f"{address}/v1/models/{NAME}:predict"
            predicted = requests.post(url, json=ZEROS, headers=TRACEPARENT, timeout=60)
            requests.get(f"{address}/nothing\n{{}}", timeout=60)
            process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            lines = [json.loads(line) for line in process.stdout]
    spans = [
        span
        for request in received
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    return lines, spans, predicted.headers["traceparent"]


@pytest.mark.slow
def test_the_access_log_is_a_line_of_json_for_each_request(observed: tuple[list[Any], list[Any], str]) -> None:
    """A prediction with its version, stages and trace; a path that does not exist without."""
    predicted, missing = observed[0]

    assert (predicted["method"], predicted["path"]) == ("POST", f"/v1/models/{NAME}:predict")
    assert (predicted["status"], predicted["version"], predicted["trace"]) == (200, "1", TRACE)
    assert predicted["stages"].keys() == set(STAGES) and predicted["client"] == "127.0.0.1"
    assert sum(predicted["stages"].values()) <= predicted["seconds"] and predicted["bytes"] > 0
    assert (missing["status"], missing["path"]) == (404, "/nothing\n{}") and "stages" not in missing


@pytest.mark.slow
def test_a_collector_receives_the_request_and_its_stages(observed: tuple[list[Any], list[Any], str]) -> None:
    """One span of the caller's trace, below the caller's; the stages below it; the response names it."""
    _, spans, told = observed
    of_trace = [span for span in spans if span.trace_id.hex() == TRACE]
    (request,) = [span for span in of_trace if span.parent_span_id.hex() == SPAN]
    stages = [span for span in of_trace if span.parent_span_id == request.span_id]

    assert told == f"00-{TRACE}-{request.span_id.hex()}-01"
    assert {span.name for span in stages} == set(STAGES)
    for span in stages:
        assert span.start_time_unix_nano <= span.end_time_unix_nano


def test_a_missing_package_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server goes on without spans; where no endpoint is set it says nothing."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not sends_spans() and not capsys.readouterr().err
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert not sends_spans()
    (line,) = capsys.readouterr().err.splitlines()
    assert "Fix: pip install 'deep-mnist[tracing]'" in line
