"""Schedules: what a cron expression means, and that applying twice is applying once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.cron import CronError, parse_cron
from pipeline.cluster.definition import compile_definition
from tests.support.kfp_server import KfpServer

MOMENT = datetime(2026, 2, 27, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("pushed_images")


def schedule(server: KfpServer, *arguments: str):
    """Call the command as a user does."""
    options = ("--host", server.url, *(STORE if arguments[0] == "apply" else ()))
    return CliRunner().invoke(pipeline, ["schedule", *arguments, *options])


STORE = ("--store", "gs://models/mnist")


@pytest.mark.parametrize(
    ("typed", "expression", "meaning", "first"),
    [
        ("0 0 3 * * *", "0 0 3 * * *", "at 03:00:00, every day", "2026-02-28T03:00:00"),
        ("0 3 * * *", "0 0 3 * * *", "at 03:00:00, every day", "2026-02-28T03:00:00"),
        ("0 3 * * * *", "0 3 * * * *", "second 0, minute 3, every hour, every day", "2026-02-27T12:03:00"),
        ("0 0 4 1 * ?", "0 0 4 1 * ?", "at 04:00:00, day of the month 1", "2026-03-01T04:00:00"),
        ("30 15 6 * * MON-FRI", "30 15 6 * * MON-FRI", "at 06:15:30, day of the week MON-FRI", "2026-03-02T06:15:30"),
        (
            "0 */20 * * * *",
            "0 */20 * * * *",
            "second 0, every 20 minutes, every hour, every day",
            "2026-02-27T12:20:00",
        ),
        ("0 0 0 29 2 *", "0 0 0 29 2 *", "at 00:00:00, day of the month 29, month 2", "2028-02-29T00:00:00"),
    ],
)
def test_what_an_expression_means(typed, expression, meaning, first):
    """Six fields are taken as they are, five get a second in front; both are shown in words and fire as shown."""
    cron = parse_cron(typed)

    assert cron.expression == expression
    assert cron.meaning() == meaning
    assert cron.next(1, MOMENT)[0].isoformat() == f"{first}+00:00"


@pytest.mark.parametrize(
    "typed",
    ["", "* * * *", "0 0 0 3 * * *", "0 0 24 * * *", "60 0 0 * * *", "0 0 3 * * 7", "0 0 3 L * *", "0 0 3 * * MON#2",
     "0 0 22-2 * * *", "0 0 3 1 * 1", "0 0 3 */0 * *", "@daily", "0 0 0 30 2 *", "0 0 -1 * * *", "0 0 1.5 * * *"],
)  # fmt: skip
def test_what_kubeflow_would_refuse_or_misread(typed):
    """A wrong number of fields, values out of range, foreign syntax, and dates that never come are refused."""
    with pytest.raises(CronError, match=r"Expected .* Received: "):
        parse_cron(typed)


def test_dry_run_talks_to_nobody():
    """--dry-run shows the meaning, the next three firings and the object, without a cluster, images or a store."""
    shown = CliRunner(env={"DEEP_MNIST_IMAGES": None}).invoke(
        pipeline, ["schedule", "--cron", "0 3 * * *", "--dry-run"]
    )

    assert shown.exit_code == 0, shown.output
    assert "'0 0 3 * * *' means at 03:00:00, every day (UTC)" in shown.output
    assert shown.output.count("  next ") == 3
    assert '"max_concurrency": "1"' in shown.output and '"no_catchup": true' in shown.output
    assert shown.output.endswith("Dry run: nothing was sent.\n")


def test_a_slip_of_the_pen_is_caught():
    """An expression that fires every second is refused unless that is meant."""
    command = ["schedule", "--cron", "* * 3 * * *", "--dry-run"]

    assert "say --often" in CliRunner().invoke(pipeline, command).output
    assert CliRunner().invoke(pipeline, [*command, "--often"]).exit_code == 0


def test_applying_twice_is_applying_once(server):
    """The same schedule again changes nothing and uploads nothing."""
    first = schedule(server, "apply")
    writes = len(server.sent("POST"))
    second = schedule(server, "apply")
    sent = server.created["recurringruns"][0]

    assert first.exit_code == 0, first.output
    assert "CREATED deep-mnist-retraining" in first.output
    assert "UNCHANGED deep-mnist-retraining enabled '0 0 3 * * *'" in second.output
    assert len(server.recurring) == 1 and len(server.sent("POST")) == writes
    assert (sent.max_concurrency, sent.no_catchup, sent.trigger.cron_schedule.cron) == ("1", True, "0 0 3 * * *")


def test_replacing_never_has_two_enabled(server):
    """A changed schedule is created disabled, the old one deleted, the new one enabled, in this order."""
    schedule(server, "apply")
    before = len(server.requests)
    replaced = schedule(server, "apply", "--cron", "0 30 4 * * *")
    order = [
        "create" if path.endswith("/recurringruns") else path.rpartition(":")[2] if verb == "POST" else "delete"
        for verb, path in server.requests[before:]
        if verb != "GET" and "recurringruns" in path
    ]

    assert "REPLACED deep-mnist-retraining" in replaced.output
    assert order == ["create", "delete", "enable"]
    assert server.created["recurringruns"][-1].mode == "DISABLE"
    assert [each["status"] for each in server.recurring.values()] == ["ENABLED"]


@pytest.mark.parametrize(
    "arguments", [("--network", "deep_mnist"), ("--gpu", "1"), ("--service-account", "x"), ("--always",)]
)
def test_anything_that_changes_makes_another_schedule(server, arguments):
    """Parameters, images, service account and definition are all in the digest."""
    schedule(server, "apply")

    assert "REPLACED" in schedule(server, "apply", *arguments).output
    assert len(server.recurring) == 1


@pytest.mark.parametrize("arguments", [("apply", "--cron", "0 30 4 * * *"), ("delete",)], ids=["replace", "delete"])
def test_a_run_that_trains_outlives_its_schedule(server, arguments):
    """Replacing or deleting a schedule leaves its run's Workflow alone, and says that the run goes on."""
    schedule(server, "apply")
    (identity,) = server.recurring
    (experiment,) = server.experiments
    for run, state in (("training", "RUNNING"), ("over", "SUCCEEDED")):
        server.runs[run] = {
            "run_id": run, "experiment_id": experiment, "recurring_run_id": identity, "state": state,
        }  # fmt: skip
    done = schedule(server, *arguments)

    assert done.exit_code == 0, done.output
    assert identity not in server.recurring
    assert server.runs["training"]["state"] == "RUNNING"
    assert "Its run training goes on" in done.output and "run over" not in done.output


