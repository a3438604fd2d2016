"""`make run` as its users meet it: a promoted model, a refusal with its reasons, an interruption, bad input."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from components.storage import open_store
from tests.digits import draw_digits, write_idx_folder, write_raw_folder
from tests.runs import command, environment, processes_of, run_pipeline

FAST = ("--epochs", 3, "--network", "fast")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with 2,000 + 400 raw digits in `digits`, and the first run's ending."""
    folder = tmp_path_factory.mktemp("run")
    write_raw_folder(folder / "digits")
    return folder, run_pipeline(folder, "--dataset", "digits", *FAST)


def test_a_run_publishes_a_model_and_a_report(place):
    """The whole pipeline on small digits ends PUBLISHED, with a version folder and a self-contained report."""
    folder, ended = place

    assert ended.status == 0, "\n".join(ended.lines) + ended.errors
    assert re.match(r"PUBLISHED version=1 accuracy=(1\.0000|0\.9\d+) seconds=\d+\.\d report=\S+$", ended.last)
    assert (folder / "registry" / "digits" / "1" / "saved_model.pb").is_file()
    report = ended.report.read_text()
    assert "http" not in report.replace("http://www.w3.org", "")
    for heading in ("The data", "Training", "Evaluation", "Model card"):
        assert f"<h2>{heading}</h2>" in report


def test_a_second_run_reuses_what_is_unchanged(place):
    """Download to train are reused and said to be; the same model does not depose itself."""
    folder, _ = place
    ended = run_pipeline(folder, "--dataset", "digits", *FAST)

    assert ended.status == 0, "\n".join(ended.lines) + ended.errors
    assert ended.last.startswith("NOT PROMOTED accuracy=")
    assert 'reason="' in ended.last
    states = {event["task"]: event["state"] for event in ended.events() if event["event"] == "end"}
    assert [states[task] for task in ("download", "preprocess", "validate", "train")] == ["cached"] * 4
    assert [states[task] for task in ("evaluate", "publish")] == ["done"] * 2
    assert any("train" in line and "unchanged, reused" in line for line in ended.lines)


def damaged(kind):
    """Prepared training data with one fault each, and the built-in network they are meant for."""
    images, labels = draw_digits(400)
    one_hot = np.eye(10, dtype=np.float32)[labels]
    return {
        "uint8 for a float network": (images[..., None], one_hot),
        "no channel axis": (images.astype(np.float32) / 255, one_hot),
        "integer labels": (images[..., None].astype(np.float32) / 255, labels.astype(np.int64)),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("uint8 for a float network", "images.dtype"),
        ("no channel axis", "images.rank"),
        ("integer labels", "labels.encoding"),
    ],
)
def test_damaged_data_stop_at_validate(tmp_path, kind, field):
    """Data that the network cannot use end the run before training, with the fault by name."""
    images, labels = damaged(kind)
    (tmp_path / "own").mkdir()
    np.save(tmp_path / "own" / "train_images.npy", images)
    np.save(tmp_path / "own" / "train_labels.npy", labels)
    ended = run_pipeline(tmp_path, "--dataset", "own", "--network", "example2")

    assert (ended.status, ended.last.split(" findings=")[0]) == (1, "FAILED step=validate")
    assert any(field in line for line in ended.lines)
    events = ended.events()
    assert not [event for event in events if event["task"] == "train"]
    assert not (tmp_path / "registry").exists()
    assert field in ended.report.read_text()


def test_the_seeds_first_example_is_refused(tmp_path):
    """Example 1 feeds uint8 pixels to a network that scales nothing; validate names it."""
    write_raw_folder(tmp_path / "digits", 400, 100)
    ended = run_pipeline(tmp_path, "--dataset", "digits", "--network", "example1", "--json")
    told = json.loads(ended.lines[-1])

    assert (ended.status, told["status"], told["step"]) == (1, "FAILED", "validate")
    assert "images." in told["why"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process_and_a_clear_last_line(tmp_path, number):
    """Ctrl-C and SIGTERM in the middle of a step end every process of the run."""
    write_raw_folder(tmp_path / "digits", 20000 if number == signal.SIGTERM else 2000, 100)
    run = subprocess.Popen(
        command("--dataset", "digits", "--epochs", 500),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = _wait_for_task(tmp_path / "runs", "train")
    time.sleep(1)
    run.send_signal(number)
    output, _ = run.communicate(timeout=60)

    assert run.returncode == 128 + number
    assert output.splitlines()[-1].startswith("INTERRUPTED step=train seconds=")
    assert processes_of(folder) == []


def test_a_killed_parent_takes_its_processes_along(tmp_path):
    """Even SIGKILL of the command leaves nothing running."""
    write_raw_folder(tmp_path / "digits", 2000, 100)
    run = subprocess.Popen(
        command("--dataset", "digits", "--epochs", 500), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL
    )
    folder = _wait_for_task(tmp_path / "runs", "preprocess")
    run.kill()
    run.wait()
    deadline = time.monotonic() + 15
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert processes_of(folder) == []


def _wait_for_task(runs, task):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for events in runs.glob("*/events.jsonl"):
            if any(json.loads(line)["task"] == task for line in events.read_text().splitlines()):
                return events.parent
        time.sleep(0.1)
    raise TimeoutError(task)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dataset", "mnits"), "Expected DATASET to be one of mnist, fashion-mnist"),
        (("--network", "fats"), "fast"),
        (("--model", "none.keras"), "Expected MODEL to be a .keras file"),
        (("--runs", "/proc/runs"), "Expected a folder to write runs to"),
        (("--runs", "with-python3/runs"), "without the text 'python3'"),
        (("--store", "with-python3"), "without the text 'python3'"),
        (("--store", "/proc/registry"), "Expected STORE to be a folder that can be written"),
        (("--epochs", "-1"), "--epochs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_run_is_refused_before_anything_starts(tmp_path, options, message):
    """Bad input gets exit status 2, a message with the mend, and leaves nothing behind."""
    ended = run_pipeline(tmp_path, *options)

    assert ended.status == 2
    assert message in " ".join(ended.errors.split())
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_fails_names_its_reason(tmp_path):
    """An address that does not answer ends FAILED at download, and the reason is printed."""
    ended = run_pipeline(tmp_path, "--dataset", "http://127.0.0.1:9/digits.npz")

    assert ended.status == 1
    assert ended.last.startswith("FAILED step=download findings=0 ")
    assert any("Expected to reach" in line for line in ended.lines)


def test_a_full_disk_is_named(tmp_path):
    """A disk that fills up in the middle of a step ends the run with that reason."""
    write_raw_folder(tmp_path / "digits", 12000, 100)
    (tmp_path / "runs").mkdir()
    mount = f"mount -t tmpfs -o size=12m tmpfs {tmp_path}/runs"
    if subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    quoted = " ".join(command("--dataset", "digits"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{mount} && exec {quoted}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Expected room on the disk" in done.stdout or "No space left on device" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("FAILED step=")


def test_a_run_reads_and_publishes_in_object_storage(tmp_path, bucket):
    """Data from a bucket and a registry in it, over HTTP against a real fake-gcs-server."""
    store = open_store(bucket)
    for path in write_idx_folder(tmp_path / "idx", 1500, 300).iterdir():
        store.upload_file(path, f"digits/{path.name}")
    ended = run_pipeline(tmp_path, "--dataset", f"{bucket}/digits", "--store", f"{bucket}/registry", *FAST)

    assert ended.last.startswith("PUBLISHED version=1 "), "\n".join(ended.lines)
    assert store.exists("registry/digits/1/saved_model.pb")
    assert not (tmp_path / "registry").exists()
