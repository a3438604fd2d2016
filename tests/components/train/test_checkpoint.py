"""Checkpoints: whole or refused, and a killed training ends as an undisturbed one does."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest

from components.train.checkpoint import Checkpoints, RefusedCheckpointError, Snapshot, decode, encode
from deep_mnist.processes import run_module
from tests.support.training_data import write_patterns

IDENTITY = {"network": "fast", "seed": 0}
ROOT = Path(__file__).resolve().parents[3]
# One training as the step runs it, with a checkpoint after every chunk of steps. As checkpoint number `at` is about to
# take its place in the store, the process sends itself the signal: the same point on a fast machine and a slow one.
PROGRAM = """
import os, sys
from components.train.request import TrainRequest
from components.train.launch.step import train_from_paths
data, out, store, number, at = sys.argv[1:]
placed = 0

def watch(event, arguments):
    global placed
    if event in ("os.rename", "os.link") and str(arguments[1]).endswith(".checkpoint"):
        placed += 1
        if placed == int(at):
            os.kill(os.getpid(), int(number))

sys.addaudithook(watch)
request = TrainRequest(network="fast", epochs=3, seed=5, checkpoints=store, checkpoint_seconds=0.0)
train_from_paths(data, out, out + ".html", request)
"""


def snapshot() -> Snapshot:
    return Snapshot(2, 7, 1.5, [{"epoch": 1, "loss": 0.5}], {"model/0000": np.arange(6.0).reshape(2, 3)})


def test_a_checkpoint_gives_back_what_was_kept(tmp_path: Path) -> None:
    """What is saved to a store is loaded again, number for number, by a training of the same identity."""
    Checkpoints(str(tmp_path), IDENTITY, every=0).save(snapshot())
    found = Checkpoints(str(tmp_path), IDENTITY, every=0).load()
    assert (found.epoch, found.step, found.history) == (2, 7, [{"epoch": 1, "loss": 0.5}])
    np.testing.assert_array_equal(found.arrays["model/0000"], np.arange(6.0).reshape(2, 3))


def test_a_checkpoint_lies_in_a_bucket_too(bucket: str) -> None:
    """Through HTTP, in object storage, a checkpoint is kept, found and removed like one in a folder."""
    kept = Checkpoints(f"{bucket}/run", IDENTITY, every=0)
    assert kept.load() == Snapshot()
    assert kept.save(snapshot())
    assert Checkpoints(f"{bucket}/run", IDENTITY, every=0).load().step == 7
    kept.remove()
    assert kept.load() == Snapshot()


@pytest.mark.parametrize("at", [0, 30, 200, -1])
def test_a_damaged_checkpoint_is_refused(at: int) -> None:
    """One flipped bit anywhere makes a checkpoint unusable, and the refusal says what was expected."""
    data = bytearray(encode(snapshot(), IDENTITY))
    data[at] ^= 1
    with pytest.raises(RefusedCheckpointError, match="Expected"):
        decode(bytes(data), IDENTITY)


def test_a_cut_checkpoint_is_refused() -> None:
    """A checkpoint that lost its end is refused."""
    with pytest.raises(RefusedCheckpointError, match="damaged"):
        decode(encode(snapshot(), IDENTITY)[:-10], IDENTITY)


def test_a_foreign_checkpoint_names_what_differs() -> None:
    """A checkpoint of another data set is refused by the name of the difference."""
    data = encode(snapshot(), {**IDENTITY, "dataset_digest": "a"})
    with pytest.raises(RefusedCheckpointError, match="another dataset_digest"):
        decode(data, {**IDENTITY, "dataset_digest": "b"})


def test_training_starts_over_after_a_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged checkpoint in the store costs one clear line, and the training begins at its start."""
    checkpoints = Checkpoints(str(tmp_path), IDENTITY, every=0)
    checkpoints.save(snapshot())
    checkpoints.store.write(checkpoints.key, b"rubbish")  # type: ignore[union-attr]
    assert checkpoints.load() == Snapshot()
    assert "refused, training starts over. Expected a checkpoint headed" in capsys.readouterr().out


