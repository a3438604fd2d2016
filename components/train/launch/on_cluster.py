"""Train on several pods: hand the data to a TrainJob, follow it, show its log, take what it trained.

Data and results go through the store, for the pods share no disk with the step.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.failure import Failure
from components.train.checkpoint import StopSignal, TrainingInterruptedError
from components.train.launch.here import NodesFailedError
from components.train.launch.pod import CURVES, DATASET, METRICS, TRAINED
from components.train.launch.train_job import API, ended, train_job
from components.train.request import TrainRequest
from deep_mnist.kubernetes_api import KubernetesApi, KubernetesError
from deep_mnist.storage.address import is_store_address
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import NotFoundError, Store

POLL_SECONDS = 5.0
PATIENCE_SECONDS = 300.0  # without an answer of the API server
LOG_LINES = "10000"
NOT_INSTALLED = (
    f"Expected Kubeflow Trainer 2.x ({API}) on this cluster, as --nodes asks for. Received: no such API. "
    "Fix: install Trainer and manifests/components/trainer, or --nodes 1"
)


class TrainerMissingError(RuntimeError):
    """The cluster has no Kubeflow Trainer."""

    fix = "install Trainer and manifests/components/trainer, or --nodes 1"


def train_on_cluster(
    dataset: Path, trained: Path, curves: Path, request: TrainRequest, resources: dict[str, str], api: KubernetesApi
) -> dict[str, float]:
    """Train in `request.nodes` pods and return the metrics; the job is deleted in the end.

    Args:
        dataset: A dataset folder; what it holds is copied to the store for the pods, shards are not.
        trained: Receives what the first pod trained.
        curves: Receives the page of curves.
        request: Of the training; its checkpoints lie in an object store, beside which data and results are exchanged.
        resources: Of each pod.
        api: Of the cluster.

    Raises:
        TrainerMissingError: There is no Trainer.
        NodesFailedError: The training failed; the message has the words of the node at fault.
        TrainingInterruptedError: SIGTERM; the pods' last checkpoint stays.
    """
    if not is_store_address(request.checkpoints):
        raise ValueError(
            "Expected checkpoints in an object store, which all pods reach. Received: "
            f"{request.checkpoints or 'none'}. Fix: --store gs://bucket/folder, and no --workspace"
        )
    require_trainer(api)
    pod = api.call("GET", f"/api/v1/namespaces/{api.namespace}/pods/{own_pod_name()}")
    name = job_name(pod)
    place = f"{request.checkpoints.rstrip('/')}/nodes/{name}"
    store = open_store(place)
    store.upload_folder(dataset, DATASET)
    specification = {"name": name, "store": place, "request": asdict(request)}
    jobs = f"/apis/{API}/namespaces/{api.namespace}/trainjobs"
    try:
        api.call("POST", jobs, train_job(name, pod, specification, resources))
        print(f"train: TrainJob {name} of {request.nodes} pods", flush=True)
        state, why = _follow(api, f"{jobs}/{name}", name)
        if state != "Complete":
            raise NodesFailedError(_reason(store, request.nodes) or f"TrainJob {name} failed: {why}")
        return _take(store, trained, curves)
    finally:
        _clean(api, f"{jobs}/{name}", store)


def require_trainer(api: KubernetesApi) -> None:
    """Find out whether the cluster has Kubeflow Trainer.

    Raises:
        TrainerMissingError: It has not.
    """
    try:
        api.call("GET", f"/apis/{API}")
    except KubernetesError as error:
        if error.status == 404:
            raise TrainerMissingError(NOT_INSTALLED) from error
        raise


def own_pod_name() -> str:
    """Return the name of this pod."""
    return os.environ.get("KFP_POD_NAME") or os.environ.get("HOSTNAME", "")


def job_name(pod: dict[str, Any]) -> str:
    """Return a name for the job of a pod, another for each attempt; JobSet's pods add some characters to it.

    >>> job_name({"metadata": {"uid": "1234abcd-0000-4000-8000-000000000000"}})
    'deep-mnist-train-1234abcd0000'
    """
    return f"deep-mnist-train-{re.sub('[^a-z0-9]', '', pod['metadata']['uid'].lower())[:12]}"


def _follow(api: KubernetesApi, path: str, name: str) -> tuple[str, str]:
    """Show the first pod's log until the job has ended; return how and why it has."""
    log, heard = PodLog(api, name), time.monotonic()
    with StopSignal(active=True) as stop:
        while True:
            try:
                found = ended(api.call("GET", path))
                log.show()
                heard = time.monotonic()
            except KubernetesError as error:
                found = None
                if error.status in (403, 404) or time.monotonic() - heard > PATIENCE_SECONDS:
                    raise
            if stop.received:
                raise TrainingInterruptedError(128 + stop.received)
            if found:
                return found
            time.sleep(POLL_SECONDS)


class PodLog:
    """The log of a job's first pod, shown as far as it has not been shown yet."""

    def __init__(self, api: KubernetesApi, job: str) -> None:
        self.api, self.job = api, job
        self._shown: dict[str, int] = {}

    def show(self) -> None:
        """Print what is new; a pod that is not there yet, or no longer, has nothing to show."""
        pods = f"/api/v1/namespaces/{self.api.namespace}/pods"
        first = f"jobset.sigs.k8s.io/jobset-name={self.job},batch.kubernetes.io/job-completion-index=0"
        for pod in self.api.call("GET", pods, labelSelector=first)["items"]:
            name = pod["metadata"]["name"]
            try:
                lines = self.api.text("GET", f"{pods}/{name}/log", container="node", tailLines=LOG_LINES).splitlines()
            except KubernetesError as error:
                if error.status in (400, 404):  # the container waits to start, or the pod was replaced
                    continue
                raise
            for line in lines[self._shown.get(name, 0) :]:
                print(line, flush=True)
            self._shown[name] = len(lines)


def _reason(store: Store, nodes: int) -> str:
    """Return what the first node that failed by itself said, "" when none did."""
    for index in range(nodes):
        try:
            failure = Failure.from_dict(json.loads(store.read(f"failure-{index}.json")[0]))
            return f"Node {index} of {nodes} failed. {failure.text()}"
        except NotFoundError:
            continue
    return ""


def _take(store: Store, trained: Path, curves: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads(store.read(METRICS)[0])
    trained.mkdir(parents=True, exist_ok=True)
    curves.parent.mkdir(parents=True, exist_ok=True)
    for key in store.list(f"{TRAINED}/"):
        store.download_file(key, trained / key.removeprefix(f"{TRAINED}/"))
    store.download_file(CURVES, curves)
    return metrics


def _clean(api: KubernetesApi, path: str, store: Store) -> None:
    """Delete the job, its pods with it, and what was exchanged."""
    try:
        api.call("DELETE", path, propagationPolicy="Foreground")
    except KubernetesError as error:
        if error.status != 404:
            print(f"train: the TrainJob could not be deleted; it goes with this pod. {error}", flush=True)
    for key in store.list():
        store.delete(key)
