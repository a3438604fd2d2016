"""What is laid over Kubeflow Pipelines: rendered over stand-ins with upstream's names, and over upstream itself.

DEEP_MNIST_UPSTREAM names a folder with the trees of kubeflow/pipelines at 2.17.0 in pipelines/ and of
argoproj/argo-workflows at v4.0.5 in argo-workflows/; without it, the tests that need them are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from components.pod_end import STEP_FAILED, STEP_LOST
from pipeline.cluster.manifests import rendered
from tests.support.kfp_logs import DRIVER_UNAVAILABLE, LAUNCHER_FAILED, LAUNCHER_KILLED, LAUNCHER_UNAVAILABLE
from tests.support.manifests import MANIFESTS, named, workload_pods
from tests.support.pod_security import violations
from tests.support.upstream import needs_upstream, upstream_resources

FOLDERS = ["kubeflow-cluster-scoped", *(f"overlays/{each}/kubeflow" for each in ("kind", "gke", "gitops", "airgapped"))]

# Of the resources that we lay something over, the names and no more: a patch of another name fails to render.
# 2.17.0: manifests/kustomize/base/installs/generic/kfp-launcher-configmap.yaml,
# manifests/kustomize/base/pipeline/ml-pipeline-ui-sa.yaml,
# manifests/kustomize/base/pipeline/ml-pipeline-apiserver-deployment.yaml,
# manifests/kustomize/third-party/argo/base/workflow-controller-{configmap,deployment}-patch.yaml, and
# manifests/kustomize/cluster-scoped-resources/namespace.yaml
STAND_IN = """
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: workflow-controller-configmap, namespace: kubeflow}
data:
  executor: kept
  workflowDefaults: "spec: {templateDefaults: {retryStrategy: {retryPolicy: OnError}}}"
  artifactRepository: |
    archiveLogs: true
    s3:
      endpoint: "seaweedfs.kubeflow.svc:9000"
      bucket: "mlpipeline"
      keyFormat: "private-artifacts/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}"
      insecure: true
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: workflow-controller, namespace: kubeflow}
spec:
  template:
    spec:
      containers:
      - {name: workflow-controller, image: stand-in, env: [{name: TRANSIENT_ERROR_PATTERN, value: kept}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ml-pipeline, namespace: kubeflow}
spec:
  template:
    spec:
      containers:
      - {name: ml-pipeline-api-server, image: stand-in, env: [{name: PUBLISH_LOGS, value: kept}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kfp-launcher, namespace: kubeflow}
data: {defaultPipelineRoot: ""}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ml-pipeline-ui, namespace: kubeflow}
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


def workflow_defaults(found: dict[tuple[str, str], dict]) -> dict:
    return yaml.safe_load(found["ConfigMap", "workflow-controller-configmap"]["data"]["workflowDefaults"])["spec"]


def require_logs_where_the_api_looks(found: dict[tuple[str, str], dict]) -> None:
    """Argo puts a log at keyFormat/main.log; for packed nodes Kubeflow's API takes PREFIX/WORKFLOW/POD/main.log.

    kubeflow/pipelines 2.17.0: backend/src/apiserver/archive/log.go:257 (GetLogObjectKey), where no node of the
    Workflow names an artifact.
    """
    store = yaml.safe_load(found["ConfigMap", "workflow-controller-configmap"]["data"]["artifactRepository"])
    (server,) = found["Deployment", "ml-pipeline"]["spec"]["template"]["spec"]["containers"]
    prefix = {each["name"]: each.get("value") for each in server["env"]}["ARCHIVE_CONFIG_LOG_PATH_PREFIX"]

    assert store["s3"]["keyFormat"] == f"{prefix}/{{{{workflow.name}}}}/{{{{pod.name}}}}"
    assert prefix == "artifacts" and "PUBLISH_LOGS" in {each["name"] for each in server["env"]}
    assert store["archiveLogs"] and store["s3"]["insecure"]
    assert (store["s3"]["endpoint"], store["s3"]["bucket"]) == ("seaweedfs.kubeflow.svc:9000", "mlpipeline")


def retried(expression: str, status: str, message: str) -> bool:
    """Evaluate the retry expression as Argo does, written as Python; `matches` finds a pattern anywhere."""
    python = re.sub(r"!(?!=)", " not ", expression.replace("&&", " and ").replace("||", " or "))
    python = python.replace("lastRetry.status", "status").replace("lastRetry.message", "message")
    python = re.sub(r'message matches (".+?")', r"bool(re.search(\1, message))", python)
    return bool(eval(python, {"re": re, "status": status, "message": message}))


LOST = [
    ("Error", "pod deleted"),
    ("Failed", "Pod was terminated in response to imminent node shutdown."),
    ("Failed", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 62Mi."),
    ("Failed", "Preempted in order to admit critical pod"),
    ("Failed", "Pod was rejected: Allocate failed due to no healthy devices present"),
    ("Error", "Pod failed before main container starts due to ContainerCreating: "),
    ("Failed", f"main: Error (exit code 1): {STEP_LOST} StoreUnreachableError: Expected an answer. Received: none."),
    ("Failed", f"main: Error (exit code 1): epoch 2\nKilled\n{LAUNCHER_KILLED}"),
    ("Failed", "main: Error (exit code 143): epoch 129\nError: exit status 143"),  # evicted
    ("Failed", f"main: Error (exit code 1): {LAUNCHER_UNAVAILABLE}"),
    ("Failed", f"main: Error (exit code 1): {DRIVER_UNAVAILABLE}"),
]
FINAL = [
    ("Failed", "main: Error (exit code 1)"),  # nobody knows why
    ("Failed", f"main: Error (exit code 1): {STEP_FAILED} UnfitDataError: images.range"),  # bad data
    ("Failed", f"main: Error (exit code 1): {STEP_FAILED} StorageError: HTTP 503: connection reset by peer"),
    ("Failed", f"main: OOMKilled (exit code 1): epoch 2\n{LAUNCHER_KILLED}"),  # the kernel killed the step's process
    ("Failed", f"main: Error (exit code 1): KeyError: 'x'\n{LAUNCHER_FAILED}"),
    ("Failed", "main: OOMKilled (exit code 137)"),
    ("Failed", "Pod was active on the node longer than the specified deadline"),
    ("Failed", ""),  # a DAG around a step that failed
    ("Error", ""),  # a DAG around a pod that was lost more often than may be: Argo gives DAGs no message
]


@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_lost_nodes_are_retried_and_bad_data_are_not(tmp_path, folder):
    """Argo's policy gives way to an expression, for with one the policy is Always; the other settings are kept.

    The messages are those of Argo v4.0.5, workflow/controller/operator.go:1709 (inferFailedReason: a pod's own message,
    else container, reason, exit code); DAG nodes carry none: workflow/controller/dag.go:334.
    """
    found = over_stand_ins(tmp_path, folder)
    retry = workflow_defaults(found)["templateDefaults"]["retryStrategy"]

    assert found["ConfigMap", "workflow-controller-configmap"]["data"]["executor"] == "kept"
    assert "retryPolicy" not in retry
    assert [each for each in LOST if not retried(retry["expression"], *each)] == []
    assert [each for each in FINAL if retried(retry["expression"], *each)] == []


def test_runs_take_no_variables_of_services_and_a_priority_class(tmp_path):
    """Argo gives every pod of a run no service links, and the priority class that cluster.env names, if any."""
    plain = workflow_defaults(over_stand_ins(tmp_path, "overlays/gke/kubeflow"))
    (tmp_path / "manifests/components/workflow-defaults/cluster.env").write_text("PRIORITY_CLASS=batch\n")
    named_one = yaml.safe_load_all(rendered(tmp_path / "manifests/overlays/gke/kubeflow"))
    batch = workflow_defaults({(each["kind"], each["metadata"]["name"]): each for each in named_one})

    main = {"name": "main", "terminationMessagePolicy": "FallbackToLogsOnError"}
    assert yaml.safe_load(plain["podSpecPatch"]) == {"enableServiceLinks": False, "containers": [main]}
    assert (plain["podPriorityClassName"], batch["podPriorityClassName"]) == ("", "batch")
    assert {**plain, "podPriorityClassName": "batch"} == batch


def test_argo_looks_again_after_a_second(tmp_path):
    """Ten times as often as by default; the other variables of the controller are kept."""
    deployment = over_stand_ins(tmp_path, "overlays/kind/kubeflow")["Deployment", "workflow-controller"]
    (controller,) = deployment["spec"]["template"]["spec"]["containers"]

    assert {each["name"]: each["value"] for each in controller["env"]} == {
        "DEFAULT_REQUEUE_TIME": "1s", "TRANSIENT_ERROR_PATTERN": "kept",
    }  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_logs_lie_where_kubeflows_api_looks_once_nodes_are_packed(tmp_path, folder):
    """One setting is Argo's and the API's; store, bucket and the server's other variables are kept."""
    require_logs_where_the_api_looks(over_stand_ins(tmp_path, folder))


def test_kinds_artifacts_stay_in_the_store_that_kubeflow_ships(tmp_path):
    """Its UI reads gs:// from Google alone, so the pipeline root is left alone; the registry's bucket is the job's."""
    found = over_stand_ins(tmp_path, "overlays/kind/kubeflow")
    job = named("overlays/kind", "Job", "bucket")["spec"]["template"]["spec"]["containers"][0]["args"][0]
    (bucket,) = re.findall(r"--store gs://([\w-]+)/registry", (MANIFESTS / "kind/run.sh").read_text())

    assert found["ConfigMap", "kfp-launcher"]["data"]["defaultPipelineRoot"] == ""
    assert f'"{bucket}"' in job


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
        path.parent.relative_to(MANIFESTS).as_posix(): re.findall(r"^- (https://\S+)", path.read_text(), re.MULTILINE)
        for path in MANIFESTS.rglob("kustomization.yaml")
        if "\n- https://" in path.read_text()
    }

    assert set(remote) == {
        "kubeflow-cluster-scoped", "overlays/kind/kubeflow", "overlays/gke/kubeflow", "overlays/gitops/kubeflow",
        "overlays/airgapped/kubeflow",
    }  # fmt: skip
    assert all("?ref=2.17.0&" in url for urls in remote.values() for url in urls)


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("upstream")


@needs_upstream
@pytest.mark.parametrize("folder", FOLDERS)
def test_it_renders_over_upstream_itself(copy, folder):
    """Nothing of ours patches a name that is not there, and what we change arrives."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in upstream_resources(copy, folder)}

    if folder == FOLDERS[0]:
        labels = found["Namespace", "kubeflow"]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        return
    defaults = workflow_defaults(found)
    assert defaults["podSpecPatch"] and "retryPolicy" not in defaults["templateDefaults"]["retryStrategy"]
    require_logs_where_the_api_looks(found)


@needs_upstream
@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_a_restricted_namespace_admits_all_of_kubeflow(copy, folder):
    """Every pod that upstream starts, its init containers included, passes the rules."""
    pods = workload_pods(upstream_resources(copy, folder))

    assert len(pods) >= 14
    assert {name: violations(pod) for name, pod in pods if violations(pod)} == {}


@needs_upstream
def test_the_stand_ins_bear_upstreams_names(copy):
    """What the tests lay our patches over is there under the same names."""
    names = {
        (each["kind"], each["metadata"]["name"]) for folder in FOLDERS for each in upstream_resources(copy, folder)
    }

    assert {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(STAND_IN)} <= names


@needs_upstream
def test_the_metadata_store_is_named_where_kubeflow_has_one(copy):
    """One policy of ours names it, and Kubeflow's own manifests do, too; without it there, the file goes."""
    theirs = any(name == "metadata-grpc-deployment" for name, _ in workload_pods(upstream_resources(copy, FOLDERS[1])))
    ours = [path for path in MANIFESTS.rglob("*.yaml") if "metadata-grpc" in path.read_text()]

    assert [path.name for path in ours] == (["metadata-networkpolicy.yaml"] if theirs else [])
