"""Manifests: rendered by a real kubectl, offline, checked against Kubernetes' schemas and against our own policy."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cluster.definition import compile_definition
from pipeline.cluster.manifests import FOLDERS, manifests, rendered
from pipeline.placement import SETTINGS, SETTINGS_KEYS, STEP_LABEL
from tests.support.kfp_server import KfpServer

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = ROOT / "manifests"
# Kubeflow's own CRDs are not in Kubernetes' schemas.
CUSTOM = {"serving.kserve.io/v1beta1"}
KUBERNETES = "1.34"


@cache
def resources(folder: str) -> list[dict]:
    return [each for each in yaml.safe_load_all(rendered(MANIFESTS / folder)) if each]


def named(folder: str, kind: str, name: str) -> dict:
    (found,) = (each for each in resources(folder) if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pods(folder: str) -> list[tuple[str, dict]]:
    """Every pod specification that a folder brings, an InferenceService's predictor included."""
    found = []
    for each in resources(folder):
        if each["kind"] in ("Deployment", "Job"):
            found.append((each["metadata"]["name"], each["spec"]["template"]["spec"]))
        if each["kind"] == "InferenceService":
            predictor = each["spec"]["predictor"]
            found.append((each["metadata"]["name"], {**predictor, "containers": [predictor["model"]]}))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_renders_to_valid_resources(folder):
    """kubectl renders it without a network, and each resource fits the schema of its kind, strictly."""
    for each in resources(folder):
        if each["apiVersion"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_pod_is_restricted(folder):
    """No root, no privilege, no default service account, no token where none is used, limits on every container."""
    for name, pod in pods(folder):
        assert pod["serviceAccountName"] not in ("", "default"), name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume], name
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]) & set(container["resources"]["requests"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_our_own_containers_write_nowhere_but_where_they_must(folder):
    """A container whose image we name has a read-only root."""
    for name, pod in pods(folder):
        for container in pod["containers"]:
            if "image" in container:
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


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_default_is_deny(folder):
    """In each namespace one policy selects every pod and allows nothing; a quota and default limits bound the rest."""
    kinds = {each["kind"] for each in resources(folder)}
    (deny,) = (each for each in resources(folder) if each["metadata"]["name"] == "default-deny")

    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert {"ResourceQuota", "LimitRange"} <= kinds


def selects(selector: dict, labels: dict[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions", []):
        if each["operator"] == "Exists" and each["key"] not in labels:
            return False
        if each["operator"] == "In" and labels.get(each["key"]) not in each["values"]:
            return False
    return True


def matches(peer: dict, target: dict[str, str] | str) -> bool:
    """Whether a policy's peer is the pod with these labels, the kube-system namespace, or the address."""
    if isinstance(target, dict):
        return "podSelector" in peer and "namespaceSelector" not in peer and selects(peer["podSelector"], target)
    if target == "kube-system":
        return peer.get("namespaceSelector", {}).get("matchLabels", {}) == {"kubernetes.io/metadata.name": target}
    if "ipBlock" not in peer:
        return False
    block, address = peer["ipBlock"], ipaddress.ip_address(target)
    inside = address in ipaddress.ip_network(block["cidr"])
    return inside and not any(address in ipaddress.ip_network(each) for each in block.get("except", []))


def allowed(folder: str, direction: str, pod: dict[str, str], peer: dict[str, str] | str, port: int) -> bool:
    """Evaluate one direction as Kubernetes does: a policy that selects the pod says so, or none selects it."""
    key = {"Egress": "to", "Ingress": "from"}[direction]
    policies = [each["spec"] for each in resources(folder) if each["kind"] == "NetworkPolicy"]
    mine = [each for each in policies if direction in each["policyTypes"] and selects(each["podSelector"], pod)]
    rules = [rule for each in mine for rule in each.get(direction.lower(), [])]
    return not mine or any(
        any(matches(each, peer) for each in rule.get(key, [{}]))
        and any(each["port"] == port for each in rule.get("ports", [{"port": port}]))
        for rule in rules
    )


def reaches(folder: str, source: dict[str, str], target: dict[str, str] | str, port: int) -> bool:
    """Whether both ends of a connection are allowed."""
    there = not isinstance(target, dict) or allowed(folder, "Ingress", target, source, port)
    return allowed(folder, "Egress", source, target, port) and there


UPSTREAM = {"application-crd-id": "kubeflow-pipelines"}
METADATA = {**UPSTREAM, "component": "metadata-grpc-server"}
API = {**UPSTREAM, "app": "ml-pipeline"}
STORE = {**UPSTREAM, "app": "seaweedfs"}
UI = {**UPSTREAM, "app": "ml-pipeline-ui"}
MYSQL = {**UPSTREAM, "app": "mysql"}
DRIVER = {"workflows.argoproj.io/workflow": "deep-mnist-x7k2p"}
TRAIN = {**DRIVER, STEP_LABEL: "train"}
DOWNLOAD = {**DRIVER, STEP_LABEL: "download"}
FAKE_GCS = {"app": "fake-gcs"}


@pytest.mark.parametrize(
    ("folder", "source", "target", "port"),
    [
        ("base", DRIVER, METADATA, 8080),
        ("base", DRIVER, API, 8887),
        ("base", TRAIN, METADATA, 8080),
        ("base", TRAIN, STORE, 8333),
        ("base", TRAIN, "10.96.0.1", 443),
        ("base", TRAIN, "172.18.0.2", 6443),
        ("base", TRAIN, "kube-system", 53),
        ("base", DOWNLOAD, "151.101.1.1", 443),
        ("base", API, MYSQL, 3306),
        ("base", API, STORE, 8333),
        ("base", METADATA, MYSQL, 3306),
        ("base", API, "10.96.0.1", 443),
        ("overlays/kind", TRAIN, FAKE_GCS, 4443),
        ("overlays/kind", UI, FAKE_GCS, 4443),
        ("overlays/kind", {"app": "bucket"}, FAKE_GCS, 4443),
        ("overlays/gke", TRAIN, "142.250.0.1", 443),
        ("overlays/gke", TRAIN, "169.254.169.254", 80),
        ("overlays/gke", UI, "142.250.0.1", 443),
        ("overlays/gke", TRAIN, "169.254.20.10", 53),
    ],
)
def test_what_the_pipeline_needs_is_open(folder, source, target, port):
    """Metadata, the API, the store, DNS, the Kubernetes API and the bucket are within reach of those who need them."""
    assert reaches(folder, source, target, port)


@pytest.mark.parametrize(
    ("folder", "source", "target", "port"),
    [
        ("base", TRAIN, "151.101.1.1", 443),
        ("base", TRAIN, MYSQL, 3306),
        ("base", TRAIN, TRAIN, 8080),
        ("base", TRAIN, "10.0.0.7", 22),
        ("base", TRAIN, "169.254.169.254", 80),
        ("base", DOWNLOAD, "169.254.169.254", 443),
        ("base", DOWNLOAD, "151.101.1.1", 80),
        ("base", {"app": "stranger"}, API, 8888),
        ("base", {"app": "stranger"}, "151.101.1.1", 443),
        ("base", MYSQL, "151.101.1.1", 443),
        ("overlays/kind", MYSQL, FAKE_GCS, 4443),
        ("overlays/gke", DRIVER, "142.250.0.1", 443),
    ],
)
def test_everything_else_is_shut(folder, source, target, port):
    """A step reaches no database, no other step, no internet and no cloud metadata; a stranger reaches nothing."""
    assert not reaches(folder, source, target, port)


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
        asked = task.executor["resources"]
        assert int(asked["resourceCpuLimit"][:-1]) <= 1000 * int(limits["max"]["cpu"])
        assert int(asked["resourceMemoryLimit"][:-2]) <= 1024 * int(limits["max"]["memory"][:-2])


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
    """Steps, the emulator and Kubeflow's UI are told the same address of the emulator."""
    address = named("overlays/kind", "ConfigMap", SETTINGS)["data"]["STORAGE_EMULATOR_HOST"]
    emulator = named("overlays/kind", "Deployment", "fake-gcs")["spec"]["template"]["spec"]["containers"][0]

    assert f"-external-url={address}" in emulator["args"]
    assert address in (MANIFESTS / "overlays/kind/kubeflow/ml-pipeline-ui-deployment.yaml").read_text()


# --- what is laid over upstream: rendered here over stand-ins with upstream's names ---------------------------------

STAND_IN = """
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: workflow-controller-configmap, namespace: kubeflow}
data: {executor: kept, workflowDefaults: "spec: {templateDefaults: {retryStrategy: {retryPolicy: OnError}}}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kfp-launcher, namespace: kubeflow}
data: {defaultPipelineRoot: ""}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ml-pipeline-ui, namespace: kubeflow}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ml-pipeline-ui, namespace: kubeflow}
spec:
  selector: {matchLabels: {app: ml-pipeline-ui}}
  template:
    metadata: {labels: {app: ml-pipeline-ui}}
    spec: {containers: [{name: ml-pipeline-ui, image: frontend}]}
"""


def over_stand_ins(tmp_path: Path, folder: str) -> dict[tuple[str, str], dict]:
    """Render a folder with its remote resource replaced by stand-ins of the same names."""
    shutil.copytree(MANIFESTS, tmp_path / "manifests", ignore=shutil.ignore_patterns("pipeline.yaml"))
    (tmp_path / "manifests/upstream").mkdir()
    (tmp_path / "manifests/upstream/all.yaml").write_text(STAND_IN)
    (tmp_path / "manifests/upstream/kustomization.yaml").write_text("resources: [all.yaml]\n")
    path = tmp_path / "manifests" / folder / "kustomization.yaml"
    local = os.path.relpath(tmp_path / "manifests/upstream", path.parent)
    path.write_text(re.sub(r"^- https://.*$", f"- {local}", path.read_text(), flags=re.MULTILINE))
    found = yaml.safe_load_all(rendered(path.parent))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@pytest.mark.parametrize("folder", ["overlays/kind/kubeflow", "overlays/gke/kubeflow", "overlays/gitops/kubeflow"])
def test_lost_nodes_are_retried_and_bad_data_are_not(tmp_path, folder):
    """Argo's policy gives way to an expression, for with one the policy is Always; the other settings are kept."""
    data = over_stand_ins(tmp_path, folder)["ConfigMap", "workflow-controller-configmap"]["data"]
    retry = yaml.safe_load(data["workflowDefaults"])["spec"]["templateDefaults"]["retryStrategy"]
    pattern = re.search(r'matches "(.+)"', retry["expression"])

    assert data["executor"] == "kept"
    assert "retryPolicy" not in retry and 'lastRetry.status == "Error"' in retry["expression"]
    assert re.search(pattern[1], "Pod was terminated in response to imminent node shutdown.")
    assert not re.search(pattern[1], "Error (exit code 1)")


def test_kinds_artifacts_go_to_the_bucket(tmp_path):
    """The pipeline root is the bucket that the job makes."""
    found = over_stand_ins(tmp_path, "overlays/kind/kubeflow")
    job = named("overlays/kind", "Job", "bucket")["spec"]["template"]["spec"]["containers"][0]["args"][0]

    root = found["ConfigMap", "kfp-launcher"]["data"]["defaultPipelineRoot"]
    assert root == "gs://deep-mnist/artifacts"
    assert f'"{root.split("/")[2]}"' in job


def test_gkes_artifacts_go_to_the_bucket_of_cluster_env(tmp_path):
    """One file names the bucket and the UI's account."""
    found = over_stand_ins(tmp_path, "overlays/gke/kubeflow")

    assert found["ConfigMap", "kfp-launcher"]["data"]["defaultPipelineRoot"] == "gs://BUCKET/artifacts"
    assert found["ServiceAccount", "ml-pipeline-ui"]["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]


def test_kubeflows_namespace_is_restricted(tmp_path):
    """Upstream enforces "baseline"; ours enforces "restricted"."""
    labels = over_stand_ins(tmp_path, "kubeflow-cluster-scoped")["Namespace", "kubeflow"]["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_upstream_is_pinned_and_kept_apart():
    """Only the kubeflow folders need a network, and all of them name the one release."""
    remote = {
        path.parent.relative_to(MANIFESTS).as_posix(): re.findall(r"https://\S+", path.read_text())
        for path in MANIFESTS.rglob("kustomization.yaml")
        if "https://" in path.read_text()
    }

    assert set(remote) == {
        "kubeflow-cluster-scoped", "overlays/kind/kubeflow", "overlays/gke/kubeflow", "overlays/gitops/kubeflow",
    }  # fmt: skip
    assert all("?ref=2.17.0&" in url for urls in remote.values() for url in urls)


def test_no_image_is_mutable_or_from_a_registry():
    """Images that our manifests name are this project's, with a tag that `make kind-up` sets."""
    images = {
        each["image"] for folder in FOLDERS for _, pod in pods(folder) for each in pod["containers"] if "image" in each
    }

    assert images == {"deep-mnist/light:set-by-kind-up", "deep-mnist/fake-gcs:set-by-kind-up"}


def test_gitops_writes_both_resources(tmp_path, monkeypatch):
    """The version is named by its content, carries both documents, and renders with the overlay."""
    monkeypatch.setenv("DEEP_MNIST_IMAGES", "registry.example/deep-mnist")
    monkeypatch.setenv("DEEP_MNIST_TAG", "1")
    shutil.copytree(MANIFESTS / "overlays/gitops", tmp_path / "gitops", ignore=shutil.ignore_patterns("pipeline.yaml"))
    done = CliRunner().invoke(manifests, ["gitops", "--output", str(tmp_path / "gitops/pipeline.yaml")])
    pipeline, version = yaml.safe_load_all(rendered(tmp_path / "gitops"))

    assert done.exit_code == 0, done.output
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert version["metadata"]["name"] == f"deep-mnist-{compile_definition().digest[:16]}"
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
    assert version["spec"]["pipelineSpec"]["pipelineInfo"]["name"] == "deep-mnist"
    assert len(version["spec"]["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]) == 7


# --- the scripts of kind --------------------------------------------------------------------------------------------


def script(name: str, *arguments: str, tools: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with `tools` first on PATH and nothing behind it but a few of the system's commands."""
    system = tools / "system"
    system.mkdir(exist_ok=True)
    for command in ("bash", "cat", "dirname", "grep", "mkdir", "rm", "sleep", "timeout"):
        if not (system / command).exists():
            (system / command).symlink_to(shutil.which(command))
    settings = {"PATH": f"{tools}:{system}", "HOME": str(tools), **environment}
    command = [str(system / "bash"), str(MANIFESTS / "kind" / name), *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, cwd=tools)


def tool(folder: Path, name: str, body: str = "") -> None:
    """Put a command on the path that writes down how it was called."""
    path = folder / name
    path.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >>"$HOME/calls"\n{body}\n')
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path) -> Path:
    (tmp_path / "calls").touch()
    return tmp_path


@pytest.mark.parametrize("name", ["up.sh", "run.sh", "down.sh"])
def test_a_missing_tool_is_named(tools, name):
    """Without kind, the scripts say what is missing and where it comes from, before they do anything."""
    tool(tools, "docker")
    done = script(name, tools=tools)

    assert done.returncode == 2
    assert done.stderr.startswith("Expected the command kind. Received: none on PATH. Install kind")
    assert (tools / "calls").read_text() == ""


def test_a_docker_that_does_not_answer_is_named(tools):
    """A Docker client without an engine is told apart from a missing one."""
    tool(tools, "docker", "exit 1")
    tool(tools, "kind")
    done = script("down.sh", tools=tools)

    assert done.returncode == 2
    assert "Expected a Docker Engine that answers. Received: none." in done.stderr


def test_down_removes_the_cluster_or_says_that_there_is_none(tools):
    """kind-down is safe to call twice."""
    tool(tools, "docker")
    tool(tools, "kind", '[ "$1 $2" != "get clusters" ] || [ -e "$HOME/gone" ] || echo deep-mnist')
    first = script("down.sh", tools=tools)
    (tools / "gone").touch()
    second = script("down.sh", tools=tools)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "kind delete cluster --name deep-mnist" in (tools / "calls").read_text()
    assert "nothing to remove" in second.stdout


def test_run_wants_a_cluster(tools):
    """kind-run without a cluster names the command that makes one."""
    tool(tools, "docker")
    tool(tools, "kind")
    done = script("run.sh", tools=tools)

    assert done.returncode == 2
    assert "make kind-up" in done.stderr


IMAGES = """if [ "$2 $3" = "pipeline.cluster.kind images" ]; then
  printf 'deep-mnist/light:5-a\\ndeep-mnist/tensorflow:5-a\\ndeep-mnist/train-cpu:5-a\\n'
"""


def test_up_goes_from_nothing_to_a_bucket(tools):
    """Images, cluster, Kubeflow, our own, in this order; what is rendered for the cluster carries the images' tag."""
    tool(tools, "docker")
    tool(tools, "kind")
    tool(tools, "kubectl")
    tool(tools, "python", f"{IMAGES}else echo /binaries; fi")
    done = script("up.sh", tools=tools, DEEP_MNIST_PYTHON=str(tools / "python"))
    calls = (tools / "calls").read_text()
    steps = [
        "docker build --quiet --build-arg LIGHT=deep-mnist/light:5-a --tag deep-mnist/fake-gcs:5-a",
        "kind create cluster --config manifests/kind/cluster.yaml",
        "kind load docker-image --name deep-mnist deep-mnist/light:5-a",
        "apply -k manifests/kubeflow-cluster-scoped",
        "apply -k manifests/overlays/kind/kubeflow",
        "apply -k build/kind",
        "rollout status deployment/ml-pipeline ",
        "wait --for=condition=complete --timeout=300s job/bucket",
    ]

    assert done.returncode == 0, done.stderr
    assert [calls.find(step) for step in steps] == sorted(calls.find(step) for step in steps) and steps[0] in calls
    own = [each for each in yaml.safe_load_all(rendered(ROOT / "build/kind")) if each["kind"] in ("Deployment", "Job")]
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in own}
    assert images == {"deep-mnist/light:5-a", "deep-mnist/fake-gcs:5-a"}


@pytest.mark.parametrize(("state", "status"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_run_submits_and_ends_as_the_run_ends(tools, state, status):
    """kind-run forwards a port, submits with the cluster's images, watches, and leaves no port-forward behind."""
    tool(tools, "docker")
    tool(tools, "kind", "echo deep-mnist")
    tool(tools, "kubectl", 'echo $$ >"$HOME/forward"; exec sleep 60')
    with KfpServer() as server:
        server.states = [{"state": state}]
        port = f'elif [ "$2 $3" = "pipeline.cluster.kind port" ]; then echo {server.server_port}'
        tool(tools, "python", f'{IMAGES}{port}\nelse exec {sys.executable} "$@"; fi')
        done = script("run.sh", "--poll", "0.1", tools=tools, DEEP_MNIST_PYTHON=str(tools / "python"))
    sent = server.created["runs"][0]

    assert done.returncode == status, done.stderr
    assert sent.service_account == "deep-mnist-runner"
    assert sent.runtime_config.parameters["registry"] == "gs://deep-mnist/registry"
    executors = sent.pipeline_spec["pipeline_spec"]["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["image"] == "deep-mnist/train-cpu:5-a"
    assert not Path(f"/proc/{(tools / 'forward').read_text().strip()}").exists()


def test_every_wait_of_up_ends():
    """Each command of the script that waits has a time limit."""
    text = (MANIFESTS / "kind/up.sh").read_text().replace("\\\n", " ")
    waits = [
        line
        for line in text.splitlines()
        if re.search(r"\b(wait|rollout status|delete job)\b", line) and "on_c" in line
    ]

    assert len(waits) == 4
    assert all("--timeout=" in line for line in waits)
    assert "--wait 300s" in text


def test_the_scripts_are_sound():
    """bash reads them, they stop at the first error, and the cluster file is kind's."""
    for path in (MANIFESTS / "kind").glob("*.sh"):
        subprocess.run(["bash", "-n", str(path)], check=True)
        assert "set -euo pipefail" in path.read_text() or "common.sh" in path.read_text()
    cluster = yaml.safe_load((MANIFESTS / "kind/cluster.yaml").read_text())
    assert (cluster["kind"], cluster["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")


# --- the same in containers: make test-docker -----------------------------------------------------------------------


@pytest.mark.docker
def test_the_emulator_and_the_bucket_job_work_as_the_manifests_say():
    """The emulator's image serves with the deployment's arguments, and the job makes the bucket, twice, read-only."""
    import docker
    from pipeline.containers.built import built_images

    client = docker.from_env()
    light = built_images()["light"]
    binary = subprocess.run(
        [sys.executable, "-m", "pipeline.cluster.kind", "emulator"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    image = "deep-mnist/fake-gcs:test"
    build = ["docker", "build", "--quiet", "--build-arg", f"LIGHT={light}", "--tag", image]
    build += ["--file", str(MANIFESTS / "kind/fake-gcs.Dockerfile"), binary.stdout.strip()]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    emulator = named("overlays/kind", "Deployment", "fake-gcs")["spec"]["template"]["spec"]["containers"][0]
    job = named("overlays/kind", "Job", "bucket")["spec"]["template"]["spec"]["containers"][0]
    hard = {"read_only": True, "user": "10001:10001", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
    writable = {"/tmp": "", "/data": "uid=10001"}
    network = client.networks.create("deep-mnist-test")
    server = client.containers.run(
        image, emulator["command"] + emulator["args"], detach=True, network=network.name, name="fake-gcs.kubeflow",
        tmpfs=writable, **hard,
    )  # fmt: skip
    try:
        environment = {"STORAGE_EMULATOR_HOST": "http://fake-gcs.kubeflow:4443"}
        for _ in range(2):
            said = client.containers.run(
                light, job["command"] + job["args"], remove=True, network=network.name, environment=environment,
                tmpfs={"/tmp": ""}, **hard,
            )  # fmt: skip
            assert said == b"gs://deep-mnist is there\n"
    finally:
        server.remove(force=True)
        network.remove()
        client.close()
