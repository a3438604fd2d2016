"""A small server on this machine for the page: every decision goes straight into labels.yaml."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deep_mnist.labels.decisions import Decision, DecisionsError, read_decisions, write_decisions

MOST_BYTES = 1 << 16  # of one decision


class Review:
    """The decisions in a file, changed one at a time.

    Attributes:
        path: Of labels.yaml.
    """

    def __init__(self, path: Path) -> None:
        """Read what was decided before.

        Raises:
            DecisionsError: The file is there and is no such file.
        """
        self.path = path
        self._lock = threading.Lock()
        self._made = {(each.image, each.given): each for each in (read_decisions(path) if path.exists() else ())}

    @property
    def decisions(self) -> list[Decision]:
        """All that were made."""
        return list(self._made.values())

    def take(self, entry: Any) -> None:
        """Keep one decision, or take it back where its "decision" is null, and write the file.

        Raises:
            DecisionsError: It is none.
        """
        if not isinstance(entry, dict):
            raise DecisionsError(f"Expected one decision, an object. Received: {type(entry).__name__}.")
        with self._lock:
            made = dict(self._made)
            if entry.get("decision") is None:
                made.pop((str(entry.get("image")), entry.get("given")), None)  # type: ignore[arg-type]
            else:
                try:
                    decision = Decision(**entry)
                except TypeError as error:
                    raise DecisionsError(f"Expected one decision. Received: {error}.") from error
                made[decision.image, decision.given] = decision
            write_decisions(self.path, made.values())
            self._made = made


def make_server(
    review: Review, page: Callable[[str, list[Decision]], str], port: int = 0
) -> tuple[ThreadingHTTPServer, str]:
    """Return a server on 127.0.0.1 and the page's address, which holds a secret: no other page can guess it.

    Args:
        review: Keeps the decisions.
        page: Returns the page for an endpoint and the decisions made.
        port: 0 takes a free one.
    """
    secret = f"/{secrets.token_urlsafe(18)}/"
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(review, page, secret))
    return server, f"http://127.0.0.1:{server.server_address[1]}{secret}"


def _handler(review: Review, page: Callable[[str, list[Decision]], str], secret: str) -> type[BaseHTTPRequestHandler]:
    """Return what answers the requests below one secret path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == secret:
                self._reply(200, page("decisions", review.decisions), "text/html; charset=utf-8")
            elif self.path == "/favicon.ico":  # every browser asks
                self._reply(204, "", "image/x-icon")
            else:
                self._reply(404, "no such page", "text/plain")

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if self.path != f"{secret}decisions" or not 0 < length <= MOST_BYTES:
                self._reply(404, "no such page", "text/plain")
                return
            try:
                review.take(json.loads(self.rfile.read(length)))
            except (ValueError, OSError) as error:
                self._reply(400, str(error), "text/plain; charset=utf-8")
                return
            self._reply(204, "", "text/plain")

        def _reply(self, status: int, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the page tells."""

    return Handler
