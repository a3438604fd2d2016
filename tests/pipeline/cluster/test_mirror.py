"""The mirror: the list of images comes from rendered manifests, and what is written names no other registry."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cluster import mirror as mirroring
from pipeline.cluster.manifests import rendered
from pipeline.cluster.mirror import FOLDERS, images_in, mirrored, rewritten, write_folder
from tests.support.manifests import resources, workload_pods
from tests.support.upstream import needs_upstream, upstream_resources

REGISTRY = "registry.internal.example:5000/deep-mnist"
API_SERVER = {
    "kind": "Deployment",
    "metadata": {"name": "ml-pipeline", "annotations": {"note": "see kubeflow.org/docs"}},
    "spec": {
        "template": {
            "spec": {
                "initContainers": [{"name": "wait", "image": "docker.io/alpine:3.23"}],
                "containers": [
                    {
                        "name": "api",
                        "image": "mysql:8.4",
                        "args": ["--executor-image", "quay.io/argoproj/argoexec:v4.0.5"],
                        "env": [
                            {"name": "V2_DRIVER_IMAGE", "value": "ghcr.io/kubeflow/kfp-driver:2.17.0"},
                            {"name": "HOST", "value": "seaweedfs.kubeflow:9000"},
                            {"name": "GROUP", "value": "pipelines.kubeflow.org/v2beta1"},
                        ],
                    }
                ],
            }
        }
    },
}
SETTINGS = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"cacheImage": "ghcr.io/containerd/busybox"}}
CRD = {"kind": "CustomResourceDefinition", "spec": {"image": "not.an/image:1"}}
IMAGES = [
    "docker.io/alpine:3.23", "ghcr.io/containerd/busybox", "ghcr.io/kubeflow/kfp-driver:2.17.0", "mysql:8.4",
    "quay.io/argoproj/argoexec:v4.0.5",
]  # fmt: skip


def test_images_are_found_wherever_they_are_named():
    """In containers of every kind, variables, arguments and settings; no address, no API group, no CRD."""
    assert images_in([API_SERVER, SETTINGS, CRD]) == IMAGES


def test_every_image_gets_the_same_path_in_the_registry():
    """The host is replaced, path, tag and digest stay; nothing else in a resource changes."""
    images = mirrored(IMAGES, REGISTRY)
    changed = rewritten([API_SERVER, SETTINGS, CRD], images)

    assert images["ghcr.io/kubeflow/kfp-driver:2.17.0"] == f"{REGISTRY}/kubeflow/kfp-driver:2.17.0"
    assert images_in(changed) == sorted(images.values())
    back = {target: source for source, target in images.items()}
    assert rewritten(changed, back) == [API_SERVER, SETTINGS, CRD]


def test_two_images_of_one_path_are_refused():
    """Otherwise the second would take the first one's place."""
    with pytest.raises(click.ClickException, match="Expected images of different paths"):
        mirrored(["quay.io/x/alpine:3", "docker.io/x/alpine:3"], REGISTRY)


def test_pull_secrets_reach_pods_and_accounts(tmp_path):
    """Pods of Kubeflow's own name them, and so does the account of the pods that Argo makes."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deep-mnist-runner"}}
    deployment = {"apiVersion": "apps/v1", **yaml.safe_load(yaml.safe_dump(API_SERVER))}
    write_folder(tmp_path, [deployment, account], ["registry"])
    written = list(yaml.safe_load_all(rendered(tmp_path)))

    assert [pod["imagePullSecrets"] for _, pod in workload_pods(written)] == [[{"name": "registry"}]]
    assert [each["imagePullSecrets"] for each in written if each["kind"] == "ServiceAccount"] == [
        [{"name": "registry"}]
    ]


@pytest.fixture
def docker(tmp_path, monkeypatch) -> Path:
    """A docker client on PATH that writes down its calls; it has only this project's images."""
    calls = tmp_path / "calls"
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    here = 'case "$*" in "image inspect deep-mnist/"*) ;; "image inspect "*) exit 1 ;; esac'
    client.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n{here}\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")
    monkeypatch.setattr(mirroring, "built_images", lambda: {"light": "deep-mnist/light:5-a"})
    monkeypatch.setattr(mirroring, "FOLDERS", {"deep-mnist": "overlays/airgapped", "kserve": "overlays/kserve"})
    return calls


def test_mirror_copies_and_writes(docker, tmp_path):
    """What is not here is pulled; all is pushed under the new name; the folders render offline to those names alone."""
    command = ["--registry", f"{REGISTRY}/", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(mirroring.mirror, command)
    calls = docker.read_text().splitlines()
    written = list(yaml.safe_load_all(rendered(tmp_path / "out/kserve")))

    assert done.exit_code == 0, done.output
    assert "pull tensorflow/serving:2.19.1" in calls and "pull deep-mnist/light:5-a" not in calls
    assert f"push {REGISTRY}/tensorflow/serving:2.19.1" in calls
    assert f"push {REGISTRY}/deep-mnist/light:5-a" in calls
    assert images_in(written) == [f"{REGISTRY}/tensorflow/serving:2.19.1"]
    assert f"export DEEP_MNIST_IMAGES={REGISTRY}/deep-mnist DEEP_MNIST_TAG=5-a" in done.output


def test_a_list_copies_nothing(docker, tmp_path):
    """--list shows what would be copied."""
    done = CliRunner().invoke(mirroring.mirror, ["--registry", REGISTRY, "--output", str(tmp_path / "out"), "--list"])

    assert f"tensorflow/serving:2.19.1 {REGISTRY}/tensorflow/serving:2.19.1" in done.output
    assert not docker.exists()


@pytest.mark.usefixtures("docker")
def test_a_refused_push_is_said(tmp_path):
    """A registry that refuses ends it with Docker's words."""
    client = tmp_path / "bin" / "docker"
    client.write_text('#!/bin/sh\n[ "$1" != push ] || { echo denied >&2; exit 1; }\n')
    done = CliRunner().invoke(mirroring.mirror, ["--registry", REGISTRY, "--output", str(tmp_path / "out")])

    assert done.exit_code == 1
    assert "to be pushed. Received: denied" in done.output


def test_the_overlay_of_an_air_gapped_cluster_renders_offline():
    """It is base with datasets from a mirror."""
    names = {(each["kind"], each["metadata"]["name"]) for each in resources("overlays/airgapped")}

    assert {("ServiceAccount", "deep-mnist-runner"), ("NetworkPolicy", "download-from-mirror")} <= names


@needs_upstream
def test_nothing_of_kubeflow_names_another_registry(tmp_path_factory):
    """Over upstream's real tree: driver, launcher and executor are listed, and no image of another host is left."""
    copy = tmp_path_factory.mktemp("upstream")
    items = [each for name in ("cluster-scoped", "kubeflow") for each in upstream_resources(copy, FOLDERS[name])]
    images = mirrored(images_in(items), REGISTRY)
    left = rewritten(items, images)

    for name in ("kubeflow/kfp-driver:2.17.0", "kubeflow/kfp-launcher:2.17.0", "argoproj/argoexec:v4.0.5"):
        assert f"{REGISTRY}/{name}" in images.values()
    text = yaml.safe_dump_all(each for each in left if each["kind"] != "CustomResourceDefinition")
    assert not [host for host in ("ghcr.io", "gcr.io", "quay.io", "docker.io") if f"{host}/" in text]
    containers = [each for _, pod in workload_pods(left) for each in pod["containers"] + pod.get("initContainers", [])]
    assert all(each["image"].startswith(f"{REGISTRY}/") for each in containers)
