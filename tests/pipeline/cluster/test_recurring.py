"""One schedule of a name, also where several commands make it at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.connection import connect
from pipeline.cluster.schedule import apply, requested_schedule, schedule
from pipeline.cluster.submit import experiment_id
from tests.support.kfp_server import KfpServer

pytestmark = pytest.mark.usefixtures("pushed_images")
APPLY = ("apply", "--store", "gs://models/mnist", "--name", "twin")


def at_once(server: KfpServer, *expressions: str) -> list[str]:
    """Apply schedules of one name side by side: all look before one is made, and again once all are."""
    contexts = [
        schedule.make_context("schedule", [*APPLY, "--host", server.url, "--cron", each]) for each in expressions
    ]
    options = [each.params for each in contexts]
    requested = [requested_schedule(each) for each in options]
    connections = [connect(each) for each in options]
    experiment = experiment_id(connections[0], "deep-mnist")
    server.meet = threading.Barrier(len(expressions))
    with ThreadPoolExecutor(len(expressions)) as pool:
        done = list(pool.map(apply, connections, requested, [experiment] * len(expressions)))
    server.meet = None
    return done


@pytest.mark.parametrize(
    "expressions", [["0 0 3 * * *"] * 3, ["0 0 3 * * *", "0 0 4 * * *", "0 0 5 * * *"]], ids=["same", "different"]
)
@pytest.mark.parametrize("second", ["", "2026-01-01T00:00:00Z"], ids=["one after the other", "in one second"])
def test_one_schedule_stays_of_those_that_are_made_at_once(server, expressions, second):
    """None of the commands knew of another; the newest stays, enabled, and it alone ever was."""
    server.made_at = second
    done = at_once(server, *expressions)
    ((identity, left),) = server.recurring.items()

    assert left["status"] == "ENABLED"
    assert [path.rpartition("/")[2] for path in server.sent("POST", ":enable")] == [f"{identity}:enable"]
    assert sorted(each.split()[0] for each in done) == ["OVERTAKEN", "OVERTAKEN", "REPLACED"]
    assert len(server.created["recurringruns"]) == 3


def test_a_schedule_that_another_command_deletes_is_no_failure(server):
    """Between the second look and the end a newer one may have been made, whose command deletes this one."""
    server.switch_refusals.append(404)
    done = CliRunner().invoke(pipeline, ["schedule", *APPLY, "--host", server.url])

    assert done.exit_code == 0, done.output
    assert "OVERTAKEN twin: another command made it" in done.output


def test_an_older_schedule_is_not_kept_beside_a_newer_one(server):
    """The newest stays for all commands: one that keeps an older one would delete what another has just made."""
    command = ["schedule", *APPLY, "--host", server.url]
    CliRunner().invoke(pipeline, command)
    ((identity, first),) = server.recurring.items()
    newer = {"recurring_run_id": "newer", "description": "another", "created_at": "2026-01-02T00:00:00Z"}
    server.recurring["newer"] = {**first, **newer}
    first["created_at"] = "2026-01-01T00:00:00Z"
    CliRunner().invoke(pipeline, command)
    (left,) = server.recurring.values()

    assert left["recurring_run_id"] not in (identity, "newer")
    assert (left["description"], left["status"]) == (first["description"], "ENABLED")
