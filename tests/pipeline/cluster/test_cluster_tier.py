"""tests/cluster without a cluster: skipped in one line; and, as far as a stand-in goes, run against one unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deep_mnist.storage.open import open_store
from tests.support.argo import Workflow
from tests.support.kfp_logs import LAUNCHER_FAILED, launcher_log
from tests.support.kfp_server import KfpServer

ROOT = Path(__file__).resolve().parents[3]
NOTHING = '{"items": []}'
NEEDED = ("KF_PIPELINES_ENDPOINT", "DEEP_MNIST_IMAGES", "DEEP_MNIST_TAG", "DEEP_MNIST_STORE")


def tier(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {name: value for name, value in os.environ.items() if name not in NEEDED}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/cluster", "-n", "0", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**surroundings, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_without_a_cluster_one_line_says_so() -> None:
    """Everything is collected and skipped, the line names what to set, and the status is that of a success."""
    done = tier()
    lines = done.stdout.strip().splitlines()

    assert done.returncode == 0, done.stdout
    (said,) = (line for line in lines if line.startswith("tests/cluster: "))
    assert "KF_PIPELINES_ENDPOINT" in said and "docs/cluster.md" in said
    assert int(said.split()[1]) >= 23


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    """A kubectl that knows one Workflow and nothing else."""
    path = tmp_path / "kubectl"
    known = f'case "$*" in *"get workflows"*) cat {tmp_path}/workflows.json ;;'
    path.write_text(f"#!/bin/sh\n{known} *'-o json'*) echo '{NOTHING}' ;; esac\n")
    path.chmod(0o755)
    return path


def against_stand_in(server: KfpServer, bucket: str, kubectl: Path, shown: Workflow, chosen: str) -> str:
    """Run some of the tests, unchanged; return their report."""
    server.progress = [shown]
    kubectl.with_name("workflows.json").write_text(json.dumps({"items": [shown.manifest()]}))
    done = tier(
        "-k",
        chosen,
        KF_PIPELINES_ENDPOINT=server.url,
        DEEP_MNIST_TEST_OWN_FORWARD="1",
        DEEP_MNIST_IMAGES="registry.example/deep-mnist",
        DEEP_MNIST_TAG="1",
        DEEP_MNIST_STORE=bucket,
        KUBECTL=str(kubectl),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_refusals_pass_against_the_stand_in(server: KfpServer, bucket: str, kubectl: Path) -> None:
    """Refused data and bad folders; afterwards runs, experiments and objects are gone."""
    shown = Workflow(prepare="Succeeded", require_valid="Failed").omitted("train")
    log = "UnfitDataError: images.range, train: Expected 0..1. Received: 0..255. Fix: divide"
    server.logs = {shown.pods_of("require-valid")[0]: launcher_log(log, LAUNCHER_FAILED)}
    report = against_stand_in(server, bucket, kubectl, shown, "unfit or bad_folders")

    assert "4 passed" in report
    assert len(server.created["runs"]) == 4
    assert (server.runs, server.experiments, open_store(bucket).list()) == ({}, {}, [])


@pytest.mark.slow
def test_the_cache_passes_against_the_stand_in(server: KfpServer, bucket: str, kubectl: Path) -> None:
    """A second run of the same, after the first."""
    shown = Workflow(train="Succeeded", publish="Succeeded").cached("prepare")
    said = "publish: NOT PROMOTED accuracy=0.9900 champion=0.9953: no better"
    server.logs = {shown.pods_of("publish")[0]: launcher_log(said, "")}
    report = against_stand_in(server, bucket, kubectl, shown, "from_the_cache")

    assert "1 passed" in report
    assert {run.display_name.rpartition("-")[2] for run in server.created["runs"]} >= {"again"}
