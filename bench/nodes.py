"""python -m bench.nodes: training on several nodes of this machine beside one, and what becomes of one whose nodes die.

    python -m bench.nodes --nodes 1 2 4 --seeds 0 1      # a row a training: validation accuracy, milliseconds of a step
    python -m bench.nodes --nodes --kills 30             # SIGKILL of one of two nodes, at random, thirty times

`fast` on real MNIST. A step's own work is what a node computes without waiting for the others. After a kill the time is
taken until no node of that attempt is left; the training is to go on from its last checkpoint, until we end it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.claims import Claim, tell
from bench.training import CALLERS, prepare
from components.train.launch.step import train_from_paths
from components.train.request import TrainRequest

CHECKPOINT_SECONDS = 2.0
FIRST, LAST = 1.0, 15.0  # seconds after all nodes of an attempt are there, between which one is killed
MOST_HANG = 30.0  # seconds from a kill until every node of the attempt has ended
WORKER = "components.train.launch.worker"


def main() -> int:
    """Print a row a training, and what the kills did; 0 when nothing hung and no training was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.nodes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0, help="of nodes of one training")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        dataset, out, nodes, seed, epochs = options.one
        request = TrainRequest(seed=int(seed), epochs=int(epochs), nodes=int(nodes), checkpoints=f"{out}/kept")
        request = replace(request, checkpoint_seconds=CHECKPOINT_SECONDS)
        train_from_paths(dataset, f"{out}/trained", f"{out}/curves.html", request)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        prepare(place)
        for nodes in options.nodes:
            for seed in options.seeds:
                began = time.perf_counter()
                _ended(_started(place, nodes, seed, options.epochs))
                print(_row(place, nodes, seed, time.perf_counter() - began), flush=True)
        return 0 if not options.kills or _killed(place, options.kills) else 1


def _started(place: Path, nodes: int, seed: int, epochs: int) -> subprocess.Popen[bytes]:
    out = place / f"{nodes}-{seed}-{epochs}"
    command = [sys.executable, "-m", "bench.nodes", "--one", str(place / "fast"), str(out)]
    command += [str(nodes), str(seed), str(epochs)]
    return subprocess.Popen(command, env={**CALLERS, "TF_CPP_MIN_LOG_LEVEL": "3"}, stdout=subprocess.DEVNULL)


def _ended(training: subprocess.Popen[bytes]) -> None:
    if status := training.wait():
        raise SystemExit(f"Expected the training to succeed. Received: status {status}")


def _row(place: Path, nodes: int, seed: int, seconds: float) -> str:
    [folder] = place.glob(f"{nodes}-{seed}-*/trained")
    facts: dict[str, Any] = json.loads((folder / "training.json").read_text())
    last = json.loads((folder / "history.json").read_text())["epochs"][-1]
    own = [round(1000 * each, 1) for each in facts["nodes"]["own_seconds_per_step"]]
    step = 1000 * facts["recipe"]["batch"] / last["images_per_second"]
    return (
        f"{nodes} nodes, seed {seed}: validation accuracy {last['val_accuracy']:.4f}, weights "
        f"{facts['weights_sha256'][:8]}, {step:.1f} ms a step"
        f"{f', own work {own} ms' * bool(own)}, {seconds:.0f} s in all"
    )


def _killed(place: Path, kills: int) -> bool:
    """Kill one of two nodes again and again; print how long the others took to end, and whether the training did."""
    random, hung = np.random.default_rng(0), []
    training = _started(place, 2, 7, epochs=10 * kills)  # longer than it is killed
    parent = psutil.Process(training.pid)
    for _ in range(kills):
        nodes = _nodes_of(parent)
        if not nodes:
            break
        time.sleep(random.uniform(FIRST, LAST))
        os.kill(nodes[random.integers(2)].pid, signal.SIGKILL)
        began = time.perf_counter()
        _, left = psutil.wait_procs(nodes, timeout=MOST_HANG)
        hung.append(time.perf_counter() - began)
        if left:
            break
    alive = bool(_nodes_of(parent))
    training.terminate()
    training.wait()
    if not hung:
        raise SystemExit(f"Expected a training of two nodes to begin. Received: status {training.returncode}")
    print(f"{len(hung)} kills: all nodes had ended {np.mean(hung):.1f} s after one on average", flush=True)
    return tell(
        Claim("seconds from a kill until no node is left, at most", max(hung), MOST_HANG, digits=1),
        Claim(f"kills of {kills} after which the training went on", len(hung) - (not alive), kills, at_least=True),
    )


def _nodes_of(parent: psutil.Process) -> list[psutil.Process]:
    """Return the two nodes of an attempt, as soon as both are there; none when the training has ended."""
    while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
        found = [each for each in parent.children(recursive=True) if _is_node(each)]
        if len(found) == 2:
            return found
        time.sleep(0.05)
    return []


def _is_node(process: psutil.Process) -> bool:
    try:
        return WORKER in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
