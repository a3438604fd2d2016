"""Servers that others wrote, MLServer and LitServe: each in an environment of its own, on the same SavedModel.

What is measured of them is what their documentation shows first: one process, no batching of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TENSORFLOW = "tensorflow-cpu==2.21.0"
# MLServer 1.7.1 asks for an event loop in a way that a later uvloop does not answer.
PACKAGES = {"mlserver": ("mlserver==1.7.1", "uvloop<0.22", TENSORFLOW), "litserve": ("litserve==0.2.19", TENSORFLOW)}
STARTED_SECONDS = 240


@dataclass(frozen=True)
class Peer:
    """A server that runs.

    Attributes:
        name: Of the package.
        port: On loopback.
        path: That predicts.
    """

    name: str
    port: int
    path: str


def install(folder: Path) -> None:
    """Make an environment for each server in a folder.

    Raises:
        subprocess.CalledProcessError: A package cannot be fetched.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv"
    for name, packages in PACKAGES.items():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder / name)], check=True)
        python = str(folder / name / "bin" / "python")
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)


@contextmanager
def running(folder: Path, saved_model: Path) -> Iterator[tuple[Peer, Peer]]:
    """Run both on a SavedModel until the block ends."""
    ports = [_free_port() for _ in range(4)]
    commands = {"mlserver": _mlserver(folder, saved_model, ports[1:])}
    script = str(HERE / "litserve_server.py")
    commands["litserve"] = [str(folder / "litserve/bin/python"), script, str(saved_model), str(ports[0])]
    processes = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("wb") as log:
                options = {"cwd": folder, "stdout": log, "stderr": log, "start_new_session": True}
                processes.append(subprocess.Popen(command, **options))  # type: ignore[call-overload]
        peers = (Peer("mlserver", ports[1], "/v2/models/mnist/infer"), Peer("litserve", ports[0], "/predict"))
        _wait(f"http://127.0.0.1:{peers[0].port}/v2/models/mnist/ready", folder / "mlserver.log")
        _wait(f"http://127.0.0.1:{peers[1].port}/health", folder / "litserve.log")
        yield peers
    finally:
        for process in processes:
            os.killpg(process.pid, 15)  # its workers too
            process.wait(30)


def refused_by_types(folder: Path, documents: Mapping[str, Any]) -> str:
    """Return what MLServer's own types say of V2 documents by their kind, as v2_types.py has it; "": they take all."""
    command = [str(folder / "mlserver/bin/python"), str(HERE / "v2_types.py")]
    done = subprocess.run(command, input=json.dumps(documents), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def _mlserver(folder: Path, saved_model: Path, ports: list[int]) -> list[str]:
    """Write MLServer's two settings files; return its command."""
    work = folder / "mlserver-work"
    work.mkdir(exist_ok=True)
    shutil.copy(HERE / "mlserver_model.py", work)
    model = {"name": "mnist", "implementation": "mlserver_model.SavedModel", "parameters": {"uri": str(saved_model)}}
    server = dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    (work / "model-settings.json").write_text(json.dumps(model))
    (work / "settings.json").write_text(json.dumps({**server, "debug": False, "parallel_workers": 0}))
    return [str(folder / "mlserver/bin/mlserver"), "start", str(work)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"Expected a server at {url} within {STARTED_SECONDS} s. Received: {log.read_text()[-2000:]}")
