"""Two promotions, a tampered version, a key that got lost and a stranger's, while clients ask without a pause."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import requests
import tritonclient.http as triton

from deep_mnist.registry.registry import Registry
from tests.support.attacks import flip, folder_of, list_again, point_at
from tests.support.keys import make_keys
from tests.support.runs import ROOT
from tests.support.serving import NAME, promote, serving_command
from tests.support.sigstore import sigstore

CLIENTS = 3
PATIENCE_SECONDS = 300.0
VARIABLES = "variables/variables.data-00000-of-00001"


@dataclass
class Clients:
    """Clients of either protocol that ask until they are stopped, and what came of it."""

    url: str
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        with requests.Session() as session:
            while not self.stopped.is_set():
                response = session.post(
                    f"{self.url}/v1/models/{NAME}:predict", json={"instances": [[[0] * 28] * 28]}, timeout=60
                )
                self.answers[response.status_code, response.headers.get("x-model-version", "")] += 1

    def ask_v2(self) -> None:
        """As Triton's own client does, a tensor in binary."""
        with triton.InferenceServerClient(self.url.removeprefix("http://")) as client:
            images = triton.InferInput("images", [1, 28, 28], "UINT8")
            images.set_data_from_numpy(np.zeros((1, 28, 28), np.uint8))
            while not self.stopped.is_set():
                answer = client.infer(NAME, [images]).get_response()  # raises where the status is not 200
                self.answers[200, answer["model_version"]] += 1

    def wait_for(self, found: Callable[[], bool]) -> None:
        """Wait until something is seen, and every client has asked since."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not found():
            assert time.monotonic() < deadline, self.answers
            self.stopped.wait(0.05)
        until = self.answers.total() + 3 * CLIENTS
        while self.answers.total() < until:
            assert time.monotonic() < deadline, self.answers
            self.stopped.wait(0.05)

    def wait_for_version(self, version: int) -> None:
        self.wait_for(lambda: (200, str(version)) in self.answers)

    def wait_for_refusal(self, version: int) -> None:
        line = f"deep_mnist_serving_broken_version {version}.0"
        self.wait_for(lambda: line in requests.get(f"{self.url}/metrics", timeout=60).text)


@contextmanager
def served(registry: Registry, folder: Path, trusted: list[str]) -> Iterator[str]:
    """The real command with --require-signature; its URL, once it serves."""
    with serving_command(registry.store.url, folder, "--poll-seconds", "0.1", *trusted) as (process, address):
        reader = threading.Thread(target=lambda: list(process.stdout or ()))
        reader.start()
        yield address
    reader.join()


def rollback(registry: Registry, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "rollback", "--store", registry.store.url, "--model-name", NAME]
    return subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT, check=False)


def tamper_with(registry: Registry, version: int) -> None:
    """Put a version with other weights under the next number, as who can write but has no key."""
    shutil.copytree(folder_of(registry, version), folder_of(registry, version + 1))
    listing = folder_of(registry, version + 1) / "version.json"
    listing.write_text(listing.read_text().replace(f'"version": {version},', f'"version": {version + 1},'))
    flip(folder_of(registry, version + 1) / VARIABLES)
    list_again(folder_of(registry, version + 1))
    point_at(registry, version + 1)


@pytest.mark.slow
def test_no_request_fails_and_nothing_unsigned_is_served(versions: Path, tmp_path: Path) -> None:
    """Only what the trusted key or, at last, the trusted identity signed answers: 1, 2 and 5; the tampered 3, the
    stranger's 4 and the old 1 never do.
    """
    keys, stranger = make_keys(tmp_path), make_keys(tmp_path, "stranger")
    publisher = Registry(str(tmp_path / "registry"), NAME, trust=keys.trust())
    promote(publisher, versions / "weak")
    trusted = ["--trusted-key", str(keys.public), "--require-signature", "--certificate-identity", "me@example.com"]
    trusted += ["--certificate-oidc-issuer", "https://issuer.example", "--trust-config", str(tmp_path / "config.json")]
    with ExitStack() as opened:
        authority, pool = opened.enter_context(sigstore()), opened.enter_context(ThreadPoolExecutor(CLIENTS))
        (tmp_path / "config.json").write_text(json.dumps(authority.trust_config()))
        url = opened.enter_context(served(publisher, tmp_path, trusted))
        clients = Clients(url)
        asking = [pool.submit(each) for each in (clients.ask, clients.ask, clients.ask_v2)]
        try:
            clients.wait_for_version(1)
            promote(publisher, versions / "strong")
            clients.wait_for_version(2)

            tamper_with(publisher, 2)
            clients.wait_for_refusal(3)
            lost = rollback(publisher, "--to", "1")
            assert (lost.returncode, "Expected a key to sign the next version" in lost.stderr) == (1, True), lost.stderr

            promote(Registry(publisher.store.url, NAME, trust=stranger.trust()), versions / "weak")
            clients.wait_for_refusal(4)

            assert rollback(publisher, "--to", "3", "--sign-key", str(keys.private), *trusted).returncode == 1
            token = authority.token("me@example.com")
            restored = rollback(publisher, "--to", "2", "--identity-token", token, *trusted)
            assert restored.returncode == 0, restored.stderr
            clients.wait_for_version(5)

            point_at(publisher, 1)
            clients.wait_for_refusal(1)
        finally:
            clients.stopped.set()
        for each in asking:
            each.result()

    assert {status for status, _ in clients.answers} == {200}
    assert {version for _, version in clients.answers} == {"1", "2", "5"}