def test_an_upgrade_of_the_server_reaches_the_schedule():
    """A schedule holds what the server compiled, with that version's driver, so a newer server makes it anew."""
    with KfpServer() as server:
        schedule(server, "apply")
        server.version = "2.17.1"
        upgraded = schedule(server, "apply")
        again = schedule(server, "apply")

    assert "REPLACED" in upgraded.output
    assert "UNCHANGED" in again.output
    assert len(server.versions) == 1


def test_an_interrupted_replacement_is_finished(server):
    """When a call died between creating and deleting, the next one leaves one schedule, enabled."""
    schedule(server, "apply")
    server.fail[("DELETE", f"/recurringruns/{next(iter(server.recurring))}")] = [500]
    died = schedule(server, "apply", "--cron", "0 30 4 * * *")
    again = schedule(server, "apply", "--cron", "0 30 4 * * *")

    assert died.exit_code == 2
    assert "REPLACED" in again.output
    assert [(each["trigger"]["cron_schedule"]["cron"], each["status"]) for each in server.recurring.values()] == [
        ("0 30 4 * * *", "ENABLED")
    ]


def test_a_schedule_that_could_not_be_enabled_is_said_so(server):
    """When the last call fails, nothing fires, and the error names the command that fixes it."""
    refuse = server.switch_refusals
    refuse.append(503)
    failed = schedule(server, "apply")
    fixed = schedule(server, "resume")

    assert failed.exit_code == 2
    assert "but is paused. Start it: python -m pipeline schedule resume --name deep-mnist-retraining" in failed.output
    assert fixed.exit_code == 0
    assert [each["status"] for each in server.recurring.values()] == ["ENABLED"]


def test_on_an_install_of_several_users():
    """The experiment and the pipeline belong to the caller's namespace."""
    with KfpServer(multi_user=True) as server:
        done = schedule(server, "apply", "--namespace", "team-a")

    assert done.exit_code == 0, done.output
    assert server.created["experiments"][0].namespace == server.created["pipelines"][0].namespace == "team-a"


def test_many_of_one_name_become_one(server):
    """Schedules of the same name that other tools left behind converge to one."""
    schedule(server, "apply")
    (identity, one), *_ = server.recurring.items()
    for number in range(60):  # more than a page
        older = {**one, "recurring_run_id": f"copy-{number}", "created_at": "2026-01-01T00:00:00Z"}
        server.recurring[f"copy-{number}"] = {**older, "description": "by hand"}
    schedule(server, "apply")

    assert list(server.recurring) == [identity]


