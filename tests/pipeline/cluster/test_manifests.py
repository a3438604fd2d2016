"""Manifests: rendered by a real kubectl, offline, checked against Kubernetes' schemas and against our own policy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import Trust
from pipeline.cluster.definition import compile_definition
from pipeline.cluster.manifests import FOLDERS, manifests, rendered
from pipeline.placement import SETTINGS, SETTINGS_KEYS, STEP_LABEL, USER
from tests.support.keys import make_keys
from tests.support.manifests import MANIFESTS, ROOT, documents, named, pods, resources
from tests.support.pod_security import violations
from tests.support.versions import facts, make_folder

# CRDs are not in Kubernetes' schemas.
CUSTOM = {"serving.kserve.io/v1beta1", "serving.kserve.io/v1alpha1", "cilium.io/v2", "trainer.kubeflow.org/v1alpha1"}
KUBERNETES = "1.34"


@pytest.fixture(autouse=True, scope="module")
def schemas_read_once() -> Iterator[None]:
    """kubernetes_validate reads the file of all definitions for each resource anew."""
    read = kubernetes_validate.utils.schema_contents
    kubernetes_validate.utils.schema_contents = cache(read)
    yield
    kubernetes_validate.utils.schema_contents = read


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_renders_to_valid_resources(folder):
    """kubectl renders it without a network, and each resource fits the schema of its kind, strictly."""
    for each in resources(folder):
        if each["apiVersion"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_pod_is_restricted(folder):
    """Pod Security "restricted" admits it, its init containers included; no default service account, no token, no links
    to other services, limits on every container.
    """
    for name, pod in pods(folder):
        assert violations(pod) == [], name
        assert pod["serviceAccountName"] not in ("", "default"), name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        for container in pod["containers"] + pod.get("initContainers", []):
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]) & set(container["resources"]["requests"])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"hostNetwork": True}, "hostNetwork is set"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volume v is of ['hostPath']"),
        ({"securityContext": {}}, "c: runAsNonRoot is not true"),
        ({"securityContext": {"runAsNonRoot": True}}, "c: no seccomp profile"),
        ({"initContainers": [{"name": "i"}]}, "i: not all capabilities are dropped"),
    ],
)
def test_the_rules_find_what_they_forbid(change, found):
    """A pod that "restricted" rejects is rejected here too, whatever of it is at fault."""
    fit = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "c",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }

    assert violations(fit) == []
    assert found in violations({**fit, **change})


@pytest.mark.parametrize("folder", FOLDERS)
def test_our_own_containers_write_nowhere_but_where_they_must(folder):
    """A container whose image we name has a read-only root."""
    for name, pod in pods(folder):
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_rights_beyond_those_used(folder):
    """No wildcard, no cluster role, no secret but the one named, nothing that could start a pod."""
    for each in resources(folder):
        assert each["kind"] not in ("ClusterRole", "ClusterRoleBinding", "Secret")
        for rule in each.get("rules", []):
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert not {"pods", "jobs", "deployments"} & set(rule["resources"]) or rule["verbs"] == ["get"]
            assert "secrets" not in rule["resources"] or rule["resourceNames"] == ["mlpipeline-minio-artifact"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_namespaces_that_we_make_are_restricted(folder):
    """Pod Security "restricted" is enforced, not only warned of."""
    for each in resources(folder):
        if each["kind"] == "Namespace":
            assert each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("folder", [each for each in FOLDERS if "cluster-scoped" not in each])
def test_the_default_is_deny(folder):
    """In each namespace one policy selects every pod and allows nothing; a quota and default limits bound the rest."""
    kinds = {each["kind"] for each in resources(folder)}
    (deny,) = (each for each in resources(folder) if each["metadata"]["name"] == "default-deny")

    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert {"ResourceQuota", "LimitRange"} <= kinds


def test_the_steps_wear_the_labels_that_the_policies_select():
    """Every task carries the step label, and the settings that a cluster may give."""
    for task in compile_definition().tasks():
        assert STEP_LABEL in task.kubernetes["podMetadata"]["labels"]
        (settings,) = task.kubernetes["configMapAsEnv"]
        assert settings["configMapName"] == SETTINGS and settings["optional"] is True
        assert [each["configMapKey"] for each in settings["keyToEnv"]] == list(SETTINGS_KEYS)


def test_the_steps_pass_the_quota_and_the_limits():
    """No step asks for more than the limit range admits, and all at once for no more than the quota."""
    (limits,) = named("base", "LimitRange", "deep-mnist-limits")["spec"]["limits"]
    for task in compile_definition().tasks():
        requested = task.executor["resources"]
        assert int(requested["resourceCpuLimit"][:-1]) <= 1000 * int(limits["max"]["cpu"])
        assert int(requested["resourceMemoryLimit"][:-2]) <= 1024 * int(limits["max"]["memory"][:-2])


def test_gpus_are_for_the_gpu_overlay():
    """Without it the quota admits none."""
    for folder, count in (("base", "0"), ("overlays/gke", "0"), ("overlays/gpu", "4")):
        assert named(folder, "ResourceQuota", "deep-mnist-budget")["spec"]["hard"]["requests.nvidia.com/gpu"] == count


def test_gke_takes_the_account_from_one_file():
    """cluster.env is the one place to edit, and is not itself deployed."""
    (account,) = re.findall(r"GOOGLE_SERVICE_ACCOUNT=(\S+)", (MANIFESTS / "overlays/gke/cluster.env").read_text())
    runner = named("overlays/gke", "ServiceAccount", "deep-mnist-runner")

    assert runner["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] == account
    assert "cluster" not in {each["metadata"]["name"] for each in resources("overlays/gke")}


def test_kind_speaks_of_one_address():
    """Steps and the emulator name the same address of the emulator."""
    address = named("overlays/kind", "ConfigMap", SETTINGS)["data"]["STORAGE_EMULATOR_HOST"]
    emulator = named("overlays/kind", "Deployment", "fake-gcs")["spec"]["template"]["spec"]["containers"][0]

    assert f"-external-url={address}" in emulator["args"]


def test_kserve_takes_our_runtime():
    """The model names a runtime of its own namespace, whose image comes from cluster.env and carries a version."""
    service = named("overlays/kserve", "InferenceService", "mnist")
    runtime = named("overlays/kserve", "ServingRuntime", service["spec"]["predictor"]["model"]["runtime"])
    (image,) = re.findall(r"SERVER_IMAGE=(\S+)", (MANIFESTS / "overlays/kserve/cluster.env").read_text())

    assert runtime["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert runtime["spec"]["containers"][0]["image"] == image
    assert tuple(map(int, image.rpartition(":")[2].split(".")[:2])) >= (2, 7)  # DisableCopyOnRead


def test_the_steps_run_as_the_images_user():
    """placement names the number that docker/Dockerfile gives every image."""
    users = set(re.findall(r"^USER (\d+):\d+$", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)) - {"0"}

    assert users == {str(USER)}


def with_component(tmp_path: Path, name: str, folder: str = "base") -> list[dict]:
    """Render a folder with one of the components added."""
    shutil.copytree(MANIFESTS, tmp_path / "manifests", ignore=shutil.ignore_patterns("pipeline.yaml"))
    (tmp_path / "manifests/mine").mkdir()
    (tmp_path / "manifests/mine/kustomization.yaml").write_text(
        f"resources: [../{folder}]\ncomponents: [../components/{name}]\n"
    )
    return documents(rendered(tmp_path / "manifests/mine"))


@pytest.mark.parametrize("name", ["kubernetes-api", "cilium", "keyless-signing", "mirror-of-datasets", "trainer"])
def test_every_component_fits_the_base(tmp_path, name):
    """It renders over base to valid resources, leaves no placeholder, and its settings are not deployed."""
    found = with_component(tmp_path, name)

    assert "set-from-cluster.env" not in yaml.safe_dump_all(found)
    assert not [each for each in found if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name]
    for each in found:
        if each["apiVersion"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_a_mirror_of_datasets_reaches_the_download(tmp_path):
    """The steps take the mirror's address from the settings, and those that fetch data alone may go to its network."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in with_component(tmp_path, "mirror-of-datasets")}
    policy = found["NetworkPolicy", "download-from-mirror"]["spec"]

    assert found["ConfigMap", SETTINGS]["data"]["DEEP_MNIST_MIRRORS"].startswith("https://")
    assert "DEEP_MNIST_MIRRORS" in SETTINGS_KEYS
    (selected,) = policy["podSelector"]["matchExpressions"]
    assert (selected["key"], selected["values"]) == (STEP_LABEL, ["download", "prepare"])
    assert policy["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]


def test_signed_models_are_verified_before_the_server_starts(tmp_path):
    """KServe copies nothing; the init container, restricted, runs a command that writes the signed champion only."""
    (service,) = (
        each
        for each in with_component(tmp_path, "signed-models", "overlays/kserve")
        if each["kind"] == "InferenceService"
    )
    predictor = service["spec"]["predictor"]
    (initializer,) = predictor["initContainers"]
    keys, registry = make_keys(tmp_path / "trusted"), str(tmp_path / "registry")
    keys.private.rename(tmp_path / "key.pem")
    given = {"gs://BUCKET/registry": registry, "/mnt/models": str(tmp_path / "models")}
    arguments = [given.get(each, each) for each in initializer["args"]]
    arguments = [each.replace("/etc/deep-mnist/trusted-keys", str(tmp_path / "trusted")) for each in arguments]

    assert "storageUri" not in predictor["model"]
    assert violations({key: value for key, value in predictor.items() if key != "model"} | {"containers": []}) == []
    assert {each["name"] for each in initializer["volumeMounts"]} <= {each["name"] for each in predictor["volumes"]}
    trust = Trust.of(str(tmp_path / "key.pem"))
    Registry(registry, "mnist", trust=trust).promote(make_folder(tmp_path / "a", "a"), facts("a"), expected=None)
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models/1/saved_model.pb").read_text() == "graph a"
    (tmp_path / "registry/mnist/1/model.sig").unlink()
    assert subprocess.run([sys.executable, *arguments], capture_output=True, cwd=ROOT, check=False).returncode == 2


def test_no_image_is_mutable_or_from_a_registry():
    """Images are this project's, with a tag that `make kind-up` sets, or those of KServe, with a version."""
    images = {
        each["image"]
        for folder in FOLDERS
        for _, pod in pods(folder)
        for each in pod["containers"] + pod.get("initContainers", [])
    }

    assert images == {
        "deep-mnist/data:set-by-kind-up", "deep-mnist/fake-gcs:set-by-kind-up",
        "tensorflow/serving:2.19.1", "kserve/storage-initializer:v0.20.0",
    }  # fmt: skip


def test_gitops_writes_both_resources(tmp_path, monkeypatch):
    """The version is named by its content, carries both documents, and renders with the overlay."""
    monkeypatch.setenv("DEEP_MNIST_IMAGES", "registry.example/deep-mnist")
    monkeypatch.setenv("DEEP_MNIST_TAG", "1")
    shutil.copytree(MANIFESTS / "overlays/gitops", tmp_path / "gitops", ignore=shutil.ignore_patterns("pipeline.yaml"))
    done = CliRunner().invoke(manifests, ["gitops", "--output", str(tmp_path / "gitops/pipeline.yaml")])
    pipeline, version = documents(rendered(tmp_path / "gitops"))

    assert done.exit_code == 0, done.output
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert version["metadata"]["name"] == f"deep-mnist-{compile_definition().digest[:16]}"
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
    assert version["spec"]["pipelineSpec"]["pipelineInfo"]["name"] == "deep-mnist"
    assert len(version["spec"]["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]) == 5
