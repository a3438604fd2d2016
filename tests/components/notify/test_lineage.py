"""notify tells OpenLineage of a run on a cluster: steps with their times, ends and errors, data with their digests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from components.failure import MARK, Failure
from components.notify import notify
from components.notify.notify import notify_lineage
from deep_mnist.lineage import versions_line
from tests.support.argo import Workflow
from tests.support.kfp_server import KfpServer
from tests.support.lineage import events, transport, versions
from tests.support.manifests import ROOT
from tests.support.webhook import running_webhook

RUN = "6f1f7a52-6d5a-4a1e-9df0-1c2f7d1f0a11"
NAMES = {"dataset": "gs://bucket/digits", "registry": "gs://bucket/registry", "model_name": "digits"}
DIGESTS = {"dataset": "d" * 64, "trained": "e" * 64, "model": "f" * 64}


@pytest.fixture
def api(server: KfpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KfpServer]:
    """Kubeflow's API with one run, whose OpenLineage events go to a file."""
    monkeypatch.setattr(notify, "PAUSE", 0.01)
    monkeypatch.setattr(notify, "PATIENCE", 0.0)
    monkeypatch.setenv("DEEP_MNIST_KUBEFLOW_API", server.url)
    for name, value in transport(tmp_path).items():
        monkeypatch.setenv(name, value)
    server.runs[RUN] = {"run_id": RUN}
    yield server


def succeeded() -> Workflow:
    """A run whose training lost its first pod, and whose data came from the cache."""
    attempts = [("Error", "pod deleted"), ("Succeeded", "")]
    workflow = Workflow(train=attempts, evaluate="Succeeded", publish="Succeeded").cached("prepare")
    return workflow.group("exit-handler-1", phase="Succeeded").driver("notify", "Running")


def test_each_step_is_told_with_what_it_read_and_wrote(api: KfpServer, tmp_path: Path) -> None:
    """In order of their starts, below one run that bears Kubeflow's id; the reused step is as complete as others."""
    api.progress = [succeeded()]
    (evaluate,), (publish,) = api.progress[0].pods_of("evaluate"), api.progress[0].pods_of("publish")
    api.logs = {evaluate: f"evaluate: …\n{versions_line(**DIGESTS)}\n", publish: "publish: PUBLISHED version=1 …\n"}
    notify_lineage(RUN, "COMPLETE", NAMES)
    told = events(tmp_path)
    ends = {each["job"]["name"]: each for each in told if each["eventType"] == "COMPLETE"}
    dataset, trained = ("tests", "digits/dataset", "d" * 64), ("tests", "digits/trained", "e" * 64)

    assert [each["eventType"] for each in told] == ["START"] + ["START", "COMPLETE"] * 4 + ["COMPLETE"]
    assert list(ends) == [*(f"deep-mnist.{each}" for each in ("train", "evaluate", "publish", "prepare")), "deep-mnist"]
    assert {each["run"]["facets"]["parent"]["run"]["runId"] for each in told[1:-1]} == {RUN}
    assert told[0]["run"]["runId"] == told[-1]["run"]["runId"] == RUN
    times = [datetime.fromisoformat(each["eventTime"]) for each in told[1:-1]]
    assert all(started < ended for started, ended in zip(times[::2], times[1::2], strict=True))
    assert list(versions(ends["deep-mnist.train"]["outputs"])) == [trained]
    assert list(versions(ends["deep-mnist.publish"]["inputs"])) == [dataset, trained]
    assert list(versions(ends["deep-mnist.publish"]["outputs"])) == [("gs://bucket", "registry/digits", "f" * 64)]
    (source,) = ends["deep-mnist.prepare"]["inputs"]
    assert (source["namespace"], source["name"]) == ("gs://bucket", "digits")


def test_a_failure_is_told_with_what_the_step_said(api: KfpServer, tmp_path: Path) -> None:
    """The step and the run FAIL with it; what never began is not told of."""
    api.progress = [Workflow(prepare="Succeeded", require_valid="Failed").omitted("train")]
    failure = Failure("UnfitDataError", "images.range: 0..255", fix="divide by 255", step="require-valid")
    api.logs = {api.progress[0].pods_of("require-valid")[0]: f"{MARK}{failure.to_json()}\n"}
    notify_lineage(RUN, "FAILED", NAMES)
    told = {each["job"]["name"]: each for each in events(tmp_path) if each["eventType"] == "FAIL"}

    assert list(told) == ["deep-mnist.require-valid", "deep-mnist"]
    assert all("divide by 255" in each["run"]["facets"]["errorMessage"]["message"] for each in told.values())


def test_a_terminated_run_is_aborted(api: KfpServer, tmp_path: Path) -> None:
    """Its step's end is nobody's failure."""
    api.progress = [Workflow(train=("Failed", "main: Error (exit code 143)")).terminated()]
    notify_lineage(RUN, "RUNNING", NAMES)

    assert [each["eventType"] for each in events(tmp_path)] == ["START", "START", "ABORT", "ABORT"]


def test_what_cannot_be_told_is_one_line(
    api: KfpServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No API, no receiver; and without an address nothing is tried."""
    api.progress = [succeeded()]
    monkeypatch.delenv("OPENLINEAGE_CONFIG")
    notify_lineage(RUN, "COMPLETE", NAMES)
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", '{"type": "http", "url": "http://127.0.0.1:9", "retry": {"total": 0}}')
    notify_lineage(RUN, "COMPLETE", NAMES)
    monkeypatch.setenv("DEEP_MNIST_KUBEFLOW_API", "http://127.0.0.1:9")
    notify_lineage(RUN, "COMPLETE", NAMES)
    receiver, of_api = (line for line in capsys.readouterr().out.splitlines() if line.startswith("lineage: "))

    assert receiver.startswith("lineage: OpenLineage's events were not sent: ")
    assert of_api.startswith("lineage: Kubeflow's API tells nothing of the run's steps: ")


PIPELINE = """
import sys
from kfp import dsl, local
from components.notify.component import notify

@dsl.component(base_image="python-deep-mnist/x:1", install_kfp_package=False)
def step() -> None:
    pass

@dsl.pipeline
def told(run: str) -> None:
    with dsl.ExitHandler(notify(run_id=run, run_name="", dataset="mnist", registry="r", model_name="m")):
        step()

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
told(run=sys.argv[2])
"""


def test_the_component_tells_a_receiver_over_http(
    api: KfpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Under kfp's own executor, by the variables that the Secret's keys become, with its API key."""
    api.progress = [succeeded()]
    script = tmp_path / "told.py"  # kfp reads the source of a component from its file
    script.write_text(PIPELINE)
    monkeypatch.delenv("OPENLINEAGE_CONFIG")
    with running_webhook() as receiver:
        address = receiver.url.partition("/services")[0]
        variables = {"OPENLINEAGE_URL": address, "OPENLINEAGE_API_KEY": "known", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(script), str(tmp_path / "root"), RUN]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **variables}, check=False
        )
        received = list(receiver.received)

    assert done.returncode == 0, done.stdout + done.stderr
    assert [each["eventType"] for each in received[-2:]] == ["COMPLETE", "COMPLETE"], done.stdout + done.stderr
    assert {each["job"]["namespace"] for each in received} == {"tests"}
