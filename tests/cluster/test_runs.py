"""Runs as they should go: published, refused, from the cache, and the reasons of those that wait."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.cluster import webhook
from tests.cluster.real_cluster import Cluster
from tests.cluster.scenarios import BAD_FOLDERS


@pytest.mark.needs_run("published")
def test_a_run_publishes(cluster: Cluster, record_property: Callable[[str, object], None]) -> None:
    """From submit to a champion in the registry, and the last lines say which; how long it took is in the results."""
    ended = cluster.result("published")
    record_property("seconds", ended.lines[-1].rpartition("seconds=")[2])
    listed = cluster.command("models", "list", "--store", cluster.store, "--json")
    versions = json.loads(listed.output.splitlines()[-1])[f"{cluster.name}-published"]

    assert ended.status == 0, ended.output
    assert ended.lines[-1].startswith("SUCCEEDED run=")
    assert ended.lines[-2].startswith("PUBLISHED version=1 accuracy=")
    assert "no reason is given" not in ended.output
    assert [each["version"] for each in versions] == [1]


@pytest.mark.needs_run("published")
def test_the_webhook_hears_of_a_success(cluster: Cluster) -> None:
    """One object, after the run's own steps."""
    posted = webhook.received(cluster, cluster.result("published").run_id)

    assert (posted["status"], posted["step"], posted["error"]) == ("SUCCEEDED", "", "")


@pytest.mark.needs_run("refused")
def test_unfit_data_are_refused_before_training(cluster: Cluster) -> None:
    """The findings are shown whole, exit status 1, and there never was a pod of training."""
    ended = cluster.result("refused")
    steps = cluster.steps_with_pods(ended.run_id)

    assert ended.status == 1, ended.output
    assert "images.dtype" in ended.output or "images.range" in ended.output
    assert "require-valid" in steps and "train" not in steps and "train-driver" not in steps
    assert not any(line.startswith(("train ", "evaluate ", "publish ")) for line in ended.lines)


@pytest.mark.needs_run("refused")
def test_the_webhook_hears_of_a_refusal(cluster: Cluster) -> None:
    """Status, step, and the findings."""
    posted = webhook.received(cluster, cluster.result("refused").run_id)

    assert (posted["status"], posted["step"]) == ("FAILED", "require-valid")
    assert "images." in posted["error"]


@pytest.mark.needs_run("again")
def test_a_second_run_takes_what_did_not_change_from_the_cache(cluster: Cluster) -> None:
    """Data and verdict come from the cache and are shown so; training is new, and its equal is not promoted."""
    ended = cluster.result("again")

    assert ended.status == 0, ended.output
    assert "prepare succeeded: from the cache" in ended.lines
    assert "train succeeded" in ended.lines
    assert ended.lines[-2].startswith("NOT PROMOTED accuracy=")


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.needs_run(f"bad {each}")) for each in BAD_FOLDERS]
)
def test_bad_folders_end_in_findings(cluster: Cluster, name: str) -> None:
    """Whatever is wrong with a folder is a finding or one clear line; no traceback is ours."""
    ended = cluster.result(f"bad {name}")

    assert ended.status == 1, ended.output
    assert "Traceback" not in ended.output
    assert "images." in ended.output or "labels." in ended.output or "Expected" in ended.output


@pytest.mark.needs_run("no image")
def test_an_image_that_is_not_there_is_named(cluster: Cluster) -> None:
    """The step waits, with Kubernetes' reason and the fix, and patience ends with status 4."""
    ended = cluster.result("no image")
    cluster.terminate(ended.run_id)

    assert ended.status == 4, ended.output
    assert "ImagePull" in ended.output or "ErrImage" in ended.output
    assert "DEEP_MNIST_IMAGES" in ended.output


@pytest.mark.needs_run("no gpu")
def test_an_accelerator_that_is_not_there_is_named(cluster: Cluster) -> None:
    """Quota or scheduler say so, with the fix; where there are accelerators, there is nothing to see."""
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    if any(int(each["status"]["allocatable"].get("nvidia.com/gpu", 0)) for each in nodes):
        pytest.skip("this cluster has accelerators")
    ended = cluster.result("no gpu")
    cluster.terminate(ended.run_id)

    assert ended.status == 4, ended.output
    assert "train is pending: " in ended.output
    assert "overlays/gpu" in ended.output or "No node has as many free accelerators" in ended.output


@pytest.mark.needs_run("race-1")
@pytest.mark.needs_run("race-2")
def test_two_promotions_at_once_leave_one_champion(cluster: Cluster) -> None:
    """Both runs succeed; versions are numbered once, and the pointer names the last that was promoted."""
    ended = [cluster.result(name) for name in ("race-1", "race-2")]
    listed = cluster.command(
        "models", "list", "--store", cluster.store, "--model-name", f"{cluster.name}-race", "--json"
    )
    versions = json.loads(listed.output.splitlines()[-1])[f"{cluster.name}-race"]
    promoted = sum("PUBLISHED version=" in each.output for each in ended)

    assert [each.status for each in ended] == [0, 0], [each.output for each in ended]
    assert 1 <= promoted == len(versions)
    assert len({each["version"] for each in versions}) == len(versions)


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.needs_run(each)) for each in ("sweep", "sweep again", "one at a time")],
)
def test_a_sweep_selects_and_judges(cluster: Cluster, name: str) -> None:
    """Two trials of one network, repeated, and one after the other: `select` is handed each artifact once."""
    ended = cluster.result(name)

    assert ended.status == 0, ended.output
    assert "select succeeded" in ended.lines
    assert "iteration" not in ended.output
    assert ended.lines[-2].startswith(("PUBLISHED ", "NOT PROMOTED "))
