"""The server beside the SavedModel and other servers, a promotion under load, false warnings, 10,000 hostile bodies.

One version of `fast`, trained for an epoch and published as a run does it, is served by a process of its own. Single
predictions go in turn to the server (HTTP, JSON, one connection) and to the SavedModel in this process, so that
whatever else keeps this machine busy weighs on both; likewise batches.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

from bench.claims import Claim, tell
from bench.hostile_bodies import hostile_bodies
from bench.side_by_side import side_by_side
from deep_mnist.registry.registry import Registry

NAME = "mnist"
SINGLES, BATCHES, BATCH = 400, 12, 256
CLIENTS, BODIES = 4, 10_000
FALSE_WARNINGS = 1e-3
STARTED_SECONDS = 120


def main() -> int:
    """Print a line for each measure; 0 when no request failed and request validation is wrong at most once in 1,000."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        registry = publish(folder)
        images = np.load(folder / "raw" / "test_images.npy")
        with served(registry, folder) as url:
            passed = [side_by_side(url, registry, folder, images)]
            latency(url, registry, images)
            passed += [
                false_warnings(url, images),
                promotion_under_load(url, registry, folder, images),
                fuzz(url, images),
            ]
    return 0 if all(passed) else 1


def publish(folder: Path) -> Registry:
    """Train `fast` for one epoch and publish it as a run does."""
    from bench.training import prepare
    from components.evaluate.evaluate import evaluate_from_paths
    from components.publish.publish import PublishRequest, publish_from_paths
    from components.train.request import TrainRequest
    from components.train.train import train
    from deep_mnist.registry.promotion import Floors

    prepare(folder)
    registry, trained = Registry(str(folder / "registry"), NAME), folder / "trained"
    train(folder / "fast", trained, trained / "curves.html", TrainRequest(network="fast", epochs=1))
    paths = [folder / name for name in ("evaluation.json", "report.html", "summary.md")]
    url, floors = registry.store.url, Floors(0.5, 0.1, 0.95)
    evaluate_from_paths(folder / "fast", trained, *paths, registry=url, model_name=NAME, floors=floors)
    written = (folder / "evaluation.json", folder / "promotion.json", folder / "card.md")
    publish_from_paths(folder / "fast", trained, *written, PublishRequest(url, NAME))
    return registry


@contextmanager
def served(registry: Registry, folder: Path) -> Iterator[str]:
    """Serve the registry's champion from a process of its own and yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "deep_mnist.serving", registry.store.url, "--port", str(port)]
    command += ["--cache", str(folder / "cache"), "--poll-seconds", "0.2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process)
        yield f"{url}/v1/models/{NAME}:predict"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first response; raise when the process ended or it takes too long."""
    deadline = time.monotonic() + STARTED_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/v2/health/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError(f"Expected a server at {url} within {STARTED_SECONDS} s. Received: none.")


def latency(url: str, registry: Registry, images: np.ndarray) -> None:
    """Print single predictions and batches of the server beside those of the SavedModel itself."""
    import tensorflow as tf

    loaded = tf.saved_model.load(f"{registry.store.url}/{NAME}/1")
    session = requests.Session()

    def bare(batch: np.ndarray) -> Any:
        return loaded.signatures["serving_default"](images=tf.constant(batch))["probabilities"].numpy()

    def server(batch: np.ndarray) -> Any:
        body = json.dumps({"instances": batch.tolist()}).encode()
        started = time.perf_counter()
        session.post(url, data=body).raise_for_status()
        return time.perf_counter() - started

    singles = _in_turn(server, bare, [images[i : i + 1] for i in range(SINGLES)])
    p50, p95 = (np.percentile(singles, share, axis=1) * 1e3 for share in (50, 95))
    print(
        f"single prediction: server p50 {p50[0]:.2f} ms, p95 {p95[0]:.2f} ms; SavedModel p50 {p50[1]:.2f} ms, "
        f"p95 {p95[1]:.2f} ms; ratio of p95 {p95[0] / p95[1]:.1f}, more by {p95[0] - p95[1]:.2f} ms",
        flush=True,
    )
    batches = _in_turn(server, bare, [images[i * BATCH : (i + 1) * BATCH] for i in range(BATCHES)])
    rate = BATCH / np.median(batches, axis=1)
    print(
        f"batches of {BATCH}: server {rate[0]:.0f} images/s, SavedModel {rate[1]:.0f} images/s, "
        f"ratio {rate[0] / rate[1]:.2f}",
        flush=True,
    )


