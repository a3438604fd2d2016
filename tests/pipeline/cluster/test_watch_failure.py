"""What `watch` shows of a step that failed: what the step wrote into its log, else what is known of its pod."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from components.failure import MARK, failure_of
from components.pod_end import STEP_FAILED
from deep_mnist.storage.store import StorageError
from pipeline.__main__ import pipeline
from tests.support.argo import Workflow
from tests.support.kfp_logs import DRIVER_LOG, LAUNCHER_KILLED, LAUNCHER_UNAVAILABLE, launcher_log

pytestmark = pytest.mark.usefixtures("pushed_images")


def watched(server, log: str, message: str = "Error (exit code 1)") -> str:
    """Submit a run whose train step fails with this log, and return what is printed."""
    server.progress = [Workflow(train=[("Failed", message)])]
    (pod,) = server.progress[0].pods_of("train")
    server.logs = {pod: log}
    options = ["submit", "--store", "gs://models/mnist", "--poll", "0.02", "--host", server.url, "--wait"]
    return CliRunner().invoke(pipeline, options).output


def chained() -> Exception:
    error = StorageError("Expected a registry. Received: a broken one. Fix: restore it.")
    error.__cause__ = StorageError("Expected a store. Received: none. Fix: mount it.")
    return error


def test_what_the_step_wrote_is_shown_whole(server):
    """However long the log, and with a collector's times before its lines: message, fix and causes, and no noise."""
    failure = failure_of(chained(), "train")
    log = "".join(f"2026-01-01T00:00:00Z line {n}\n" for n in range(500))
    shown = watched(server, f"{log}2026-01-01T00:00:00Z {MARK}{failure.to_json()}\nerror: exit status 1\n")

    assert "StorageError: Expected a registry. Received: a broken one. Fix: restore it." in shown
    assert "caused by StorageError: Expected a store. Received: none. Fix: mount it." in shown
    assert "line 499" not in shown and MARK not in shown


def test_a_fault_nobody_foresaw_is_shown_with_the_end_of_its_log(server):
    """The traceback and the failure, not its form for machines."""
    failure = failure_of(KeyError("x"), "train")
    shown = watched(server, f"Traceback (most recent call last):\nKeyError: 'x'\n{MARK}{failure.to_json()}\n")

    assert "Traceback (most recent call last):" in shown and "Fix: " in shown
    assert MARK not in shown


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("main: OOMKilled (exit code 137)", "pipeline/resources.py"),
        ("main: Error (exit code 137)", "killed the process"),
        ("The node was low on resource: ephemeral-storage.", "disk"),
        ("Pod was active on the node longer than the specified deadline", "time limit"),
    ],
)
def test_a_pod_that_was_ended_from_outside_gets_a_fix(server, message, fix):
    """The step had no chance to tell; what its pod's message means is said."""
    shown = watched(server, "epoch 1\n", message)

    assert message in shown and "epoch 1" in shown
    assert any(line.startswith("Fix: ") and fix in line for line in shown.splitlines())


@pytest.mark.parametrize("patched", [True, False], ids=["words in the message", "words in the log only"])
@pytest.mark.parametrize(
    ("log", "words", "fix"),
    [
        (launcher_log("epoch 1\nKilled", LAUNCHER_KILLED), "exit status 137", "killed the process"),
        (launcher_log("validate: fit", LAUNCHER_UNAVAILABLE), "code = Unavailable", "Kubeflow's own pods"),
        (DRIVER_LOG, "KFP driver: driver.Container", "Kubeflow's own pods"),
    ],
    ids=["killed", "launcher", "driver"],
)
def test_what_the_platform_did_is_said_without_its_frames(server, log, words, fix, patched):
    """The step's own lines, Kubeflow's last words and one fix; none of its JSON, and nothing twice."""
    tail = log[-2048:] if patched else ""
    shown = watched(server, log, f"main: Error (exit code 1): {tail}" if patched else "main: Error (exit code 1)")
    said = shown.partition("--- train: ")[2]

    assert said.startswith("main: Error (exit code 1) (pod ")
    assert said.count(words) == 1
    assert not any(frame in said for frame in ("{", "argo=true", "launcher_v2.go", "main.go", "KFP Executor"))
    assert [line for line in said.splitlines() if line.startswith("Fix: ")] and fix in said
    assert len(said.splitlines()) < 9


def test_a_message_speaks_where_there_is_no_log(server):
    """The log is gone with the pod; what the step told Kubernetes is in the node's message."""
    server.progress = [Workflow(train=[("Failed", f"main: Error (exit code 1): {STEP_FAILED} UnfitDataError: x")])]
    options = ["submit", "--store", "gs://models/mnist", "--poll", "0.02", "--host", server.url, "--wait"]
    shown = CliRunner().invoke(pipeline, options).output

    assert "UnfitDataError: x" in shown and STEP_FAILED not in shown and "No log" not in shown
