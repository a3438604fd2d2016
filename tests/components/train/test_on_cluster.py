"""On a cluster, train makes a TrainJob, follows it, shows its log, takes what it trained, and deletes it."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time

import pytest
import yaml

from components.train.launch.here import NodesFailedError
from components.train.launch.on_cluster import TrainerMissingError, train_on_cluster
from components.train.launch.train_job import RUNTIME, train_job
from components.train.request import TrainRequest
from deep_mnist.kubernetes_api import KubernetesApi
from deep_mnist.storage.open import open_store
from tests.components.train.test_nodes import prepared
from tests.support.manifests import MANIFESTS
from tests.support.pod_security import violations
from tests.support.remotes import new_address
from tests.support.trainer import STEP_POD, StandIn, serve

RESOURCES = {"cpu": "4", "memory": "6144Mi", "nvidia.com/gpu": "1"}


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "account").mkdir()
    return StandIn(tmp_path / "account")


@pytest.fixture
def api(cluster, monkeypatch):
    monkeypatch.setenv("KFP_POD_NAME", STEP_POD["metadata"]["name"])
    server = serve(cluster)
    yield KubernetesApi(f"http://127.0.0.1:{server.server_port}", cluster.folder)
    server.shutdown()
    cluster.stop()


@pytest.fixture
def store(gcs):
    return new_address("gs", gcs)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("data"))


def train(dataset, folder, store, api, **options):
    request = TrainRequest(epochs=2, nodes=2, checkpoints=f"{store}/checkpoints", checkpoint_seconds=0.01, **options)
    return train_on_cluster(dataset, folder / "trained", folder / "curves.html", request, RESOURCES, api)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
def test_a_train_job_trains_and_one_killed_pod_restarts_all(dataset, tmp_path, store, cluster, api, capfd):
    """The pods train, one is killed, all go on from the checkpoint; the model comes here and nothing is left behind."""

    def kill_a_pod() -> None:
        kept = open_store(f"{store}/checkpoints")
        while not [key for key in kept.list() if key.endswith(".checkpoint")]:
            time.sleep(0.05)
        os.kill(cluster.pods[1].pid, signal.SIGKILL)

    threading.Thread(target=kill_a_pod, daemon=True).start()
    metrics = train(dataset, tmp_path, store, api)

    assert metrics["validation_accuracy"] > 0
    assert json.loads((tmp_path / "trained" / "training.json").read_text())["nodes"]["count"] == 2
    assert (tmp_path / "curves.html").is_file()
    assert cluster.restarts >= 1
    shown = capfd.readouterr().out
    assert "going on after step" in shown
    assert "epoch 2/2" in shown
    assert [key for key in open_store(store).list() if "/nodes/" in key] == []
    assert_granted(cluster.requests)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
def test_a_fault_of_the_training_is_told_in_its_words(dataset, tmp_path, store, cluster, api):
    """What a pod refuses fails the step with that message, and the job is deleted."""
    with pytest.raises(NodesFailedError, match="Expected a GPU"):
        train(dataset, tmp_path, store, api, require_gpu=True)

    assert cluster.requests[-1][0] == "DELETE"
    assert cluster.restarts == 0


def test_a_cluster_without_trainer_is_told_in_one_line(dataset, tmp_path, store, cluster, api):
    """Nothing is made where there is nothing to make it with."""
    cluster.installed = False
    with pytest.raises(TrainerMissingError, match=r"Received: no such API\. Fix: install Trainer"):
        train(dataset, tmp_path, store, api)

    assert [method for method, _ in cluster.requests] == ["GET"]


def test_checkpoints_that_pods_cannot_reach_are_refused(dataset, tmp_path, api):
    """A folder of the step's own disk is no place where several pods meet."""
    with pytest.raises(ValueError, match="Expected checkpoints in an object store"):
        train_on_cluster(dataset, tmp_path, tmp_path, TrainRequest(nodes=2, checkpoints="/tmp/x"), RESOURCES, api)


def assert_granted(requests: list[tuple[str, str]]) -> None:
    """Every call of the step is granted by the Role of the component, or by what any service account may."""
    rules = yaml.safe_load((MANIFESTS / "components/trainer/trainer-role.yaml").read_text())["rules"]
    granted = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    verbs = {"POST": "create", "DELETE": "delete"}
    for method, path in requests:
        found = re.fullmatch(r"/(?:api/v1|apis/([^/]+)/[^/]+)/namespaces/[^/]+/([^/]+)(/[^/]+)?(/log)?", path)
        if found is None:
            assert path == "/apis/trainer.kubeflow.org/v1alpha1"  # system:discovery
            continue
        verb = verbs.get(method, "get" if found[3] else "list")
        assert (found[1] or "", found[2] + (found[4] or ""), verb) in granted, (method, path)


def test_the_job_inherits_what_the_steps_pod_has():
    """Image, pull secrets, tolerations, node labels and service account are the step's; KFP's own variables are not."""
    job = train_job("job", STEP_POD, {"request": {"nodes": 2}}, RESOURCES)
    trainer, (patch,) = job["spec"]["trainer"], job["spec"]["runtimePatches"]
    (replicated,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]

    assert trainer["image"] == STEP_POD["spec"]["containers"][1]["image"]
    assert trainer["resourcesPerNode"]["limits"] == RESOURCES
    assert [each["name"] for each in trainer["env"]] == ["AWS_REGION", "DEEP_MNIST_NODES"]
    assert set(replicated["template"]["spec"]["template"]["spec"]) == {
        "nodeSelector", "tolerations", "imagePullSecrets", "serviceAccountName",
    }  # fmt: skip
    assert job["metadata"]["ownerReferences"][0]["uid"] == STEP_POD["metadata"]["uid"]


def runtime() -> dict:
    return yaml.safe_load((MANIFESTS / "components/trainer/tensorflow-clustertrainingruntime.yaml").read_text())


def test_the_runtimes_pods_are_restricted():
    """Pod Security "restricted" admits the pods of the runtime, which get no token of the API server."""
    (job,) = runtime()["spec"]["template"]["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]

    assert violations(pod) == []
    assert pod["automountServiceAccountToken"] is False
    assert runtime()["metadata"]["name"] == RUNTIME


UPSTREAM = os.environ.get("DEEP_MNIST_UPSTREAM", "")


@pytest.mark.skipif(not UPSTREAM, reason="DEEP_MNIST_UPSTREAM names no copy of upstream's manifests")
@pytest.mark.parametrize("kind", ["trainjobs", "clustertrainingruntimes"])
def test_trainers_own_schema_takes_them(kind):
    """kubeflow/trainer v2.3.0 in DEEP_MNIST_UPSTREAM/trainer: its CRDs know every field, and none is missing."""
    import jsonschema

    path = f"{UPSTREAM}/trainer/manifests/base/crds/trainer.kubeflow.org_{kind}.yaml"
    with open(path) as stream:
        schema = yaml.safe_load(stream)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    specification = {"name": "job", "store": "gs://bucket", "request": {"nodes": 2}}
    found = train_job("job", STEP_POD, specification, RESOURCES) if kind == "trainjobs" else runtime()

    jsonschema.validate(found, strict(schema))


def strict(schema: dict) -> dict:
    """Return a CRD's schema in which a field that it does not name is an error, not pruned in silence."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    found = dict(schema)
    if "properties" in schema:
        found["properties"] = {name: strict(each) for name, each in schema["properties"].items()}
        found["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            found[inner] = strict(schema[inner])
    return found
