"""HTTP connections that cannot be held open by sending a request's head byte by byte."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class ProtocolWithDeadline(H11Protocol):
    """uvicorn's protocol, which closes a connection whose request's head is not there in time.

    uvicorn itself waits without end for the first byte, for the rest of a head, and for the rest of a body that was
    refused. The timer starts with the connection, with the first byte of each further request and with such a response,
    and is not put off by more bytes.
    """

    head_seconds = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def handle_events(self) -> None:
        super().handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        answered = self.cycle is not None and self.cycle.response_complete
        unread = self.conn.their_state is h11.SEND_BODY and answered
        if not (self.conn.their_state is h11.IDLE or unread) or self.transport.is_closing():
            self._forget()
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def protocol_with_deadline(head_seconds: float) -> type[ProtocolWithDeadline]:
    """Return the protocol with this deadline; uvicorn makes one object for each connection."""
    return type("ProtocolWithDeadline", (ProtocolWithDeadline,), {"head_seconds": head_seconds})
