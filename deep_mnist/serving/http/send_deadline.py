"""Responses that nobody reads are given up, so that they hold no memory."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SendDeadline:
    """ASGI middleware: what a client does not take within `seconds` is not sent, and its connection is closed."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        expired = False

        async def timed(message: Message) -> None:
            nonlocal expired
            try:
                async with asyncio.timeout(self.seconds):
                    await send(message)
            except TimeoutError:
                expired = True
                raise

        try:
            await self.app(scope, receive, timed)
        except TimeoutError:
            if not expired:
                raise
