"""watch: a run as Kubeflow's API tells it, with Argo's own nodes, retries, pending pods and broken logs."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from components.failure import MARK, Failure
from pipeline.__main__ import pipeline
from tests.support.argo import Workflow
from tests.support.kfp_logs import launcher_log
from tests.support.kfp_server import KfpServer

RUN = ("submit", "--store", "gs://models/mnist", "--poll", "0.02", "--wait")
pytestmark = pytest.mark.usefixtures("pushed_images")


def submit(server: KfpServer, *arguments: str):
    return CliRunner().invoke(pipeline, [*RUN, "--host", server.url, *arguments])


def lines(shown) -> list[str]:
    return [" ".join(line.split()) for line in shown.output.splitlines()]


@pytest.mark.parametrize(("phase", "end", "status"), [("Succeeded", "SUCCEEDED", 0), ("Failed", "FAILED", 1)])
def test_waiting_ends_as_the_run_ends(server, phase, end, status):
    """--wait shows each change of a step and exits by the run's final state."""
    server.progress = [
        Workflow(),
        Workflow(prepare="Running"),
        Workflow(prepare="Succeeded", require_valid="Running"),
        Workflow(prepare="Succeeded", require_valid=phase),
    ]
    shown = submit(server)

    assert shown.exit_code == status, shown.output
    assert lines(shown)[1:5] == [
        "prepare running", "prepare succeeded", "require-valid running", f"require-valid {phase.lower()}",
    ]  # fmt: skip
    assert lines(shown)[-1].startswith(f"{end} run=")


@pytest.mark.parametrize("reported", [True, False])
def test_a_terminated_run_is_canceled(server, reported):
    """Kubeflow ends it as FAILED; no advice is given, and the status is that of a canceled run. Nothing else is said
    where the end came before the first report of the request."""
    stopped = ("Failed", "Step exceeded its deadline")
    server.progress = [
        Workflow(prepare="Running"),
        Workflow(prepare="Running").terminated(),
        Workflow(prepare=stopped).terminated(reported=reported),
    ]
    shown = submit(server)

    assert shown.exit_code == 3, shown.output
    assert "Fix:" not in shown.output and "deadline" not in shown.output
    assert lines(shown)[-1].startswith("CANCELED run=")


def test_only_steps_of_the_definition_are_shown(server):
    """Drivers, executors, groups of tasks, the workflow itself and single attempts are Argo's, not the pipeline's; of a
    pod that was lost a line tells."""
    server.progress = [
        Workflow(prepare=[("Error", "pod deleted"), ("Running", "")]).group("condition-1"),
        Workflow(prepare=[("Error", "pod deleted"), ("Succeeded", "")]),
    ]
    shown = submit(server)

    assert lines(shown)[1:-1] == ["prepare running", "prepare attempt 2: pod deleted", "prepare succeeded"]
    assert "deep-mnist-x7k2p" in {each["display_name"] for each in server.progress[0].task_details()}


def test_the_log_of_the_failing_step_is_shown(server):
    """After a failure the last pod of each failed step is named, with its message and log; a retried success is not."""
    server.progress = [
        Workflow(
            prepare=[("Error", "pod deleted"), ("Succeeded", "")],
            train=[("Failed", "main: OOMKilled (exit code 137)")],
        )
    ]
    (pod,) = server.progress[0].pods_of("train")
    server.logs = {pod: "epoch 1\nkilled\n"}
    shown = submit(server)

    assert f"--- train: main: OOMKilled (exit code 137) (pod {pod})" in shown.output
    assert "epoch 1\nkilled\n" in shown.output
    assert "--- prepare" not in shown.output and "--- root" not in shown.output
    assert shown.output.count("--- ") == 1


def test_what_a_step_wrote_of_its_failure_is_shown(server):
    """A refusal that the step foresaw is shown by its sentences, not by its log."""
    server.progress = [Workflow(require_valid="Failed")]
    (pod,) = server.progress[0].pods_of("require-valid")
    failure = Failure("UnfitDataError", "images.range: 0..255", expected="0..1", received="0..255", fix="divide by 255")
    server.logs = {pod: f"noise\n{MARK}{failure.to_json()}\nF1124 main.go:50] exit status 1\n"}
    shown = submit(server)

    assert failure.text() in shown.output
    assert "noise" not in shown.output and "main.go" not in shown.output


@pytest.mark.parametrize(
    ("log", "end"), [("", "No log. Received: "), ("epoch 1\n", "epoch 1\nNo further log. Received: ")]
)
def test_an_error_of_the_log_is_not_printed_as_log(server, log, end):
    """The API says 200 before it reads a log, so the error is in the body: it is told apart from what was read."""
    server.progress = [Workflow(train="Failed")]
    (pod,) = server.progress[0].pods_of("train")
    server.logs = {pod: log} if log else {}
    server.cut_logs = {pod}
    shown = submit(server)

    assert f"{end}BadRequestError: Failed to read logs" in shown.output
    assert "error_details" not in shown.output
    assert "`executor-logs`" in shown.output


