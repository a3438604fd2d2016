"""A real bucket behind a fault proxy, of either protocol, and how its requests look on the wire."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.s3_server import BUCKET

Pattern = tuple[str, str]


@dataclass(frozen=True)
class Wire:
    """How requests of a protocol look: HTTP method and a pattern of the path with its query.

    Attributes:
        endpoint: The environment variable that names the server.
        put: The writing of any object.
        reads: The requests of which one read consists, for an object named "object".
        moves_pointer: Writing champion.json when there is one already.
    """

    endpoint: str
    put: Pattern
    reads: tuple[Pattern, ...]
    moves_pointer: Pattern


WIRES = {
    # The pointer's move is the only upload that names a generation other than 0.
    "gs": Wire(
        endpoint="STORAGE_EMULATOR_HOST",
        put=("POST", r"uploadType=multipart"),
        reads=(("GET", r"^/storage/.*object"), ("GET", r"^/download/")),
        moves_pointer=("POST", r"ifGenerationMatch=[1-9]"),
    ),
    "s3": Wire(
        endpoint="AWS_ENDPOINT_URL_S3",
        put=("PUT", r"."),
        reads=(("GET", r"/object"),),
        moves_pointer=("PUT", r"/champion\.json$"),
    ),
}


@dataclass(frozen=True)
class Remote:
    """An empty place in a bucket behind a proxy, which the environment names.

    Attributes:
        url: "gs://…" or "s3://…".
        proxy: In front of the server.
        wire: Of its protocol.
    """

    url: str
    proxy: FaultProxy
    wire: Wire

    @contextmanager
    def direct(self) -> Iterator[None]:
        """Let stores that are opened inside go past the proxy."""
        os.environ[self.wire.endpoint] = self.proxy.upstream
        yield
        os.environ[self.wire.endpoint] = self.proxy.url

    def moves_pointer(self, method: str, path: str) -> bool:
        expected, pattern = self.wire.moves_pointer
        return method == expected and re.search(pattern, path) is not None


@contextmanager
def remote(scheme: str, server: str) -> Iterator[Remote]:
    """Find a place on a server of this scheme and put a proxy before it; the environment names the proxy."""
    wire, url = WIRES[scheme], new_address(scheme, server)
    before = os.environ[wire.endpoint]
    with fault_proxy(server, keep_host=scheme == "s3") as proxy:
        os.environ[wire.endpoint] = proxy.url
        yield Remote(url, proxy, wire)
        os.environ[wire.endpoint] = before


def new_address(scheme: str, server: str) -> str:
    """Return an address where nothing is stored yet: of a bucket, or below the one that SeaweedFS grew volumes for."""
    name = uuid.uuid4().hex[:12]
    if scheme == "s3":
        return f"s3://{BUCKET}/{name}"
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    options = {"api_endpoint": server}
    client = storage.Client(project="test", credentials=AnonymousCredentials(), client_options=options)
    client.create_bucket(f"bucket-{name}")
    return f"gs://bucket-{name}"
