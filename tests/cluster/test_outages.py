"""What a cluster loses now and then, and a run does not notice: Kubeflow's API, Argo's controller, the object store."""

from __future__ import annotations

import pytest

from tests.cluster.real_cluster import Cluster


@pytest.mark.outage
def test_the_api_away_for_50_seconds_ends_no_run(quiet: Cluster) -> None:
    """The steps that meet it are repeated, and the watch goes on."""
    with quiet.started(*quiet.submission("api-away", "--fresh")) as begun:
        quiet.running(begun.run_id(), "prepare")
        with quiet.away("ml-pipeline", 50):
            pass
        ended = begun.wait()

    assert ended.status == 0, ended.output
    assert ended.lines[-1].startswith("SUCCEEDED run=")


def test_a_restarted_controller_ends_no_run(cluster: Cluster) -> None:
    """Argo's controller takes up where it was, with this run and those beside it."""
    with cluster.started(*cluster.submission("controller", "--fresh")) as begun:
        cluster.running(begun.run_id(), "prepare")
        cluster.kubectl("delete", "pod", "-l", "app=workflow-controller", "--wait=false")
        ended = begun.wait()

    assert ended.status == 0, ended.output


@pytest.mark.outage
@pytest.mark.parametrize("deployment", ["seaweedfs", "fake-gcs"])
def test_an_object_store_away_for_20_seconds_ends_no_run(quiet: Cluster, deployment: str) -> None:
    """Kubeflow's own store and the emulator of the registry's, where the cluster has them."""
    if not quiet.deployed(deployment):
        pytest.skip(f"no {deployment} in {quiet.namespace}: the store is not this cluster's")
    with quiet.started(*quiet.submission(f"no-{deployment}", "--fresh", epochs=20)) as begun:
        quiet.running(begun.run_id(), "train")
        with quiet.away(deployment, 20):
            pass
        ended = begun.wait()

    assert ended.status == 0, ended.output