NO_GPU = (
    "Unschedulable: 0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint(s). "
    "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
NO_IMAGE = 'ImagePullBackOff: Back-off pulling image "registry.example/deep-mnist/train:1"'
NO_QUOTA = (
    'pods "deep-mnist-x7k2p-1" is forbidden: exceeded quota: deep-mnist-budget, requested: requests.cpu=2, '
    "used: requests.cpu=31, limited: requests.cpu=32"
)


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        (NO_GPU, "--gpu"),
        (NO_IMAGE, "--pull-secret"),
        (NO_QUOTA, "ResourceQuota"),
        (NO_QUOTA.replace("requests.cpu=2,", "requests.nvidia.com/gpu=1,"), "overlays/gpu"),
        (
            "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            "--node-selector",
        ),
        ("PodInitializing", ""),
        ("", ""),
    ],
)
def test_why_a_step_is_pending(server, message, fix):
    """What Kubernetes says of a pending pod is shown beside its step, with what to do, and at the end of patience."""
    server.progress = [Workflow(prepare="Succeeded", train=("Pending", message))]
    shown = submit(server, "--patience", "0.1")

    assert shown.exit_code == 4
    reason = f": {message}" if message else ""
    assert f"train pending{reason}" in " ".join(shown.output.split())
    assert fix in shown.output
    assert shown.output.splitlines()[-2].startswith(f"train is pending{reason[:40]}")
    assert "no reason" not in shown.output


def test_a_pending_driver_is_reported_by_its_step(server):
    """A step whose driver's pod cannot start is pending, too; and the driver of the whole run is the run's."""
    server.progress = [Workflow(prepare="Succeeded").driver("require-valid", "Pending", NO_IMAGE)]
    server.progress[0].state = "RUNNING"
    shown = submit(server, "--patience", "0.1")

    assert "require-valid is pending: ImagePullBackOff" in shown.output


def test_a_step_that_runs_again_is_no_longer_pending(server):
    """A reason is shown while it holds."""
    server.progress = [
        Workflow(train=("Pending", NO_GPU)),
        Workflow(train=[("Error", "pod deleted"), ("Running", "")]),
        Workflow(train=[("Error", "pod deleted"), ("Succeeded", "")]),
    ]
    shown = submit(server)

    assert [line.partition(":")[0] for line in lines(shown)[1:-1]] == [
        "train pending",
        "train running",
        "train attempt 2",
        "train succeeded",
    ]
    assert shown.exit_code == 0


def test_watch_joins_a_run(server):
    """`watch RUN` follows a run that somebody else started."""
    CliRunner().invoke(pipeline, ["submit", "--store", "gs://models/mnist", "--host", server.url])
    shown = CliRunner().invoke(pipeline, ["watch", next(iter(server.runs)), "--host", server.url, "--poll", "0.02"])

    assert shown.exit_code == 0
    assert lines(shown) == ["prepare succeeded", lines(shown)[-1]]


def test_watch_joins_a_run_of_a_schedule(server):
    """A schedule's run carries no definition, only its version's id: the steps are those of the version."""
    command = ["schedule", "apply", "--store", "gs://models/mnist", "--host", server.url]
    assert CliRunner().invoke(pipeline, command).exit_code == 0
    (schedule,) = server.created["recurringruns"]
    reference = schedule.pipeline_version_reference.to_dict()
    server.runs["r"] = {"run_id": "r", "pipeline_version_reference": reference}
    server.progress = [Workflow(compare="Succeeded", unknown="Succeeded")]
    shown = CliRunner().invoke(pipeline, ["watch", "r", "--host", server.url, "--poll", "0.02"])

    assert shown.exit_code == 0, shown.output
    assert lines(shown)[:-1] == ["compare succeeded"]


def test_waiting_outlasts_a_short_outage(server):
    """An API that is away for a moment does not end the watch."""
    CliRunner().invoke(pipeline, ["submit", "--store", "gs://models/mnist", "--host", server.url])
    identity = next(iter(server.runs))
    server.fail[("GET", f"/runs/{identity}")] = [502, 503]
    shown = CliRunner().invoke(pipeline, ["watch", identity, "--host", server.url, "--poll", "0.02"])

    assert shown.exit_code == 0, shown.output
    assert "HTTP 502" in lines(shown)[0] and "waiting for the API for 600 s" in lines(shown)[0]
    assert lines(shown)[1].startswith("The API answers again")


def test_patience_ends(server):
    """A run that does not end is left to itself after --patience, with its own exit status."""
    server.progress = [Workflow(train="Running")]
    shown = submit(server, "--patience", "0.1")

    assert shown.exit_code == 4
    assert "it goes on" in shown.output


