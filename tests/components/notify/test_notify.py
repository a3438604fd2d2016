"""notify: one JSON object to a webhook, and nothing that could fail the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from components.failure import MARK, Failure
from components.notify import notify
from components.notify.notify import notification, notify_webhook
from tests.support.argo import Workflow
from tests.support.kfp_server import KfpServer
from tests.support.manifests import ROOT
from tests.support.webhook import Webhook, running_webhook


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(notify, "PAUSE", 0.01)


@pytest.fixture
def webhook(monkeypatch) -> Iterator[Webhook]:
    with running_webhook() as server:
        monkeypatch.setenv("DEEP_MNIST_WEBHOOK", f"{server.url}\n")  # as `kubectl create secret --from-file` leaves it
        yield server


@pytest.fixture
def api(server: KfpServer, monkeypatch) -> KfpServer:
    """Kubeflow's API with one run, "r"."""
    monkeypatch.setenv("DEEP_MNIST_KUBEFLOW_API", server.url)
    monkeypatch.setattr(notify, "PATIENCE", 0.0)
    server.runs["r"] = {"run_id": "r"}
    return server


def test_a_failure_is_reported_with_its_step_and_error(webhook, api, monkeypatch):
    """Status, step, what the step said of its error, and a link to the run."""
    monkeypatch.setenv("DEEP_MNIST_KUBEFLOW_UI", "https://kubeflow.example/")
    api.progress = [Workflow(download=[("Error", "pod deleted"), ("Succeeded", "")], require_valid="Failed")]
    failure = Failure(
        "UnfitDataError", "images.range: 0..255", expected="0..1", fix="divide by 255", step="require-valid"
    )
    api.logs = {api.progress[0].pods_of("require-valid")[0]: f"noise\n{MARK}{failure.to_json()}\n"}
    notify_webhook("r", "nightly", "FAILED")
    (received,) = webhook.received

    assert {key: received[key] for key in ("status", "step", "run", "run_id")} == {
        "status": "FAILED", "step": "require-valid", "run": "nightly", "run_id": "r",
    }  # fmt: skip
    assert received["error"] == failure.text()
    assert received["link"] == "https://kubeflow.example/#/runs/details/r"
    assert received["text"].startswith("nightly FAILED in require-valid: UnfitDataError")


def test_a_pod_that_died_without_a_word(webhook, api):
    """It leaves Kubeflow's state at RUNNING and no log: the failed pod says what happened."""
    api.progress = [Workflow(train=("Failed", "main: OOMKilled (exit code 137)"))]
    notify_webhook("r", "", "RUNNING")
    (received,) = webhook.received

    assert (received["status"], received["step"]) == ("FAILED", "train")
    assert received["error"] == "main: OOMKilled (exit code 137)"


@pytest.mark.parametrize("state", ["RUNNING", "FAILED"])
def test_a_terminated_run_is_canceled(webhook, api, state):
    """Kubeflow's state of it is any other; its step and the step's end are nobody's fault."""
    api.progress = [Workflow(train=("Failed", "main: Error (exit code 143)")).terminated()]
    notify_webhook("r", "", state)
    (received,) = webhook.received

    assert (received["status"], received["step"], received["error"]) == ("CANCELED", "", "")


def test_an_unchanged_slot_succeeded(webhook, api):
    """A skipped condition leaves Kubeflow's state at RUNNING: Argo's phase of what the exit handler guards is true."""
    unchanged = Workflow(compare="Succeeded").group("condition-2", phase="Skipped")
    api.progress = [unchanged.group("exit-handler-1", phase="Succeeded")]
    notify_webhook("r", "", "RUNNING")

    assert [(each["status"], each["step"]) for each in webhook.received] == [("SUCCEEDED", "")]
    assert len(api.sent("GET")) == 1  # at once


@pytest.mark.parametrize(
    ("state", "status"),
    [("COMPLETE", "SUCCEEDED"), ("CACHED", "SUCCEEDED"), ("SUCCEEDED", "SUCCEEDED"), ("CANCELED", "CANCELED")],
)
def test_an_end_without_failure_needs_no_api(webhook, state, status):
    """The states are those of Kubeflow's metadata store; nothing else is asked."""
    notify_webhook("r", "nightly", state)

    assert [(each["status"], each["step"], each["error"]) for each in webhook.received] == [(status, "", "")]


@pytest.mark.parametrize(("state", "status"), [("FAILED", "FAILED"), ("RUNNING", "UNKNOWN")])
def test_without_the_api_the_status_is_still_reported(webhook, monkeypatch, state, status):
    """An API that is not there, or that demands a token, costs step and error only."""
    monkeypatch.setenv("DEEP_MNIST_KUBEFLOW_API", "http://127.0.0.1:9")
    notify_webhook("r", "nightly", state)

    assert [(each["status"], each["step"]) for each in webhook.received] == [(status, "")]


def test_no_secret_no_post(webhook, monkeypatch, capsys):
    """An absent Secret is no error."""
    monkeypatch.delenv("DEEP_MNIST_WEBHOOK")
    notify_webhook("r", "nightly", "COMPLETE")

    assert webhook.received == []
    assert "No webhook" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statuses", "posts", "said"),
    [
        ([500, 200], 2, "Posted: HTTP 200"),
        ([503] * 9, 3, "Not posted: HTTP 503"),
        ([404] * 9, 1, "Not posted: HTTP 404"),
    ],
)
def test_a_failing_webhook_fails_nothing(webhook, capsys, statuses, posts, said):
    """It is tried again while that may help, and its response is only printed; its address, a secret, is not."""
    webhook.statuses = statuses
    notify_webhook("r", "nightly", "COMPLETE")
    printed = capsys.readouterr()

    assert len(webhook.received) == posts
    assert said in printed.out
    assert "secret" not in printed.out + printed.err


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/services/secret", "no address", "http://"])
def test_a_webhook_that_is_not_there_fails_nothing(monkeypatch, capsys, address):
    """Nobody listens, or the Secret holds no address."""
    monkeypatch.setenv("DEEP_MNIST_WEBHOOK", address)
    notify_webhook("r", "nightly", "COMPLETE")
    printed = capsys.readouterr().out

    assert "Not posted: " in printed and "services" not in printed


def test_a_long_error_is_cut(api):
    """A log's worth of error does not travel."""
    api.progress = [Workflow(train=("Failed", "x" * 9000))]

    assert len(notification("r", "nightly", "FAILED")["error"]) == 2000


RUN = """
import sys
from kfp import dsl, local
from components.notify.component import notify

@dsl.component(base_image="python-deep-mnist/x:1", install_kfp_package=False)
def step(fails: bool) -> None:
    if fails:
        raise SystemExit("bad data")

@dsl.pipeline
def reported(fails: bool) -> None:
    with dsl.ExitHandler(notify(run_id="r", run_name="here", dataset="mnist", registry="r", model_name="m")):
        step(fails=fails)

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1], raise_on_error=False)
reported(fails=sys.argv[2] == "fails")
"""


@pytest.mark.parametrize(("argument", "status"), [("fails", "FAILED"), ("passes", "SUCCEEDED")])
def test_kubeflow_runs_it_as_an_exit_handler(webhook, api, tmp_path, argument, status):
    """The component, under kfp's own executor, receives the end of the group that it guards."""
    api.progress = [Workflow(step="Failed")]
    script = tmp_path / "reported.py"  # kfp reads the source of a component from its file
    script.write_text(RUN)
    command = [sys.executable, str(script), str(tmp_path / "root"), argument]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment)

    assert [each["status"] for each in webhook.received] == [status], done.stdout + done.stderr
