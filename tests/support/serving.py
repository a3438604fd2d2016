"""A real server over HTTP of a real registry, in this process, for the tests of serving."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests

from components.publish.replay import write_golden_requests
from deep_mnist.data.dataset import open_dataset
from deep_mnist.export import TrainedNetwork, export
from deep_mnist.registry.judged_split import open_split
from deep_mnist.registry.pointer import Facts, Promotion
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.http.server import make_server
from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.model.profiling import profile_training_split
from deep_mnist.serving.model.reference_profile import write_profile
from tests.support.runs import ROOT

NAME = "digits"
STARTED_SECONDS = 120.0


def make_version(folder: Path, dataset: Path, trained: Path, *, profile: bool = True) -> Path:
    """Write what publish puts into a version's folder: the export, golden requests, the reference profile, the card."""
    data, network = open_dataset(dataset), TrainedNetwork.load(trained)
    split = open_split(data)
    export(network, folder)
    write_golden_requests(network, split, folder)
    for name in ("preprocessing.json", "model.keras"):
        shutil.copyfile(trained / name, folder / name)
    (folder / "model_card.md").write_text(f"# The card of {folder.name}\n")
    confidence = network.predict(split.images, raw=split.raw).max(axis=1)
    (folder / "evaluation.json").write_text(json.dumps({"class_names": [f"digit {n}" for n in range(10)]}))
    if profile:
        write_profile(profile_training_split(data, confidence), folder)
    return folder


def promote(registry: Registry, version: Path) -> Promotion:
    """Promote a copy of a version's folder."""
    facts = Facts(f"digest {version.name}", "data", "test", 0.9, 300, "because", f"run {version.name}")
    return registry.promote(version, facts, expected=registry.champion())


@contextmanager
def serving_command(
    store: str, folder: Path, *options: str, variables: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The real command on a free port, until the block ends: its process and, once it has said it, its address."""
    command = [sys.executable, "-m", "deep_mnist.serving", store, "--model-name", NAME, "--port", "0"]
    command += ["--cache", str(folder / "cache"), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder) as process:
        try:
            yield process, _said_address(process)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in (0, -signal.SIGTERM)


def _said_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("serving: http://"):
            return line.removeprefix("serving: ").rstrip("/\n")
    raise AssertionError("the server ended")


@dataclass
class RunningServer:
    """A server that listens on a free port."""

    url: str
    champion: ServedChampion

    def post(self, document: Any, path: str = f"v1/models/{NAME}:predict", **more: Any) -> requests.Response:
        """Send a prediction request: bytes as they are, anything else as JSON."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"content-type": "application/json", **more.pop("headers", {})}
        return requests.post(f"{self.url}/{path}", data=body, headers=headers, timeout=60, **more)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}/{path}", timeout=60)

    def classes(self, images: np.ndarray) -> list[int]:
        """Return the class of each image."""
        response = self.post({"instances": images.tolist()})
        assert response.status_code == 200, response.text
        return [each["class"] for each in response.json()["predictions"]]


@contextmanager
def running_server(
    registry: Registry, cache: Path, limits: ServingLimits | None = None, *, poll_seconds: float = 0.05
) -> Iterator[RunningServer]:
    """Serve a registry's champion until the block ends."""
    champion = ServedChampion(registry, cache, poll_seconds)
    champion.load_first()
    server = make_server(champion, limits or ServingLimits(), port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield RunningServer(f"http://127.0.0.1:{port}", champion)
    finally:
        server.should_exit = True
        thread.join()


def wait_for_version(server: RunningServer, version: int) -> None:
    """Wait until a version is served."""
    wait_for(lambda: server.champion.model is not None and server.champion.model.version == version)


def wait_for_failure(server: RunningServer) -> None:
    """Wait until a promoted version was found broken."""
    wait_for(lambda: server.champion.state.broken is not None)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fail after STARTED_SECONDS."""
    deadline = time.monotonic() + STARTED_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
