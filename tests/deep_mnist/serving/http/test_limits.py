"""Size, time, number: each limit gives a clear status, and the server goes on."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_mnist.registry.registry import Registry
from deep_mnist.serving.http.admission import Admission
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.http.send_deadline import SendDeadline
from deep_mnist.serving.requests.error_response import RequestError
from tests.support.serving import NAME, RunningServer, promote, running_server

Digits = tuple[np.ndarray, np.ndarray]
PATH = f"/v1/models/{NAME}:predict"
SMALL = ServingLimits(
    body_bytes=100_000, concurrent=8, connections=40, body_seconds=2, head_seconds=2, workers=2, examples=20
)


@pytest.fixture(scope="module")
def small(versions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with narrow limits."""
    folder = tmp_path_factory.mktemp("small")
    registry = Registry(str(folder / "registry"), NAME)
    promote(registry, versions / "strong")
    with running_server(registry, folder / "cache", SMALL) as server:
        yield server


@pytest.fixture
def answers_afterwards(small: RunningServer, digits: Digits) -> Iterator[None]:
    """Whatever a test does, the next request is answered as the one before."""
    before = small.classes(digits[0][:5])
    yield
    assert small.classes(digits[0][:5]) == before


def connect(server: RunningServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def head(length: int | None, **more: str) -> bytes:
    """Return a request's head; without a length the body comes in chunks."""
    framing = f"content-length: {length}" if length is not None else "transfer-encoding: chunked"
    lines = [f"POST {PATH} HTTP/1.1", "host: x", "content-type: application/json", framing]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in more.items()), "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    """Return the status of the response; 0 when the connection was closed without one."""
    received = b""
    while b"\r\n" not in received:
        try:
            part = connection.recv(4096)
        except ConnectionResetError:
            part = b""
        if not part:
            return 0
        received += part
    return int(received.split(b" ", 2)[1])


@pytest.mark.usefixtures("answers_afterwards")
def test_a_body_that_is_declared_too_long_is_refused_before_it_is_sent(small: RunningServer) -> None:
    """413 on the head alone."""
    with connect(small) as connection:
        connection.sendall(head(10**12))
        assert status_of(connection) == 413


@pytest.mark.usefixtures("answers_afterwards")
def test_a_body_without_end_is_refused_while_it_arrives(small: RunningServer) -> None:
    """Chunks that declare no length: 413 once they are more than allowed, long before they end."""
    with connect(small) as connection:
        connection.sendall(head(None))
        for _ in range(11):
            connection.sendall(b"2710\r\n" + b"[" * 10_000 + b"\r\n")
        assert status_of(connection) == 413


@pytest.mark.usefixtures("answers_afterwards")
def test_a_body_that_does_not_arrive_is_given_up(small: RunningServer) -> None:
    """408, and the place is free again."""
    with connect(small) as connection:
        connection.sendall(head(1000) + b'{"instances"')
        assert status_of(connection) == 408


@pytest.mark.usefixtures("answers_afterwards")
def test_a_head_byte_by_byte_is_cut_off(small: RunningServer) -> None:
    """More bytes do not put the deadline off, and a connection that says nothing is closed too."""
    with connect(small) as silent, connect(small) as slow:
        begun = time.monotonic()
        closed = False
        while not closed and time.monotonic() - begun < 60:
            try:
                slow.sendall(b"x")
                time.sleep(0.02)
            except OSError:
                closed = True
        assert closed
        assert silent.recv(1) == b""


def test_more_requests_than_places_are_refused(registry: Registry, tmp_path: Path, digits: Digits) -> None:
    """Two bodies on their way take both places; a third gets 503 and when to try again; a place is free again later."""
    with running_server(registry, tmp_path / "cache", ServingLimits(concurrent=2, body_seconds=300)) as server:
        with connect(server) as first, connect(server) as second:
            for connection in (first, second):
                connection.sendall(head(1000) + b"{")
            wait_for_places(server, 2)
            full = server.post({"instances": digits[0][:1].tolist()})
            assert (full.status_code, full.headers["retry-after"]) == (503, "1")
            text = server.get("metrics").text
            assert 'requests_total{code="503"} 1.0' in text and "refused_total{" not in text  # nothing is wrong with it
        wait_for_places(server, 0)
        assert len(server.classes(digits[0][:1])) == 1


def wait_for_places(server: RunningServer, count: int) -> None:
    """Wait until so many requests are at work."""
    while f"requests_at_work {float(count)}" not in server.get("metrics").text:
        time.sleep(0.01)


def test_a_response_that_nobody_takes_is_given_up() -> None:
    """A client that does not read: the task ends, and other errors are not hidden."""

    async def stuck(_: object) -> None:
        await asyncio.Event().wait()

    async def respond(_: object, __: object, send: Any) -> None:
        await send({"type": "http.response.start"})

    async def fail(*_: object) -> None:
        raise TimeoutError("of the application")

    asyncio.run(SendDeadline(respond, 0.01)({}, stuck, stuck))
    with pytest.raises(TimeoutError, match="of the application"):
        asyncio.run(SendDeadline(fail, 0.01)({}, stuck, stuck))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "image/png"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_other_content_is_refused(small: RunningServer, digits: Digits, headers: dict[str, str], status: int) -> None:
    """JSON in plain bytes, nothing else."""
    assert small.post({"instances": digits[0][:1].tolist()}, headers=headers).status_code == status


@pytest.mark.usefixtures("answers_afterwards")
@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"POST / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\x00\x00",
        head(5, **{"transfer-encoding": "chunked"}) + b"zz\r\n",
        head(None) + b"fffffffffffffffffffff\r\n",
        head(None) + b"-5\r\n",
    ],
    ids=["head without end", "TLS", "version", "nul", "two lengths", "chunk too long", "negative chunk"],
)
def test_what_is_no_http_is_refused(small: RunningServer, sent: bytes) -> None:
    """400, or the end of the connection."""
    with connect(small) as connection:
        connection.sendall(sent)
        status = status_of(connection)
        assert status == 0 or 400 <= status < 500


def test_too_many_examples_are_refused(small: RunningServer) -> None:
    """413 with the number that is allowed."""
    response = small.post({"instances": [[0]] * 21})
    assert response.status_code == 413 and "20 examples" in response.json()["fix"]


def test_what_takes_too_long_gets_504_and_holds_its_place() -> None:
    """A thread cannot be stopped: the place is free when it ends, not before."""

    async def scenario() -> tuple[int, int, int]:
        admission, release = Admission(ServingLimits(seconds=0.05, concurrent=1, workers=1)), threading.Event()
        with pytest.raises(RequestError) as late, admission.admitted():
            await admission.run(lambda outcome: outcome.set_result(release.wait()))
        with pytest.raises(RequestError) as full, admission.admitted():
            pass
        release.set()
        while admission.at_work:
            await asyncio.sleep(0)
        with admission.admitted():
            admission.close()
            return late.value.status, full.value.status, admission.at_work

    assert asyncio.run(scenario()) == (504, 503, 1)


def test_limits_are_positive() -> None:
    """A limit of nothing is a mistake."""
    with pytest.raises(ValueError, match="Expected workers > 0"):
        ServingLimits(workers=0)
