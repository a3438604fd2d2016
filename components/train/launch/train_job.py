"""The TrainJob of Kubeflow Trainer 2.x that trains on several pods, made after the step's own pod.

The runtime that it names is manifests/components/trainer's: how pods are restarted and secured stands there. What
differs from run to run stands here: image, command, resources, tolerations, labels of nodes, the service account.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

API = "trainer.kubeflow.org/v1alpha1"
RUNTIME = "deep-mnist-tensorflow"
SPECIFICATION = "DEEP_MNIST_NODES"  # environment variable of the pods
PORT = 2222
MANAGER = "deep-mnist/train"
# Of the step's own environment, what KFP and Kubernetes put there for the step alone is left out.
OWN = ("KFP_", "ARGO_", "KUBERNETES_", "ML_PIPELINE_", "METADATA_", "TF_CONFIG")


def train_job(
    name: str, pod: Mapping[str, Any], specification: Mapping[str, Any], resources: Mapping[str, str]
) -> dict[str, Any]:
    """Return the TrainJob as the API takes it.

    Args:
        name: Of the job, at most 40 characters.
        pod: The step's own, as the API returns it.
        specification: What the pods are told: nodes, addresses and the training's request.
        resources: Of each node, such as {"cpu": "4", "memory": "6144Mi", "nvidia.com/gpu": "1"}.
    """
    own = pod["spec"]
    container = next(each for each in own["containers"] if each["name"] == "main")
    environment = [each for each in container.get("env", ()) if not each["name"].startswith(OWN)]
    told = {"name": SPECIFICATION, "value": json.dumps(specification, sort_keys=True)}
    inherited = ("nodeSelector", "tolerations", "imagePullSecrets", "serviceAccountName")
    patch = {key: own[key] for key in inherited if own.get(key)}
    return {
        "apiVersion": API,
        "kind": "TrainJob",
        "metadata": {"name": name, "labels": labels_of(pod), "ownerReferences": [_owner(pod)]},
        "spec": {
            "runtimeRef": {"apiGroup": API.partition("/")[0], "kind": "ClusterTrainingRuntime", "name": RUNTIME},
            "trainer": {
                "image": container["image"],
                "command": ["python3", "-m", "components.train.launch.pod"],
                "numNodes": specification["request"]["nodes"],
                "env": [*environment, told],
                "resourcesPerNode": {"requests": dict(resources), "limits": dict(resources)},
            },
            "runtimePatches": [{"manager": MANAGER, "trainingRuntimeSpec": {"template": _of_pods(patch)}}],
        },
    }


def _of_pods(patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a patch of the JobSet's template that changes its pods."""
    job = {"name": "node", "template": {"spec": {"template": {"spec": dict(patch)}}}}
    return {"spec": {"replicatedJobs": [job]}}


def labels_of(pod: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of the step's pod by which one finds what belongs to its run."""
    labels = pod["metadata"].get("labels", {})
    return {key: labels[key] for key in ("pipeline/runid", "deep-mnist/step") if key in labels}


def _owner(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reference by which Kubernetes removes the job with the step's pod, however that ends."""
    meta = pod["metadata"]
    return {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}


def addresses_of(name: str, nodes: int) -> list[str]:
    """Return where the pods of a job find each other: a JobSet's own names, host:port.

    >>> addresses_of("train-1", 2)
    ['train-1-node-0-0.train-1:2222', 'train-1-node-0-1.train-1:2222']
    """
    return [f"{name}-node-0-{index}.{name}:{PORT}" for index in range(nodes)]


def ended(job: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return ("Complete" or "Failed", why) of a TrainJob that has ended, None of one that has not."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return str(condition["type"]), str(condition.get("message", ""))
    return None
