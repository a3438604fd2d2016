"""python -m deep_mnist.serving.replay STORE URL: does a server predict as the champion did when it was published?

    python -m deep_mnist.serving.replay ./registry http://127.0.0.1:8080
    python -m deep_mnist.serving.replay gs://bucket/registry http://ingress:80 --host-header mnist.example.com

Sends the champion's golden requests to any server of the V1 protocol (this one, TensorFlow Serving, KServe) and
compares the predictions with those of its publishing.
Exit status: 0 the same, 1 another prediction, 2 not usable.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import requests

from deep_mnist.export import GOLDEN_FILE, GOLDEN_TOLERANCE
from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import add_trust_options, trust_of
from deep_mnist.storage.store import StorageError

BATCH = 64
TIMEOUT_SECONDS = 60.0


def main(arguments: list[str] | None = None) -> int:
    """Print one line; return the exit status."""
    options = _parser().parse_args(arguments)
    headers = {"host": options.host_header} if options.host_header else {}
    try:
        golden = golden_requests(Registry(options.store, options.model_name, trust=trust_of(options)))
        url = f"{options.url.rstrip('/')}/v1/models/{options.model_name}:predict"
        difference, others = replay(url, golden, headers)
    except (StorageError, RegistryError, requests.RequestException, ValueError, KeyError) as error:
        print(f"replay: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    count = len(golden["labels"])
    print(f"replay: {count} golden requests, largest difference {difference:.1e}, another class for {others}")
    return 0 if difference <= GOLDEN_TOLERANCE and not others else 1


def golden_requests(registry: Registry) -> dict[str, np.ndarray]:
    """Return the champion's golden requests: images, labels, probabilities, fed, raw.

    Raises:
        RegistryError: There is no champion, or it was published without any.
    """
    promotion = registry.champion()
    if promotion is None:
        raise RegistryError(f"Expected a champion of {registry.name}. Received: none. Fix: make run publishes one")
    with tempfile.TemporaryDirectory() as scratch:
        registry.files.download(promotion, Path(scratch))
        path = Path(scratch) / GOLDEN_FILE
        if not path.is_file():
            raise RegistryError(
                f"Expected {GOLDEN_FILE} in version {promotion.version} of {registry.name}. Received: no such "
                "file. Fix: publish it anew, as make run does"
            )
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def replay(url: str, golden: dict[str, np.ndarray], headers: dict[str, str]) -> tuple[float, int]:
    """Send every golden request; return the largest difference of a probability and how many classes are others."""
    largest, others = 0.0, 0
    for start in range(0, len(golden["images"]), BATCH):
        rows = slice(start, start + BATCH)
        predicted = _predicted(url, golden["images"][rows], headers)
        expected = golden["probabilities"][rows]
        largest = max(largest, float(np.abs(np.array([row["probabilities"] for row in predicted]) - expected).max()))
        others += int((np.array([row["class"] for row in predicted]) != expected.argmax(axis=1)).sum())
    return largest, others


def _predicted(url: str, images: np.ndarray, headers: dict[str, str]) -> list[dict[str, Any]]:
    response = requests.post(url, json={"instances": images.tolist()}, headers=headers, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
    predictions: list[dict[str, Any]] = response.json()["predictions"]
    return predictions


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.serving.replay", description="Replay the champion's golden requests on a server."
    )
    parser.add_argument("store", help="the registry: a folder, gs://bucket/prefix or s3://bucket/prefix")
    parser.add_argument("url", help="the server, without /v1/…")
    parser.add_argument("--model-name", default="mnist", help="name in the registry and on the server (%(default)s)")
    parser.add_argument("--host-header", default="", help="the host that an ingress tells models by")
    add_trust_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
