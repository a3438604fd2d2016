"""uvicorn around the routes, with every limit that it can keep itself."""

from __future__ import annotations

import socket

import uvicorn

from deep_mnist.serving.http.app import create_app
from deep_mnist.serving.http.connection import protocol_with_deadline
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.http.send_deadline import SendDeadline
from deep_mnist.serving.model.champion import ServedChampion

GRACE_SECONDS = 10  # for requests at work when the server is stopped


class ChampionServer(uvicorn.Server):
    """Says where it listens once it does: who reads the line may connect."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address, with the port that the system chose where 0 was given."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        print(f"serving: http://{host}:{port}/", flush=True)


def make_server(
    champion: ServedChampion,
    limits: ServingLimits,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    access_log: bool = False,
) -> ChampionServer:
    """Return a server of a loaded champion; `run` serves until it is interrupted. Port 0 takes a free one."""
    config = uvicorn.Config(
        SendDeadline(create_app(champion, limits, access_log=access_log), limits.seconds),
        host=host,
        port=port,
        http=protocol_with_deadline(limits.head_seconds),
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return ChampionServer(config)
