"""What kubectl renders of the folders of manifests/, as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from pipeline.cluster.manifests import rendered

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"


def documents(text: str) -> list[dict]:
    """The documents of a YAML text, without empty ones."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


@cache
def resources(folder: str) -> list[dict]:
    return documents(rendered(MANIFESTS / folder))


def named(folder: str, kind: str, name: str) -> dict:
    (found,) = (each for each in resources(folder) if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pods(folder: str) -> list[tuple[str, dict]]:
    """Every pod specification that a folder brings, an InferenceService's with its runtime and initializer included."""
    found = workload_pods(resources(folder))
    for each in resources(folder):
        if each["kind"] == "InferenceService":
            found.append((each["metadata"]["name"], predictor_pod(folder, each)))
    return found


def workload_pods(items: list[dict]) -> list[tuple[str, dict]]:
    """The pod specifications of all kinds of Kubernetes' own that start pods."""
    found = []
    for each in items:
        spec = each.get("spec") or {}
        if each["kind"] == "Pod":
            found.append((each["metadata"]["name"], spec))
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if each["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"):
            found.append((each["metadata"]["name"], spec["template"]["spec"]))
    return found


def predictor_pod(folder: str, service: dict) -> dict:
    """The pod that KServe makes: the predictor's settings, its runtime's container, and the storage initializer.

    kserve v0.17.0: pkg/controller/v1beta1/inferenceservice/utils/utils.go (MergeRuntimeContainers), and
    pkg/webhook/admission/pod/storage_initializer_injector.go:118 (GetStorageContainerSpec: the container of the first
    ClusterStorageContainer that knows the address, as it is).
    """
    predictor = service["spec"]["predictor"]
    model = predictor["model"]
    runtime = named(folder, "ServingRuntime", model["runtime"])["spec"]
    (container,) = runtime["containers"]
    initializer = named("kserve-cluster-scoped", "ClusterStorageContainer", "default")["spec"]["container"]
    pod = {key: value for key, value in predictor.items() if key != "model"}
    return {
        **pod,
        "volumes": runtime.get("volumes", []),
        "initContainers": [initializer],
        "containers": [{**container, "resources": model["resources"]}],
    }
