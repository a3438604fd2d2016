"""Several nodes on a cluster: the plan says what they ask for; a cluster without Trainer is told before submitting."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cluster.nodes import require_trainer
from pipeline.cluster.plan import plan


def planned(*options: str) -> dict:
    done = CliRunner().invoke(plan, ["--store", "gs://bucket/registry", "--json", *options])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.usefixtures("pushed_images")
def test_the_nodes_ask_for_the_gpus_and_the_step_that_waits_for_none():
    """Of two nodes with a GPU each, two GPUs are asked for; no further one idles in the step."""
    found = planned("--nodes", "2", "--gpu", "1")

    assert found["nodes"] == {"count": 2, "each": {"cpu": "4", "memory": "6144Mi", "nvidia.com/gpu": "1"}}
    assert found["demand"]["accelerators"] == {"nvidia.com/gpu": 2}
    assert next(each for each in found["steps"] if each["step"] == "train")["accelerator"] == "none"
    assert found["parameters"]["require_gpu"] is True


@pytest.mark.usefixtures("pushed_images")
def test_nodes_beyond_the_quota_are_warned_of():
    """The quota of manifests/ is four GPUs: five nodes would wait."""
    assert not [each for each in planned("--nodes", "4", "--gpu", "1")["warnings"] if "quota" in each]
    (warning,) = [each for each in planned("--nodes", "5", "--gpu", "1")["warnings"] if "quota" in each]
    assert "asks for 5 of requests.nvidia.com/gpu" in warning


@pytest.mark.usefixtures("pushed_images")
def test_a_claim_of_the_run_does_not_serve_several_nodes():
    """--workspace is a disk of one node."""
    done = CliRunner().invoke(plan, ["--nodes", "2", "--workspace", "5Gi"])

    assert done.exit_code == 2
    assert "Expected no --workspace with --nodes" in done.output


def kubectl(folder: Path, script: str) -> None:
    path = folder / "kubectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


@pytest.fixture(autouse=True)
def same_path_afterwards():
    before = os.environ["PATH"]
    yield
    os.environ["PATH"] = before


def test_a_cluster_without_trainer_is_told_before_anything_is_submitted(tmp_path):
    """The API server says that it does not know Trainer's API."""
    kubectl(
        tmp_path, 'echo "Error from server (NotFound): the server could not find the requested resource" >&2; exit 1'
    )

    with pytest.raises(click.UsageError, match=r"Expected Kubeflow Trainer 2\.x on the cluster"):
        require_trainer(2)


def test_a_cluster_that_cannot_be_asked_is_no_reason_to_refuse(tmp_path, capsys):
    """Without a way to the API server a line says that nobody asked."""
    kubectl(tmp_path, 'echo "The connection to the server was refused" >&2; exit 1')
    require_trainer(2)

    assert "was not asked (The connection to the server was refused)" in capsys.readouterr().err


def test_a_cluster_with_trainer_is_silent(tmp_path, capsys):
    """The API's list of resources names trainjobs; and one node asks nobody."""
    kubectl(tmp_path, """echo '{"resources": [{"name": "trainjobs"}]}'""")
    require_trainer(2)
    require_trainer(1)

    assert capsys.readouterr().err == ""
