"""A schedule: it fires, trains what is new and nothing else, and is replaced and deleted while it trains."""

from __future__ import annotations

import pytest

from tests.cluster import webhook
from tests.cluster.real_cluster import EASY, Cluster, wait_until
from tests.cluster.scenarios import schedules_experiment

EVERY_MINUTE = "0 * * * * *"


def applied(cluster: Cluster, *more: str, epochs: int = 1) -> str:
    """Make or replace the schedule, beside the champion of the run `published`; return what is printed."""
    experiment = schedules_experiment(cluster)
    done = cluster.command(
        "schedule", "apply", "--name", cluster.name, "--experiment", experiment, "--cron", EVERY_MINUTE, "--often",
        "--store", cluster.store, "--model-name", f"{cluster.name}-published", "--dataset", cluster.data("digits"),
        "--epochs", str(epochs), "--notify", webhook.name(cluster), *EASY, *more,
    )  # fmt: skip
    assert done.status == 0, done.output
    return done.output


def next_run(cluster: Cluster, known: set[str]) -> str:
    """Return the next run that the schedule starts."""
    experiment = schedules_experiment(cluster)

    def new() -> str:
        return next((run.run_id for run in cluster.runs(experiment) if run.run_id not in known), "")

    return wait_until(new, "a slot of the schedule", 240)


@pytest.mark.needs_run("published")
def test_a_schedule_trains_what_is_new_and_nothing_else(cluster: Cluster) -> None:
    """Unchanged beside the champion; another recipe trains, and goes on when its schedule is replaced and deleted."""
    assert cluster.result("published").status == 0
    experiment = schedules_experiment(cluster)
    named = ("--name", cluster.name, "--experiment", experiment)
    applied(cluster)
    first = next_run(cluster, set())
    assert cluster.command("schedule", "pause", *named).status == 0
    unchanged = cluster.command("watch", first, "--poll", "2")
    assert unchanged.status == 0, unchanged.output
    assert unchanged.lines[-2].startswith("unchanged: version 1, the champion")
    assert "train" not in cluster.steps_with_pods(first)
    assert webhook.received(cluster, first, 120)["status"] == "SUCCEEDED"
    known = {run.run_id for run in cluster.runs(experiment)}

    applied(cluster, epochs=60)
    second = next_run(cluster, known)
    cluster.running(second, "train", said="epoch 2/")
    replaced = applied(cluster, epochs=61)
    assert f"Its run {second}" in replaced and "goes on" in replaced
    assert cluster.command("schedule", "delete", *named).status == 0
    trained = cluster.command("watch", second, "--poll", "2")
    assert trained.status == 0, trained.output
    assert trained.lines[-2].startswith(("PUBLISHED ", "NOT PROMOTED "))
    assert cluster.command("schedule", "list", "--experiment", experiment).output.count(cluster.name) <= 1