def test_a_paused_schedule_stays_paused(server):
    """Somebody paused it for a reason: replacing it says so and leaves it paused; resume starts it."""
    schedule(server, "apply")
    schedule(server, "pause")
    replaced = schedule(server, "apply", "--cron", "0 30 4 * * *")
    listed = schedule(server, "list")
    resumed = schedule(server, "resume")

    assert "paused, as it was" in replaced.output
    assert "deep-mnist-retraining paused '0 30 4 * * *'" in listed.output and "1 in the experiment" in listed.output
    assert "RESUMED" in resumed.output
    assert [each["status"] for each in server.recurring.values()] == ["ENABLED"]


def test_a_slot_can_be_started_now(server):
    """`schedule run` starts what the schedule holds, paused or not, with its parameters, and leaves the schedule."""
    schedule(server, "apply", "--seed", "7")
    schedule(server, "pause")
    started = schedule(server, "run")
    (run,), (recurring,) = server.created["runs"], server.created["recurringruns"]

    assert "STARTED deep-mnist-retraining" in started.output and next(iter(server.runs)) in started.output
    assert run.pipeline_version_reference == recurring.pipeline_version_reference
    assert run.runtime_config.parameters["seed"] == 7
    assert run.display_name.startswith("deep-mnist-retraining 20")
    assert "Expected a schedule named" in str(schedule(server, "run", "--name", "other").output)


def test_delete(server):
    """delete removes it; a second delete says that there is none."""
    schedule(server, "apply")

    assert "DELETED" in schedule(server, "delete").output
    assert schedule(server, "delete").exit_code == 2
    assert server.recurring == {}


def test_a_version_is_uploaded_once(server):
    """Two schedules of one definition share the pipeline's version, which its content names."""
    schedule(server, "apply", "--name", "one")
    schedule(server, "apply", "--name", "two")

    assert len(server.pipelines) == len(server.versions) == 1
    assert len(server.recurring) == 2


def test_tags_are_on_pipeline_and_version(server):
    """--tag marks what is made; the same schedule with other tags is the same schedule."""
    schedule(server, "apply", "--tag", "team=vision", "--tag", "env=prod")
    (pipeline,), (version,) = server.created["pipelines"], server.versions.values()

    assert pipeline.tags == version["tags"] == {"team": "vision", "env": "prod"}
    assert "UNCHANGED" in schedule(server, "apply", "--tag", "team=other").output


@pytest.mark.parametrize("tag", ["team", "=x", "a.b=c", f"k={'v' * 64}"])
def test_tags_that_kubeflow_refuses_are_refused_here(server, tag):
    """Nothing is sent."""
    shown = schedule(server, "apply", "--tag", tag)

    assert shown.exit_code == 2 and "Expected at most 20 tags" in shown.output
    assert server.requests == []


def test_a_slot_never_serves_cached_training():
    """In a schedule's definition no task may take an earlier result: the data are fetched, the model is trained."""
    definition = compile_definition(reuse=False, retraining=True)

    assert [task.name for task in definition.tasks() if task.cached] == []


def test_training_waits_for_news():
    """Training, its GPU included, lies behind the condition that compare found something new and the data passed."""
    definition = compile_definition(reuse=False, retraining=True)
    groups = {task.name: task.group for task in definition.tasks()}
    root = definition.pipeline["root"]["dag"]["tasks"]
    (condition,) = (name for name in root if "triggerPolicy" in root[name])
    inner = definition.pipeline["components"][root[condition]["componentRef"]["name"]]

    assert {name for name, group in groups.items() if group == condition} == {
        "train",
        "evaluate",
        "publish",
        "remember",
    }
    assert {"compare", "require-valid"} <= set(root[condition]["dependentTasks"])
    compared = root["compare"]["inputs"]["parameters"]
    assert compared["ready"]["taskOutputParameter"]["producerTask"] == "require-valid"
    assert compared["slot"]["runtimeValue"]["constant"] == "{{$.pipeline_job_schedule_time_utc}}"
    assert compared["run_id"]["runtimeValue"]["constant"] == "{{$.pipeline_job_uuid}}"
    assert "pipelinechannel--gpu_count" in inner["inputDefinitions"]["parameters"]  # KFP drops it by itself
    assert (
        root[condition]["inputs"]["parameters"]["pipelinechannel--gpu_count"]["componentInputParameter"] == "gpu_count"
    )
