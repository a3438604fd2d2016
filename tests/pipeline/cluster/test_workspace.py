"""--workspace: training's checkpoints on a claim of the run."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.definition import compile_definition
from pipeline.placement import ClusterSettings
from tests.support.kfp_server import KfpServer

SETTINGS = ClusterSettings(workspace="5Gi", notify="webhook")


def test_the_claim_is_the_runs_and_training_alone_is_given_it() -> None:
    """Its size and access are in the platform document; the driver mounts it where an argument names it."""
    definition = compile_definition(settings=SETTINGS, retraining=True, reuse=False)
    workspace = definition.platform["platforms"]["kubernetes"]["pipelineConfig"]["workspace"]
    given = {
        task.name: task.spec["inputs"]["parameters"][name]["runtimeValue"]["constant"]
        for task in definition.tasks()
        for name in task.spec["inputs"].get("parameters", {})
        if "workspace_path" in str(task.spec["inputs"]["parameters"][name])
    }

    assert workspace["size"] == "5Gi"
    assert workspace["kubernetes"]["pvcSpecPatch"] == {"accessModes": ["ReadWriteOnce"]}
    assert given == {"train": "{{$.workspace_path}}/checkpoints"}


def test_without_it_the_store_keeps_checkpoints() -> None:
    """No claim is made."""
    definition = compile_definition()
    (train,) = (task for task in definition.tasks() if task.name == "train")

    assert "pipelineConfig" not in definition.platform["platforms"]["kubernetes"]
    assert train.spec["inputs"]["parameters"]["checkpoints"] == {"componentInputParameter": "checkpoints"}


@pytest.mark.usefixtures("pushed_images")
def test_it_is_sent(server: KfpServer) -> None:
    """submit sends it; a size that is none, and a sweep, are refused before anything is sent."""
    store = ("--store", "gs://models/mnist", "--host", server.url)
    call = CliRunner().invoke
    assert call(pipeline, ["submit", *store, "--workspace", "2Gi"]).exit_code == 0
    (run,) = server.created["runs"]
    sent = run.pipeline_spec["platform_spec"]["platforms"]["kubernetes"]["pipelineConfig"]["workspace"]["size"]
    refused = [call(pipeline, ["submit", *store, "--workspace", "big"]),
               call(pipeline, ["sweep", *store, "--workspace", "2Gi"])]  # fmt: skip

    assert sent == "2Gi"
    assert [each.exit_code for each in refused] == [2, 2]
    assert len(server.created["runs"]) == 1
