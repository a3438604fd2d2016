"""HTTP connections that cannot be held open by sending a request's head byte by byte, nor by a head without end."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 << 10


class ProtocolWithDeadline(HttpToolsProtocol):
    """uvicorn's protocol, which closes a connection whose request's head is not there in time.

    uvicorn itself waits without end for the first byte, for the rest of a head, and for the rest of a body that was
    refused. The timer starts with the connection, and with the first bytes after a response; more bytes do not put it
    off.
    """

    head_seconds = 10.0
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()
        if self._deadline is not None and not self._is_discarding():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"Expected a request's head of at most {HEAD_BYTES} bytes.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _is_discarding(self) -> bool:
        """Say whether the rest of a body arrives whose request was answered already."""
        return self.cycle is not None and self.cycle.more_body

    def _watch(self) -> None:
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work or self.transport.is_closing():
            self._forget()
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _forget(self) -> None:
        self._head_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def protocol_with_deadline(head_seconds: float) -> type[ProtocolWithDeadline]:
    """Return the protocol with this deadline; uvicorn makes one object for each connection."""
    return type("ProtocolWithDeadline", (ProtocolWithDeadline,), {"head_seconds": head_seconds})
