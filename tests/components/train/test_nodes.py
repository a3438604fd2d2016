"""Several processes train as one does: the same batches, the same weights, and no run is lost with one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from components.preprocess.preprocess import preprocess_dataset
from components.train.launch.here import NodesFailedError
from components.train.launch.step import train_from_paths
from components.train.nodes.collective import Nodes
from components.train.nodes.lost import LOST_STATUS
from components.train.request import TrainRequest
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import seal_dataset
from deep_mnist.processes import run_module
from tests.support.digits import draw_digits

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_processes")]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """960 digits as `fast` takes them."""
    return prepared(tmp_path_factory.mktemp("arrays"))


def prepared(folder, **options):
    raw = folder / "raw"
    raw.mkdir()
    for split, count, seed in (("train", 960, 0), ("test", 60, 1)):
        images, labels = draw_digits(count, seed)
        np.save(raw / f"{split}_images.npy", images)
        np.save(raw / f"{split}_labels.npy", labels)
    seal_dataset(raw)
    preprocess_dataset(raw, resolve_contract("fast"), folder / "dataset", **options)
    return folder / "dataset"


def trained(dataset, folder, nodes, **options):
    """Train, and return what training.json says."""
    request = TrainRequest(epochs=2, nodes=nodes, **{"checkpoints": str(folder / "kept"), **options})
    train_from_paths(str(dataset), str(folder / "trained"), str(folder / "curves.html"), request)
    return json.loads((folder / "trained" / "training.json").read_text())


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory):
    """The digest of the weights that one process reaches; in a process of its own, for its threads are set there."""
    return in_a_process(dataset, tmp_path_factory.mktemp("alone"))


def in_a_process(dataset, folder):
    done = run_module(__name__, [str(dataset), str(folder)], folder=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def workers(folder):
    """Return the process ids of the nodes that this process started while it was in a folder of its own."""
    living = psutil.process_iter(["cwd"])
    return sorted(each.pid for each in living if each.info["cwd"] == str(folder) and each.pid != os.getpid())


def kill_once(folder, victim, *, at_checkpoint=True):
    """In the background, kill one of two nodes, as soon as both are there and, if so asked, a checkpoint is."""

    def work():
        kept = folder / "kept"
        while len(found := workers(folder)) < 2 or (at_checkpoint and not list(kept.glob("*.checkpoint"))):
            time.sleep(0.05)
        os.kill(found[victim], signal.SIGKILL)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_two_nodes_reach_the_weights_of_one(dataset, alone, tmp_path):
    """At the same global batch, with as many parts, the weights are the same to the last bit."""
    assert trained(dataset, tmp_path, 2)["weights_sha256"] == alone


def test_two_nodes_reach_the_weights_of_one_on_shards(tmp_path):
    """Each node streams its lanes; what they learn together is what one learns from all lanes."""
    (tmp_path / "data").mkdir()
    dataset = prepared(tmp_path / "data", shard_bytes=50_000)
    (tmp_path / "one").mkdir()

    assert trained(dataset, tmp_path / "two", 2)["weights_sha256"] == in_a_process(dataset, tmp_path / "one")


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_node_costs_an_attempt_and_not_the_run(dataset, alone, tmp_path, victim, capfd, monkeypatch):
    """Whichever is killed, all start again from the last checkpoint and reach the same weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    killer = kill_once(tmp_path, victim)

    assert trained(dataset, tmp_path, 2, checkpoint_seconds=0.01)["weights_sha256"] == alone
    killer.join()
    shown = capfd.readouterr().out
    assert "a node was lost" in shown
    assert "going on after step" in shown


def test_a_fault_of_a_node_itself_is_told_and_not_repeated(dataset, tmp_path, capfd):
    """What a node refuses is the run's failure, in its words; nothing is started again."""
    with pytest.raises(NodesFailedError, match="Expected a GPU"):
        trained(dataset, tmp_path, 2, require_gpu=True)

    assert "started again" not in capfd.readouterr().out


def test_a_node_that_hears_of_no_step_ends():
    """A process whose main thread waits without end leaves with the status of a lost node."""
    lines = (
        "import threading",
        "from components.train.nodes.lost import Deadline",
        "with Deadline(0.2): threading.Event().wait()",
    )
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == LOST_STATUS
    assert "another node hangs" in done.stdout


def test_one_node_alone_agrees_with_itself():
    """Without others, the table is one's own row."""
    assert Nodes().table([1.0, 2.0]).tolist() == [[1.0, 2.0]]


if __name__ == "__main__":
    print(trained(sys.argv[1], Path(sys.argv[2]), 1)["weights_sha256"])