def _in_turn(server: Any, bare: Any, batches: list[np.ndarray]) -> np.ndarray:
    """Return seconds, float64 (2, n), of the server and of the SavedModel for each batch, the first call left out."""
    seconds = []
    for batch in [batches[0], *batches]:
        taken = server(batch)
        started = time.perf_counter()
        bare(batch)
        seconds.append((taken, time.perf_counter() - started))
    return np.array(seconds[1:]).T


def false_warnings(url: str, images: np.ndarray) -> bool:
    """Print how many of MNIST's test images are warned of, and how many of other images."""
    from deep_mnist.data.fetch_known import DownloadError
    from deep_mnist.doctor.script.served_data import arrays_of

    kinds = {"MNIST test": images, "MNIST test inverted": 255 - images, "MNIST test in 0 and 1": images // 128}
    try:
        kinds["Fashion-MNIST test"] = arrays_of("fashion-mnist")[1][0]
    except DownloadError as error:
        print(f"Fashion-MNIST left out: {error}")
    shares = {kind: _warned(url, some) for kind, some in kinds.items()}
    said = "; ".join(f"{kind} {share:.2%}" for kind, share in shares.items())
    print(f"warned of: {said}", flush=True)
    return tell(Claim("server: share of MNIST's test images warned of", shares["MNIST test"], FALSE_WARNINGS, digits=5))


def _warned(url: str, images: np.ndarray) -> float:
    count = 0
    for start in range(0, len(images), 500):
        document = requests.post(url, json={"instances": images[start : start + 500].tolist()}, timeout=60).json()
        count += sum(each["count"] for each in document.get("warnings", ()))
    return count / len(images)


def promotion_under_load(url: str, registry: Registry, folder: Path, images: np.ndarray) -> bool:
    """Promote the model once more while clients send; print how many requests failed."""
    body = json.dumps({"instances": images[:8].tolist()}).encode()
    seen: Counter[tuple[int, str]] = Counter()
    stop = threading.Event()

    def client() -> None:
        session = requests.Session()
        while not stop.is_set():
            try:
                response = session.post(url, data=body, timeout=60)
                seen[response.status_code, response.headers.get("x-model-version", "")] += 1
            except requests.RequestException as error:
                seen[0, type(error).__name__] += 1

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    champion = registry.champion()
    if champion is None:
        raise RuntimeError(f"Expected a champion in {registry.store.url}. Received: none.")
    registry.files.download(champion, folder / "again")
    promoted = registry.promote(folder / "again", champion.facts, expected=champion)
    _wait_for_version(seen, promoted.version)
    stop.set()
    for each in clients:
        each.join()
    failed = sum(count for (status, _), count in seen.items() if status != 200)
    versions = ", ".join(sorted({version for _, version in seen}))
    sent = sum(seen.values())
    print(f"a promotion under load: {sent} requests, versions {versions}", flush=True)
    return tell(Claim("server: requests failed during a promotion", failed, 0, digits=0))


def _wait_for_version(seen: Counter[tuple[int, str]], version: int) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while not seen[200, str(version)] and time.monotonic() < deadline:
        time.sleep(0.05)


def fuzz(url: str, images: np.ndarray) -> bool:
    """Send hostile bodies; print the statuses and whether the next prediction is the one before."""
    valid = {"instances": images[:50].tolist()}
    before = requests.post(url, json=valid, timeout=60).json()["predictions"]
    session, seen = requests.Session(), Counter[int]()
    started = time.perf_counter()
    for body in hostile_bodies(images[:100], BODIES):
        try:
            seen[session.post(url, data=body, timeout=60).status_code] += 1
        except requests.RequestException:
            seen[0] += 1
    seconds = time.perf_counter() - started
    after = requests.post(url, json=valid, timeout=60).json()["predictions"]
    same = [each["class"] for each in before] == [each["class"] for each in after]
    others = sum(count for status, count in seen.items() if status != 200 and not 400 <= status < 500)
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(seen.items()))
    print(f"{BODIES} hostile bodies in {seconds:.0f} s: {statuses}; same predictions afterwards: {same}", flush=True)
    return tell(Claim("server: hostile bodies without a 200 or 4xx", others, 0, digits=0)) and same


if __name__ == "__main__":
    sys.exit(main())
