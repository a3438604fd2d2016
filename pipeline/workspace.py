"""Checkpoints on a claim of the run, where an object store is too far or too slow for them.

KFP makes a PersistentVolumeClaim when the run begins, mounts it into the step whose argument names it, and removes it
with the run's Workflow (kubeflow/pipelines 2.17.0, backend/src/v2/compiler/argocompiler/argo.go:634). A training whose
node is lost goes on from there; another run does not, and starts over.
"""

from __future__ import annotations

from typing import Any

from kfp import dsl

from pipeline.placement import ClusterSettings

# One pod at a time: training alone mounts it. An install without defaults of its own refuses a claim that names none.
ACCESS = {"accessModes": ["ReadWriteOnce"]}
FOLDER = f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/checkpoints"


def pipeline_config(settings: ClusterSettings | None, *, cluster: bool) -> Any:
    """Return what a pipeline says of its claim, None where there is none."""
    if not (cluster and settings and settings.workspace):
        return None
    claim = dsl.KubernetesWorkspaceConfig(pvcSpecPatch=ACCESS)
    return dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size=settings.workspace, kubernetes=claim))


def kept_in(checkpoints: Any, settings: ClusterSettings | None, *, cluster: bool) -> Any:
    """Return where training keeps its checkpoints: on the claim, else where the parameter says."""
    return FOLDER if cluster and settings and settings.workspace else checkpoints