def test_steps_that_never_began_are_not_listed(server):
    """After a failure Argo has nodes for what depends on it, of a state that Kubeflow leaves out."""
    server.progress = [Workflow(prepare="Failed").omitted("require-valid", "train")]
    shown = submit(server)

    assert [line for line in lines(shown) if line.split()[0] in ("require-valid", "train")] == []
    assert "prepare failed" in lines(shown)


def test_a_result_from_the_cache_is_told_apart(server):
    """A step whose container was skipped has not run."""
    server.progress = [Workflow(train="Running").cached("prepare"), Workflow(train="Succeeded").cached("prepare")]
    shown = submit(server)

    assert "prepare succeeded: from the cache" in lines(shown)
    assert "train succeeded" in lines(shown)


@pytest.mark.parametrize(
    ("step", "log", "said"),
    [
        ("publish", "publish: PUBLISHED version=3 accuracy=0.9953 at gs://m/3: first model", "PUBLISHED version=3"),
        ("publish", "publish: NOT PROMOTED accuracy=0.99 champion=0.9953: no better", "NOT PROMOTED accuracy=0.99"),
        ("select", "select: the best of 3 is fast seed 1", "the best of 3 is fast seed 1"),
        ("compare", "unchanged: data 6a359b240965 with this recipe were judged", "unchanged: data 6a359b240965"),
    ],
)
def test_a_success_says_what_was_decided(server, step, log, said):
    """The line that publish or compare prints of it comes before the last."""
    server.progress = [Workflow(**{step: "Succeeded"})]
    server.logs = {server.progress[0].pods_of(step)[0]: launcher_log(log, "")}
    shown = submit(server)

    assert shown.exit_code == 0
    assert shown.output.splitlines()[-2].startswith(said)


def test_a_decision_that_cannot_be_read_names_the_way(server):
    """Kubeflow has no log of a run whose nodes Argo has packed: silence would look like nothing to publish."""
    server.progress = [Workflow(publish="Succeeded")]
    shown = submit(server)

    assert shown.exit_code == 0
    assert "python -m pipeline models list" in lines(shown)[-2]


def test_the_trials_of_a_sweep_are_one_step_each(server):
    """Argo's loop nodes are no steps; a failed trial is named, though a later trial of the step goes on."""
    failed, running = ("Failed", "main: Error (exit code 1)"), ("Running", "")
    server.progress = [
        Workflow(download="Running").trials(preprocess=["Succeeded", ("Pending", NO_QUOTA)]),
        Workflow(download="Failed").trials(preprocess=["Succeeded"] * 3, train=["Succeeded", failed, running]),
    ]
    sent = CliRunner().invoke(pipeline, ["sweep", *RUN[1:3], "--host", server.url, *RUN[3:]])

    assert "iteration" not in sent.output and "for-loop" not in sent.output
    assert any(line.startswith("preprocess pending: pods") for line in lines(sent))
    assert "preprocess succeeded" in lines(sent)
    assert "train failed: 1 of 3 trials have succeeded" in lines(sent)
    assert "--- train of trial 2: main: Error (exit code 1)" in sent.output


def test_a_run_whose_nodes_argo_has_packed_is_followed(server, monkeypatch):
    """The API's own details stand still then: steps, trials and failures come from the Workflow."""
    monkeypatch.setattr("pipeline.cluster.watch.WORKFLOW_SECONDS", 0.0)
    told = Workflow(download="Running").trials(train=["Succeeded", "Running"])
    server.progress = [
        told,
        Workflow(download="Succeeded", select="Running").trials(train=["Succeeded"] * 3).packed(told),
        Workflow(download="Succeeded", select=("Failed", "main: OOMKilled (exit code 137)")).trials(
            train=["Succeeded"] * 3
        ).packed(told),
    ]  # fmt: skip
    sent = CliRunner().invoke(pipeline, ["sweep", *RUN[1:3], "--host", server.url, *RUN[3:]])

    assert [line for line in lines(sent) if line.startswith(("train ", "select "))] == [
        "train running: 1 of 3 trials have succeeded", "select running", "train succeeded", "select failed",
    ]  # fmt: skip
    assert "--- select: main: OOMKilled (exit code 137)" in sent.output


def test_an_api_that_stays_away_leaves_the_way_back(server, monkeypatch):
    """The run goes on without the API: the last words name it."""
    monkeypatch.setattr("pipeline.cluster.watch.OUTAGE_SECONDS", 0.0)
    CliRunner().invoke(pipeline, ["submit", "--store", "gs://models/mnist", "--host", server.url])
    identity = next(iter(server.runs))
    server.fail[("GET", f"/runs/{identity}")] = [503] * 9
    shown = CliRunner().invoke(pipeline, ["watch", identity, "--host", server.url, "--poll", "0.02"])

    assert shown.exit_code == 2
    assert f"python -m pipeline watch {identity}" in shown.output
