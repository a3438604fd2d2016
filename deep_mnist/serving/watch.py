"""python -m deep_mnist.serving.watch URL: tell a webhook, and start a retraining, when what is sent has moved.

    python -m deep_mnist.serving.watch http://127.0.0.1:8080 --windows 3
    python -m deep_mnist.serving.watch http://mnist:8080 --store gs://bucket/registry \\
        --retrain 'python -m pipeline schedule run --name nightly'

Reads the server's drift report. A window is a report that holds --examples which the one before did not. What moved in
--windows windows in a row has stood: it is told once, to the webhook that DEEP_MNIST_WEBHOOK names, as `notify` tells
how a run ended; told again when it had settled in between, or of another version. With --retrain the command is
started once for each version, whoever watches: one conditional write in the registry decides.
Exit status: with --once 1 when drift was told; 2 not usable; else it runs until it is stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.storage.store import ABSENT, PreconditionFailedError, StorageError
from deep_mnist.webhook import WEBHOOK, post

TIMEOUT_SECONDS = 30.0


@dataclass
class DriftWatch:
    """What has moved in how many windows in a row, of the version that is served.

    Attributes:
        windows: In so many it must have moved to be told.
        examples: That a report must hold beyond those of the window before to be a window.
    """

    windows: int
    examples: int
    version: int = 0
    _seen: int = 0
    _moved: list[frozenset[str]] = field(default_factory=list)
    _told: bool = False

    def look(self, version: int, report: Mapping[str, Any]) -> list[str]:
        """Take in a report; return what has stood, [] while nothing has or it was told before."""
        if version != self.version or report["seen"] < self._seen:
            self.version, self._seen, self._moved, self._told = version, 0, [], False
        if not report["enough"] or report["seen"] - self._seen < self.examples:
            return []
        self._seen = report["seen"]
        self._moved = [*self._moved, frozenset(report["moved"])][-self.windows :]
        self._told = self._told and bool(report["moved"])
        standing = sorted(frozenset.intersection(*self._moved)) if len(self._moved) == self.windows else []
        if self._told or not standing:
            return []
        self._told = True
        return standing


def main(arguments: list[str] | None = None) -> int:
    """Watch until stopped; return the exit status."""
    options = _parser().parse_args(arguments)
    watch = DriftWatch(options.windows, options.examples)
    try:
        if options.retrain and not options.store:
            raise RegistryError("Expected --store beside --retrain. Received: none. Fix: name the server's registry")
        while True:
            found = _drift(options.url)
            standing = watch.look(found["model"]["version"], found["report"]) if found else []
            if found and standing:
                _act(found, standing, options)
                if options.once:
                    return 1
            time.sleep(options.every)
    except (RegistryError, StorageError) as error:
        print(f"watch: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _drift(url: str) -> dict[str, Any] | None:
    """Return the server's facts and report; None, and one line that says why, while there are none."""
    try:
        response = requests.get(f"{url.rstrip('/')}/drift.json", timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        if found["report"] is not None:
            return found
        said = f"version {found['model']['version']} has no reference profile; publish it anew"
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        said = f"{type(error).__name__}: {error}"
    print(f"watch: no drift report of {url}: {said}", file=sys.stderr, flush=True)
    return None


def _act(found: Mapping[str, Any], standing: Sequence[str], options: argparse.Namespace) -> None:
    message = drift_notification(found["model"], found["report"], standing, options.url, options.windows)
    print(f"watch: {message['text']}", flush=True)
    if webhook := os.environ.get(WEBHOOK, "").strip():
        print(f"watch: {post(webhook, message)}", flush=True)
    if options.retrain:
        registry = Registry(options.store, found["model"]["name"])
        print(f"watch: {retrain_once(registry, found['model']['version'], standing, options.retrain)}", flush=True)


def drift_notification(
    model: Mapping[str, Any], report: Mapping[str, Any], standing: Sequence[str], url: str, windows: int
) -> dict[str, Any]:
    """Return what is posted: the keys of `components/notify`'s notification, and `moved`, statistic -> index."""
    moved = {name: report["statistics"][name] for name in standing}
    listed = ", ".join(f"{name} {index:g}" for name, index in moved.items())
    error = (
        f"Expected inputs like the training data of version {model['version']} (index at most "
        f"{report['bounds']['moved']:g}). Received: {listed}, in {windows} windows in a row"
    )
    link = f"{url.rstrip('/')}/drift"
    return {
        "status": "DRIFTED",
        "step": "serving",
        "error": error,
        "link": link,
        "run": model["run"],
        "run_id": "",
        "model": model["name"],
        "version": model["version"],
        "moved": moved,
        "text": f"{model['name']} version {model['version']} DRIFTED: {error}\n{link}",
    }


def retrain_once(registry: Registry, version: int, standing: Sequence[str], command: str) -> str:
    """Start the command if nobody has for this version, and say what came of it.

    A command that fails leaves the claim to nobody, so that the next drift that stands tries again.

    Raises:
        StorageError: The registry cannot be written.
    """
    key = f"{registry.name}/retraining/drift/{version}.json"
    claim = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "moved": list(standing)}
    try:
        registry.store.write(key, json.dumps(claim).encode(), if_generation=ABSENT)
    except PreconditionFailedError:
        return f"A retraining was started before because version {version} drifted; none is started now."
    try:
        status = subprocess.run(shlex.split(command), check=False).returncode
        said = f"exit status {status}" if status else ""
    except (OSError, ValueError) as error:
        said = str(error)
    if not said:
        return f"A retraining was started: {command}"
    registry.store.delete(key)
    return f"No retraining was started: {command}: {said}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.serving.watch", description="Act when what a server is sent has moved."
    )
    parser.add_argument("url", help="the server of python -m deep_mnist.serving")
    parser.add_argument("--windows", type=_count, default=3, help="in a row in which it must have moved (%(default)s)")
    parser.add_argument("--examples", type=_count, default=1000, help="new ones in a window, at least (%(default)s)")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two looks (%(default)s)")
    parser.add_argument("--once", action="store_true", help="end when drift was told, with exit status 1")
    parser.add_argument("--retrain", default="", metavar="COMMAND", help="started once for each version that drifts")
    parser.add_argument("--store", default="", help="the server's registry, where that is noted")
    return parser


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
