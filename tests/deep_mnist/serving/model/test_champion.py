"""The pointer is followed while requests go on: none is lost, and a version that is broken is never served."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests

from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.model.champion import ServedChampion
from tests.support.remotes import Remote
from tests.support.serving import NAME, RunningServer, promote, running_server, wait_for_failure, wait_for_version

Digits = tuple[np.ndarray, np.ndarray]
CLIENTS = 4
PAUSE_SECONDS = 0.02  # without one, four clients in this process leave the server no processor to load a model with


@contextmanager
def under_load(server: RunningServer, images: np.ndarray) -> Iterator[Counter[tuple[int, str, str]]]:
    """Send one request after the other from several clients, each with a short pause, until the block ends.

    Yields a count of (status, version that answered, classes), and of what was no response at all.
    """
    seen: Counter[tuple[int, str, str]] = Counter()
    lock, stop = threading.Lock(), threading.Event()
    body = json.dumps({"instances": images.tolist()}).encode()

    def client() -> None:
        session = requests.Session()
        while not stop.wait(PAUSE_SECONDS):
            try:
                response = session.post(f"{server.url}/v1/models/{NAME}:predict", data=body, timeout=60)
                rows = response.json().get("predictions", [])
                key = (
                    response.status_code,
                    response.headers.get("x-model-version", ""),
                    str([r["class"] for r in rows]),
                )
            except requests.RequestException as error:
                key = (0, "", type(error).__name__)
            with lock:
                seen[key] += 1

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_promotions_and_a_rollback_under_load_lose_no_request(
    registry: Registry, versions: Path, tmp_path: Path, digits: Digits
) -> None:
    """Two promotions and a rollback by the real registry: each response is of one version and right for it."""
    images = digits[0][:20]
    with running_server(registry, tmp_path / "cache") as server:
        weak = str(server.classes(images))
        with under_load(server, images) as seen:
            wait_for_answer(seen, "1")
            promote(registry, versions / "strong")
            wait_for_answer(seen, "2")
            strong = str(server.classes(images))
            registry.rollback(reason="worse in use")
            wait_for_answer(seen, "3")
            promote(registry, versions / "bare")
            wait_for_answer(seen, "4")
        assert server.champion.state.swaps == 3

    assert weak != strong
    assert set(seen) <= {(200, "1", weak), (200, "2", strong), (200, "3", weak), (200, "4", strong)}
    assert {version for _, version, _ in seen} == {"1", "2", "3", "4"}


def wait_for_answer(seen: Counter[tuple[int, str, str]], version: str) -> None:
    """Wait until a client was answered by a version."""
    while version not in {answered for _, answered, _ in list(seen)}:
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["variables/variables.data-00000-of-00001", "golden_requests.npz", "version.json"])
def test_an_altered_version_is_not_served(registry: Registry, versions: Path, tmp_path: Path, name: str) -> None:
    """One bit of one file: the old version stays and the reason is told; restored, the new one is served."""
    champion = ServedChampion(registry, tmp_path / "cache")
    served = champion.load_first()
    promotion = promote(registry, versions / "strong")
    path = tmp_path / "registry" / NAME / str(promotion.version) / name
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :])

    for attempt in (1, 2):
        champion.poll()
        broken = champion.state.broken
        assert champion.model is served and broken is not None
        assert (broken.promotion.version, broken.attempts) == (2, attempt)
        assert name in broken.error or "altered" in broken.error
        champion.poll(retry=False)
        assert champion.state.broken is broken

    path.write_bytes(whole)
    champion.poll()
    assert champion.model is not None and champion.model.version == 2 and champion.state.broken is None


def test_a_broken_promotion_keeps_the_old_version(
    registry: Registry, versions: Path, tmp_path: Path, digits: Digits
) -> None:
    """An export that predicts otherwise than its golden requests is promoted; a good one then takes over."""
    broken = Path(shutil.copytree(versions / "strong", tmp_path / "broken"))
    shutil.copyfile(versions / "weak" / "golden_requests.npz", broken / "golden_requests.npz")
    with running_server(registry, tmp_path / "cache") as server:
        before = server.classes(digits[0])
        promote(registry, broken)
        wait_for_failure(server)

        assert server.classes(digits[0]) == before
        states = server.get(f"v1/models/{NAME}").json()["model_version_status"]
        assert [(each["version"], each["state"]) for each in states] == [("2", "END"), ("1", "AVAILABLE")]
        assert "golden requests" in states[0]["status"]["error_message"]
        shown = server.get("metrics").text
        assert "deep_mnist_serving_broken_version 2.0" in shown
        assert re.search(r"deep_mnist_serving_load_failures_total [1-9]", shown)

        promote(registry, versions / "strong")
        wait_for_version(server, 3)
        assert len(server.get(f"v1/models/{NAME}").json()["model_version_status"]) == 1


def test_a_pointer_that_cannot_be_read_changes_nothing(registry: Registry, versions: Path, tmp_path: Path) -> None:
    """A pointer that is gone or no JSON is noted; once it is whole again, it is followed."""
    pointer = tmp_path / "registry" / NAME / "champion.json"
    champion = ServedChampion(registry, tmp_path / "cache")
    served = champion.load_first()
    whole = pointer.read_bytes()
    pointer.unlink()
    champion.poll()
    assert champion.model is served and "pointer is gone" in champion.state.unreachable

    pointer.write_bytes(b"{")
    champion.poll()
    assert champion.model is served and "champion.json" in champion.state.unreachable

    pointer.write_bytes(whole)
    promote(registry, versions / "strong")
    champion.poll()
    assert champion.model is not None and champion.model.version == 2 and champion.state.unreachable == ""


def test_a_downloaded_version_is_checked_again(registry: Registry, tmp_path: Path) -> None:
    """A second server of this machine takes what the first one downloaded, unless somebody altered it."""
    first = ServedChampion(registry, tmp_path / "cache").load_first()
    (folder,) = (tmp_path / "cache").iterdir()
    card = folder / "model_card.md"
    written = card.stat().st_mtime_ns
    ServedChampion(registry, tmp_path / "cache").load_first()
    assert card.stat().st_mtime_ns == written

    card.write_text("another card")
    assert ServedChampion(registry, tmp_path / "cache").load_first().card == first.card


def test_an_empty_registry_is_an_error(tmp_path: Path) -> None:
    """Nothing was ever promoted: the message says what publishes."""
    with pytest.raises(RegistryError, match="Fix: make run"):
        ServedChampion(Registry(str(tmp_path), NAME), tmp_path / "cache").load_first()


def test_a_champion_in_a_bucket_is_served(remote: Remote, versions: Path, tmp_path: Path, digits: Digits) -> None:
    """gs:// and s3://: downloaded with its digests, and followed."""
    registry = Registry(remote.url, NAME)
    promote(registry, versions / "weak")
    with running_server(registry, tmp_path / "cache") as server:
        weak = server.classes(digits[0])
        promote(registry, versions / "strong")
        wait_for_version(server, 2)
        assert server.classes(digits[0]) != weak
