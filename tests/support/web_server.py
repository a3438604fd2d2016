"""A real HTTP server on loopback that serves a folder, honours Range, and can misbehave on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class WebServer:
    """Serves `folder`.

    Attributes:
        requests: (path, Range header or None) of every request so far.
        cut_after: Close the connection after this many bytes of a body, for the next `cuts` answers.
        refusals: Answer 503 to the next so many requests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after = 0
        self.cuts = 0
        self.refusals = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.requests.append((self.path, self.headers.get("Range")))
                path = web.folder / self.path.lstrip("/")
                if web.refusals:
                    web.refusals -= 1
                    return self.send_error(503)
                if not path.is_file():
                    return self.send_error(404)
                content = path.read_bytes()
                start = int(self.headers.get("Range", "bytes=0-")[6:-1])
                self.send_response(206 if start else 200)
                self.send_header("ETag", f'"{hash(content)}"')
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                body = content[start:]
                if web.cuts:
                    web.cuts -= 1
                    body = body[: web.cut_after]
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler


@contextmanager
def serve(folder: Path) -> Iterator[WebServer]:
    web = WebServer(folder)
    thread = threading.Thread(target=web.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.server.shutdown()
        web.server.server_close()
