"""Several nodes on this machine: processes on loopback under the same strategy as pods on a cluster.

One that dies ends the attempt for all: its peers' collectives fail, and whichever does not end by itself is killed.
Then all are started again, and go on from the last checkpoint, as long as attempts get anywhere.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from components.failure import read_failure
from components.train.checkpoint import ENDING, StopSignal, TrainingInterruptedError
from components.train.launch.worker import LIFELINE, METRICS, SPECIFICATION
from components.train.nodes.place import TF_CONFIG, config_of
from components.train.request import TrainRequest
from deep_mnist.processes import Process, start_module
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import NotFoundError

MOST_IDLE_ATTEMPTS = 10  # in a row that left no new checkpoint
GRACE_SECONDS = 8.0  # until a node that was asked to end is killed; it may write a checkpoint first
POLL_SECONDS = 0.05


class NodesFailedError(RuntimeError):
    """A node failed by a fault of its own, or nodes died again and again."""

    fix = "read the log of the step; NODES=1 trains in one process"


def train_on_nodes(dataset: Path, trained: Path, curves: Path, request: TrainRequest) -> dict[str, float]:
    """Train in `request.nodes` processes of this machine and return the metrics.

    Raises:
        NodesFailedError: A node failed, or attempts get nowhere.
        TrainingInterruptedError: SIGTERM; the first node has left a checkpoint.
    """
    with tempfile.TemporaryDirectory(prefix="nodes-") as work, StopSignal(active=True) as stop:
        kept = request.checkpoints or f"{work}/checkpoints"
        share = request.resident_bytes or max(1, request.limit() // request.nodes)
        request = replace(request, checkpoints=kept, resident_bytes=share)
        idle = 0
        while True:
            before = _checkpoints(kept)
            folder = Path(tempfile.mkdtemp(dir=work))
            paths = {"dataset": dataset, "trained": trained, "curves": curves}
            stated = {name: str(path.absolute()) for name, path in paths.items()}
            (folder / SPECIFICATION).write_text(json.dumps({**stated, "request": asdict(request)}))
            statuses = _attempt(folder, request.nodes, stop)
            if not any(statuses):
                metrics: dict[str, float] = json.loads((folder / METRICS).read_text())
                return metrics
            _raise_own_fault(folder, statuses, stop)
            idle = idle + 1 if _checkpoints(kept) == before else 0
            if idle >= MOST_IDLE_ATTEMPTS:
                raise NodesFailedError(
                    f"Expected {request.nodes} nodes to train together. Received: {idle} attempts in a row in which "
                    f"one died and no checkpoint was reached, exit statuses {statuses}. "
                    "Fix: look for what ends them, such as too little memory; NODES=1 trains in one process"
                )
            print(f"train: a node was lost (exit statuses {statuses}); all are started again", flush=True)


def _attempt(folder: Path, nodes: int, stop: StopSignal) -> list[int]:
    """Run all nodes until all have ended; return their exit statuses."""
    with ExitStack() as stack:
        stack.enter_context(_lifeline(folder / LIFELINE))
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(nodes)]
        processes = []
        for index in range(nodes):
            log = stack.enter_context((folder / f"{index}.log").open("w")) if index else None
            environment = {**os.environ, TF_CONFIG: config_of(addresses, index), "PYTHONUNBUFFERED": "1"}
            arguments = [str(folder), str(index)]
            module = "components.train.launch.worker"
            processes.append(start_module(module, arguments, environment=environment, output=log, errors=log))
        try:
            while any(each.poll() is None for each in processes):
                if stop.received or any(each.poll() for each in processes):
                    break
                time.sleep(POLL_SECONDS)
        finally:
            _end(processes)
    return [int(each.returncode) for each in processes]


def _end(processes: list[Process]) -> None:
    """End what still runs, by a signal first."""
    for each in processes:
        if each.poll() is None:
            os.kill(each.pid, signal.SIGTERM)
    limit = time.monotonic() + GRACE_SECONDS
    while any(each.poll() is None for each in processes) and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)
    for each in processes:
        if each.poll() is None:
            each.kill()
        each.wait()


def _raise_own_fault(folder: Path, statuses: list[int], stop: StopSignal) -> None:
    """Raise what was no loss of a node: a stop that was asked for, or what a node says of itself."""
    if stop.received:
        raise TrainingInterruptedError(128 + stop.received)
    for index in range(len(statuses)):
        failure = read_failure(folder / str(index))
        if failure is not None:
            raise NodesFailedError(f"Node {index} of {len(statuses)} failed. {failure.text()}")


def _checkpoints(address: str) -> dict[str, object]:
    """Return the state of every checkpoint in a store, by which a new one is noticed."""
    store, found = open_store(address), {}
    for key in store.list():
        if key.endswith(ENDING):
            try:
                found[key] = store.describe(key)["generation"]
            except NotFoundError:
                continue
    return found


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing listens at now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextmanager
def _lifeline(path: Path) -> Iterator[None]:
    """Listen where the workers hold a connection, which ends with this process however that ends."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        yield
