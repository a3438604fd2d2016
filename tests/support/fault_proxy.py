"""An HTTP proxy in front of a server, which breaks requests as configured.

A fault befalls a request before it reaches the server (nothing was done) or after (it was done, the response is lost):

    unavailable  unavailable_after     the response is HTTP 503
    reset        reset_after           the connection is reset
    hang         hang_after            no response comes until the client gives up
    truncate                           the response breaks off in the middle of its body, or is lost when it has none
"""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BEFORE = ("unavailable", "reset", "hang")
AFTER = ("unavailable_after", "reset_after", "hang_after", "truncate")
FAULTS = (*BEFORE, *AFTER)
QUICK = tuple(fault for fault in FAULTS if not fault.startswith("hang"))
HANG_SECONDS = 0.5
Choice = Callable[[int, str, str], str | None]


def no_fault(_number: int, _method: str, _path: str) -> str | None:
    return None


def some_faults(share: float, seed: int, faults: Sequence[str] = FAULTS) -> Choice:
    """Break this share of the requests, each in a way drawn from all."""
    draw = random.Random(seed)
    lock = threading.Lock()

    def choose(_number: int, _method: str, _path: str) -> str | None:
        with lock:
            return draw.choice(faults) if draw.random() < share else None

    return choose


def once(fault: str, method: str, pattern: str) -> Choice:
    """Break the first request that matches, and no other."""
    left = [fault]
    lock = threading.Lock()

    def choose(_number: int, verb: str, path: str) -> str | None:
        with lock:
            return left.pop() if left and verb == method and re.search(pattern, path) else None

    return choose


def dead_from(first: int, fault: str) -> Choice:
    """Break request number `first` in this way and refuse every later one: the client's machine died there."""

    def choose(number: int, _method: str, _path: str) -> str | None:
        return None if number < first else fault if number == first else "reset"

    return choose


class FaultProxy(ThreadingHTTPServer):
    """Forwards to `upstream`; `choose` says what befalls request number 1, 2, 3…

    Args:
        upstream: URL of the server.
        keep_host: Send the client's `Host` on, as a signature over it demands; else the server's own.

    Attributes:
        seen: (method, path, fault) of every request, in order.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, upstream: str, *, keep_host: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.dropped = {"connection"} if keep_host else {"connection", "host"}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.choose: Choice = no_fault
        self.seen: list[tuple[str, str, str | None]] = []
        self._lock = threading.Lock()

    def fault_of(self, method: str, path: str) -> str | None:
        with self._lock:
            number = len(self.seen) + 1
            fault = self.choose(number, method, path)
            self.seen.append((method, path, fault))
            return fault

    def use(self, choose: Choice) -> None:
        """Start counting anew, with other faults."""
        with self._lock:
            self.choose, self.seen = choose, []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms until its headers are acknowledged
    server: FaultProxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault_of(self.command, self.path)
        if fault in BEFORE:
            self._break(fault)
            return
        response, content = self._forward(body)
        if fault == "truncate" and not content:
            self._reset()
            return
        if fault and fault != "truncate":
            self._break(fault.removesuffix("_after"))
            return
        self._answer(response, content, cut=fault == "truncate")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _handle

    def _forward(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(urlsplit(self.server.upstream).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in self.server.dropped}
        connection.request(self.command, self.path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if "json" in (response.getheader("Content-Type") or ""):  # links for later requests must lead here again
            content = content.replace(self.server.upstream.encode(), self.server.url.encode())
        return response, content

    def _answer(self, response: HTTPResponse, content: bytes, *, cut: bool) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value.replace(self.server.upstream, self.server.url))
        length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self._reset()

    def _break(self, fault: str) -> None:
        if fault == "unavailable":
            self.send_response_only(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "hang":
            threading.Event().wait(HANG_SECONDS)
        self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def fault_proxy(upstream: str, *, keep_host: bool = False) -> Iterator[FaultProxy]:
    """Run a proxy and yield it."""
    with FaultProxy(upstream, keep_host=keep_host) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
