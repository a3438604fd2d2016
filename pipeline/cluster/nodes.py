"""What training on several nodes asks a cluster for, besides what the steps do: the pods of its TrainJob."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from pipeline.cluster.demand import Demand, cores_of, mebibytes_of

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
BASE = "base/budget-resourcequota.yaml"
WITH_GPUS = "overlays/gpu/budget-resourcequota.yaml"
TRAINER_API = "/apis/trainer.kubeflow.org/v1alpha1"
ASK_SECONDS = 15


def nodes_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"count", "each"} of the pods that train together, {} where the step trains alone."""
    count = int(parameters.get("nodes", 1))
    return {"count": count, "each": dict(parameters.get("node_resources", {}))} if count > 1 else {}


def with_nodes(demand: Demand, nodes: Mapping[str, Any], trials: int = 1) -> Demand:
    """Add the nodes to what a run asks for at the same time; the step that made them waits meanwhile."""
    if not nodes:
        return demand
    count, each = nodes["count"] * trials, nodes["each"]
    cores, memory = cores_of(each.get("cpu", "0")), mebibytes_of(each.get("memory", "0"))
    kinds = {kind: int(number) * count for kind, number in each.items() if kind not in ("cpu", "memory")}
    demand.admit(demand.pods + count, demand.cores + count * cores, demand.memory + count * memory, kinds)
    demand.largest_cores = max(demand.largest_cores, cores)
    demand.largest_memory = max(demand.largest_memory, memory)
    return demand


def beyond_quota(demand: Demand) -> list[str]:
    """Return a sentence for each resource of which a run asks for more than the quota in manifests/ allows."""
    allowed = _quota(BASE) | (_quota(WITH_GPUS) if demand.accelerators else {})
    asked = {
        "pods": (demand.pods, float(allowed["pods"])),
        "requests.cpu": (demand.cores, cores_of(allowed["requests.cpu"])),
        "requests.memory": (demand.memory / 1024, mebibytes_of(allowed["requests.memory"]) / 1024),
    }
    for kind, count in demand.accelerators.items():
        asked[f"requests.{kind}"] = (count, float(allowed.get(f"requests.{kind}", count)))
    return [
        f"the run asks for {wanted:g} of {name}, and the quota in manifests/ (deep-mnist-budget) allows {most:g}: its "
        "pods would wait. Fewer --nodes, or a larger quota."
        for name, (wanted, most) in asked.items()
        if wanted > most
    ]


def _quota(file: str) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load((MANIFESTS / file).read_text())["spec"]["hard"]
    return found


def require_trainer(nodes: int) -> None:
    """Ask the cluster of kubectl's context for Kubeflow Trainer, before anything is submitted.

    Where kubectl is missing or cannot ask, a line says so, and the step itself finds out first of all.

    Raises:
        click.UsageError: The cluster answers that it has none.
    """
    if nodes == 1:
        return
    kubectl = shutil.which("kubectl")
    asked = _asked(kubectl) if kubectl else None
    if asked is None or (asked.returncode and "NotFound" not in asked.stderr and "not found" not in asked.stderr):
        why = "no kubectl" if asked is None else (asked.stderr.strip().splitlines() or ["no answer"])[-1]
        click.echo(f"--nodes {nodes} needs Kubeflow Trainer 2.x; whether it is there was not asked ({why}).", err=True)
    elif asked.returncode or "trainjobs" not in json.dumps(json.loads(asked.stdout)):
        raise click.UsageError(
            f"Expected Kubeflow Trainer 2.x on the cluster, as --nodes {nodes} asks for. Received: no "
            f"{TRAINER_API.removeprefix('/apis/')} there. Fix: install Trainer and manifests/components/trainer, or "
            "--nodes 1"
        )


def _asked(kubectl: str) -> subprocess.CompletedProcess[str] | None:
    try:
        command = [kubectl, "get", "--raw", TRAINER_API, f"--request-timeout={ASK_SECONDS}s"]
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
