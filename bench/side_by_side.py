"""The server beside MLServer, LitServe and the bare SavedModel, on one version, in turn, in one run.

What is claimed are ratios: whatever else keeps this machine busy weighs on all of them. The load generator is a process
of its own on the same machine.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests

from bench import peers
from bench.claims import Claim, tell
from deep_mnist.registry.registry import Registry

ROUNDS, SECONDS, BATCH = 3, 3.0, 256
Rate = Callable[[], float]


def side_by_side(url: str, registry: Registry, folder: Path, images: np.ndarray) -> bool:
    """Print requests a second of each server, the share of request validation, and the goals; say whether all are met.

    Args:
        url: Of the server, to the path that predicts.
        registry: With a folder as its store; version 1 is what the server serves.
        folder: Receives two environments, of 2.5 GB together.
        images: uint8 (n, rows, columns), at least 256.
    """
    bodies = _write_bodies(folder / "bodies", images)
    saved_model = Path(registry.store.url, registry.name, "1")
    ours, port = urlsplit(url), urlsplit(url).port or 0
    (folder / "peers").mkdir()
    peers.install(folder / "peers")
    _require_types(f"{ours.scheme}://{ours.netloc}", registry.name, images, folder / "peers")
    with peers.running(folder / "peers", saved_model) as others:
        rates = {}
        for name, size, connections in (("one", 1, 1), ("sixteen", 1, 16), ("many", BATCH, 2)):
            measured = {"ours": _rate(port, ours.path, bodies[size, "v1"], connections)}
            for peer in others:
                protocol = "v2" if peer.name == "mlserver" else "v1"
                measured[peer.name] = _rate(peer.port, peer.path, bodies[size, protocol], connections)
            rates[name] = _in_turn(f"{size} images, {connections} connections, JSON", measured)
            if name == "one":
                _tell_stages(f"{ours.scheme}://{ours.netloc}/metrics")
        path = re.sub(r"/v1(/models/[^:]+):predict", r"/v2\1/infer", ours.path)
        measured = {"ours": _rate(port, path, bodies[BATCH, "binary"], 2), "SavedModel": _bare(saved_model, images)}
        rates["binary"] = _in_turn(f"{BATCH} images, 2 connections, V2 binary", measured)
    return tell(
        _claim("one image, 1 connection, over the better peer", rates["one"], 1.2, "mlserver", "litserve"),
        _claim("one image, 16 connections, over the better peer", rates["sixteen"], 2.0, "mlserver", "litserve"),
        _claim(f"{BATCH} images, V1 JSON, over LitServe", rates["many"], 2.0, "litserve"),
        _claim(f"{BATCH} images, V2 binary, over the SavedModel", rates["binary"], 0.8, "SavedModel"),
    )


def _require_types(url: str, name: str, images: np.ndarray, folder: Path) -> None:
    """Hold the server's V2 documents against MLServer's own types."""
    tensor = {"name": "images", "shape": list(images[:2].shape), "datatype": "UINT8"}
    request = {"id": "two", "inputs": [{**tensor, "data": images[:2].ravel().tolist()}]}
    model = f"{url}/v2/models/{name}"
    documents = {
        "server": requests.get(f"{url}/v2", timeout=60).json(),
        "model": requests.get(model, timeout=60).json(),
        "inference": requests.post(f"{model}/infer", json=request, timeout=60).json(),
        "error": requests.post(f"{model}/infer", json={"inputs": []}, timeout=60).json(),
    }
    if refused := peers.refused_by_types(folder, documents):
        raise RuntimeError(f"Expected V2 documents as MLServer's types have them. Received: {refused}")
    print(f"V2: MLServer's own types take {', '.join(documents)} whole", flush=True)


def _claim(name: str, rates: dict[str, float], goal: float, *others: str) -> Claim:
    return Claim(f"server: {name}", rates["ours"] / max(rates[other] for other in others), goal, at_least=True)


def _in_turn(name: str, measured: dict[str, Rate]) -> dict[str, float]:
    """Return the median rate of each, measured in turn, and print them."""
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for each, rate in measured.items():
            found[each].append(rate())
    rates = {each: median(values) for each, values in found.items()}
    print(f"{name}, requests/s: " + ", ".join(f"{each} {rate:.1f}" for each, rate in rates.items()), flush=True)
    return rates


def _rate(port: int, path: str, body: list[str], connections: int) -> Rate:
    """Return what measures a server's requests a second."""
    file, kind, *headers = body
    command = [sys.executable, "-m", "bench.load", "127.0.0.1", str(port), path, file, kind, str(connections)]

    def rate() -> float:
        done = subprocess.run([*command, str(SECONDS), *headers], stdout=subprocess.PIPE, check=True)
        counted = json.loads(done.stdout)
        if counted["failed"]:
            raise RuntimeError(f"Expected responses of 200 from {path}. Received: {counted['failed']} others.")
        return float(counted["requests"] / counted["seconds"])

    return rate


def _bare(saved_model: Path, images: np.ndarray) -> Rate:
    """Return what measures how many batches a second the SavedModel itself predicts, in this process."""
    import tensorflow as tf

    loaded, batch = tf.saved_model.load(str(saved_model)), images[:BATCH]

    def rate() -> float:
        calls, begun = 0, time.perf_counter()
        while (taken := time.perf_counter() - begun) < SECONDS:
            loaded.signatures["serving_default"](images=tf.constant(batch))["probabilities"].numpy()
            calls += 1
        return calls / taken

    return rate


def _write_bodies(folder: Path, images: np.ndarray) -> dict[tuple[int, str], list[str]]:
    """Write the same images in each form; return (images, form) -> file, content type and headers."""
    folder.mkdir()
    found = {}
    for size in (1, BATCH):
        some = images[:size]
        tensor: dict[str, Any] = {"name": "images", "shape": list(some.shape), "datatype": "UINT8"}
        head = {"inputs": [{**tensor, "parameters": {"binary_data_size": some.nbytes}}]}
        text = json.dumps({**head, "parameters": {"binary_data_output": True}}).encode()
        forms = {
            "v1": json.dumps({"instances": some.tolist()}).encode(),
            "v2": json.dumps({"inputs": [{**tensor, "data": some.ravel().tolist()}]}).encode(),
            "binary": text + some.tobytes(),
        }
        for form, body in forms.items():
            path = folder / f"{size}.{form}"
            path.write_bytes(body)
            found[size, form] = [str(path), "application/json"]
        found[size, "binary"][1:] = ["application/octet-stream", f"inference-header-content-length={len(text)}"]
    return found


def _tell_stages(url: str) -> None:
    """Print how a request's time is divided, over all that were sent so far; "door" is request validation."""
    text = requests.get(url, timeout=60).text
    found = re.findall(r'stage_seconds_sum\{stage="(\w+)"\} (\S+)', text)
    (total,) = re.findall(r'request_seconds_sum\{code="200"\} (\S+)', text)
    shares = ", ".join(f"{stage} {float(seconds) / float(total):.0%}" for stage, seconds in found)
    print(f"shares of a request's time in the server: {shares}", flush=True)