def test_the_end_is_kept_until_the_output_is_stored(tmp_path: Path) -> None:
    """On a cluster the launcher stores the output after the step: a repetition of the task goes on from the end, a new
    run of the same training starts over."""
    task = Checkpoints(str(tmp_path), IDENTITY, every=0, output="/gcs/bucket/run-1/train/trained")
    task.finish(snapshot())
    task.settle()
    again = Checkpoints(str(tmp_path), IDENTITY, every=0, output="/gcs/bucket/run-1/train/trained")
    other = Checkpoints(str(tmp_path), IDENTITY, every=0, output="/gcs/bucket/run-2/train/trained")
    assert again.load().epoch == 2
    assert other.load() == Snapshot()


def test_the_end_is_not_kept_where_the_output_lies(tmp_path: Path) -> None:
    """On this machine the output is safe as soon as it is written."""
    task = Checkpoints(str(tmp_path), IDENTITY, every=0, output=str(tmp_path / "trained"))
    task.save(snapshot())
    task.finish(snapshot())
    task.settle()
    assert list(tmp_path.glob("*.checkpoint")) == []


def test_what_nobody_came_back_for_is_swept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The checkpoints of failed and canceled runs have a lifetime; a younger one, this training's own and other files
    stay."""
    own = Checkpoints(str(tmp_path), IDENTITY, every=0)
    old = Checkpoints(str(tmp_path), {**IDENTITY, "seed": 1}, every=0)
    young = Checkpoints(str(tmp_path), {**IDENTITY, "seed": 2}, every=0)
    for each in (own, old, young):
        each.save(snapshot())
    (tmp_path / "notes.txt").write_text("mine")
    for name in (own.key, old.key, "notes.txt"):
        os.utime(tmp_path / name, (0, 0))
    own.sweep()
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {own.key, young.key, "notes.txt"}
    assert "1 older than 14 days are removed" in capsys.readouterr().out


def train(data: Path, out: Path, store: Path | str, number: int = 0, at: int = 0) -> tuple[int, str]:
    """Run one attempt to its end, by signal `number` at checkpoint `at` if not 0; return its status and its output."""
    folder = data.parent
    (folder / "attempt.py").write_text(PROGRAM)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    arguments = [str(each) for each in (data, out, store, int(number), at)]
    ended = run_module("attempt", arguments, environment=environment, folder=folder)
    return ended.returncode, ended.stdout + ended.stderr


def results(out: Path) -> tuple[str, list[dict[str, float]]]:
    """Return the weights' digest, and the history without what depends on the clock."""
    epochs = json.loads((out / "history.json").read_text())["epochs"]
    timeless = [{k: v for k, v in each.items() if k not in ("seconds", "images_per_second")} for each in epochs]
    return json.loads((out / "training.json").read_text())["weights_sha256"], timeless


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
def test_a_killed_training_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    """SIGKILL, then SIGTERM, at random points; the third attempt has the very weights and metrics of one calm run."""
    data, store = tmp_path / "data", tmp_path / "store"
    write_patterns(data, train=3200)  # 25 steps an epoch: three checkpoints or more
    store.mkdir()
    status, output = train(data, tmp_path / "calm", "")
    assert status == 0, output
    status, output = train(data, tmp_path / "out", store, signal.SIGKILL, random.choice((1, 2, 3)))
    assert status == -signal.SIGKILL, output
    status, output = train(data, tmp_path / "out", store, signal.SIGTERM, random.choice((1, 2)))
    assert status == 128 + signal.SIGTERM and "the next attempt goes on from here" in output, output
    status, output = train(data, tmp_path / "out", store)
    assert status == 0 and "checkpoint: going on after step" in output, output
    assert results(tmp_path / "out") == results(tmp_path / "calm")
    assert not list(store.glob("*.checkpoint"))
