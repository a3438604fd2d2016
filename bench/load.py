"""A load generator that costs little of the machine it shares with the server: sockets, one body, sent as it is.

    python -m bench.load HOST PORT PATH BODY_FILE CONTENT_TYPE CONNECTIONS SECONDS [HEADER=VALUE …]

Every connection sends its next request when its response is there. Prints {"requests": …, "seconds": …, "failed": …,
"p50": …, "p95": …}, seconds of a request each.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from pathlib import Path

WARM_SHARE = 0.2  # of the time, before anything is counted


class _Connection:
    """One connection with a request on its way."""

    def __init__(self, address: tuple[str, int], message: bytes) -> None:
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.message, self.sent, self.received = message, 0.0, b""

    def send(self) -> None:
        self.received, self.sent = b"", time.perf_counter()
        self.socket.sendall(self.message)

    def status(self) -> int | None:
        """Read on; return the status of a response that is whole."""
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("Expected a response. Received: the end of the connection.")
        self.received += part
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        return int(head.split(b" ", 2)[1])


def _length(head: bytes) -> int:
    lines = (line.lower() for line in head.split(b"\r\n"))
    return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))


def load(address: tuple[str, int], message: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Send for so long and return what was counted after the first fifth of the time."""
    ready = selectors.DefaultSelector()
    for _ in range(connections):
        each = _Connection(address, message)
        ready.register(each.socket, selectors.EVENT_READ, each)
        each.send()
    begun = time.perf_counter()
    counted, taken, failed = begun + seconds * WARM_SHARE, [], 0
    while (now := time.perf_counter()) < begun + seconds:
        for key, _ in ready.select(timeout=60):
            status = key.data.status()
            if status is None:
                continue
            if now >= counted:
                taken.append(time.perf_counter() - key.data.sent)
                failed += status != 200
            key.data.send()
    taken.sort()
    share = {name: taken[int(len(taken) * part)] for name, part in (("p50", 0.5), ("p95", 0.95))}
    return {"requests": len(taken), "seconds": seconds * (1 - WARM_SHARE), "failed": failed, **share}


def main(arguments: list[str]) -> int:
    """Print the counts as one JSON object."""
    host, port, path, body_file, kind, connections, seconds, *headers = arguments
    body = Path(body_file).read_bytes()
    lines = [f"POST {path} HTTP/1.1", f"host: {host}:{port}", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [header.replace("=", ": ", 1) for header in headers]
    message = "\r\n".join([*lines, "", ""]).encode() + body
    print(json.dumps(load((host, int(port)), message, int(connections), float(seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
