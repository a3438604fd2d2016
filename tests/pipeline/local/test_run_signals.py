"""A run that is interrupted leaves no process and says where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from pipeline.local.history import past_runs
from tests.support.digits import write_raw_folder
from tests.support.runs import command, environment, processes_of

FAST = ("--epochs", 3, "--network", "fast")


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
    _wait_for(lambda: processes_of(folder), "the step's process")
    run.send_signal(number)
    output, _ = run.communicate(timeout=240)

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
    assert [each.status for each in past_runs(folder.parent)] == ["RUNNING"]
    run.kill()
    run.wait()
    _wait_for(lambda: not processes_of(folder), "the end of every process")

    assert [each.status for each in past_runs(folder.parent)] == ["UNFINISHED"]


def _wait_for(condition, what):
    deadline = time.monotonic() + 240
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.1)


def test_a_run_goes_on_when_nobody_reads_it_any_more(tmp_path):
    """As `… | head -1` leaves it: the run ends, and its folder says how."""
    write_raw_folder(tmp_path / "digits", 400, 100)
    run = subprocess.Popen(
        command("--dataset", "digits", "--network", "example1"),
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    run.stdout.readline()
    run.stdout.close()
    errors = run.stderr.read()

    assert run.wait(timeout=500) == 1, errors
    (outcome,) = (tmp_path / "runs").glob("*/outcome.json")
    assert (json.loads(outcome.read_text())["status"], errors) == ("FAILED", "")


def _wait_for_task(runs, task):
    found = []

    def has_begun():
        for events in runs.glob("*/events.jsonl"):
            if any(json.loads(line).get("task") == task for line in events.read_text().splitlines()):
                found.append(events.parent)
        return found

    _wait_for(has_begun, task)
    return found[0]
