"""Write Kubernetes resources: `python -m pipeline.cluster.manifests render|gitops`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cluster.cluster_arguments import cluster_settings, definition_options
from pipeline.cluster.definition import compile_definition, pipeline_for_cluster, require_images
from pipeline.cluster.versions import version_name

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "base",
    "overlays/kind",
    "overlays/gke",
    "overlays/gpu",
    "overlays/airgapped",
    "overlays/kserve",
    "kserve-cluster-scoped",
)
GITOPS = ROOT / "manifests" / "overlays" / "gitops" / "pipeline.yaml"


@click.group()
def manifests() -> None:
    """Render the overlays, and the pipeline as resources."""


@manifests.command()
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "build" / "manifests")
def render(output: Path) -> None:
    """Render every folder that needs no network, each to one file."""
    output.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        path = output / f"{name.rpartition('/')[2]}.yaml"
        path.write_text(rendered(ROOT / "manifests" / name))
        click.echo(path)


@manifests.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=GITOPS)
@click.option("--namespace", default="kubeflow", show_default=True)
@click.option("--gpu", type=click.IntRange(0), default=0, show_default=True, help="0 takes the image without CUDA.")
@definition_options
def gitops(output: Path, namespace: str, gpu: int, **chosen: Any) -> None:
    """Write the Pipeline and the PipelineVersion. A version never changes, so its content names it."""
    from kfp.compiler import Compiler
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    require_images()
    definition = compile_definition(gpu=gpu, settings=cluster_settings(chosen))
    options = KubernetesManifestOptions(
        pipeline_name=definition.name,
        pipeline_version_name=version_name(definition),
        namespace=namespace,
        include_pipeline_manifest=True,
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    Compiler().compile(
        pipeline_for_cluster(gpu=gpu, settings=cluster_settings(chosen)),
        str(output),
        kubernetes_manifest_format=True,
        kubernetes_manifest_options=options,
    )
    click.echo(f"{output} {version_name(definition)}")


def rendered(folder: Path) -> str:
    """Return what `kubectl kustomize` makes of a folder.

    Raises:
        click.ClickException: There is no kubectl, or it refuses.
    """
    beside = Path(sys.executable).parent / "kubectl"  # the one of requirements/dev.txt
    kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
    if kubectl is None:
        raise click.ClickException("Expected kubectl. Received: none on PATH. Install it: make install")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise click.ClickException(f"Expected {folder} to render. Received: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    manifests(prog_name="python -m pipeline.cluster.manifests")
