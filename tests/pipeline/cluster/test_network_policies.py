"""Network policies, evaluated as Kubernetes does: what a run needs is open, everything else is shut."""

from __future__ import annotations

import ipaddress

import pytest

from pipeline.placement import STEP_LABEL
from tests.support.manifests import resources


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
    """Whether a policy's peer is the pod with these labels, a namespace as a whole, or the address.

    The labels of a pod name its namespace by NAMESPACE when it is not that of the policy.
    """
    if isinstance(target, str) and not target[0].isdigit():
        target = {NAMESPACE: target}
    if isinstance(target, dict):
        named = {NAMESPACE: target[NAMESPACE]} if NAMESPACE in target else {}
        at_home = "namespaceSelector" not in peer and not named
        return "ipBlock" not in peer and (
            (at_home or ("namespaceSelector" in peer and selects(peer["namespaceSelector"], named)))
            and selects(peer.get("podSelector", {}), target)
        )
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
    """Whether both ends of a connection are allowed; of another namespace, the end here."""
    there = not isinstance(target, dict) or NAMESPACE in target or allowed(folder, "Ingress", target, source, port)
    return allowed(folder, "Egress", source, target, port) and there


NAMESPACE = "kubernetes.io/metadata.name"
UPSTREAM = {"application-crd-id": "kubeflow-pipelines"}
METADATA = {**UPSTREAM, "component": "metadata-grpc-server"}
API = {**UPSTREAM, "app": "ml-pipeline"}
STORE = {**UPSTREAM, "app": "seaweedfs"}
UI = {**UPSTREAM, "app": "ml-pipeline-ui"}
MYSQL = {**UPSTREAM, "app": "mysql"}
DRIVER = {"workflows.argoproj.io/workflow": "deep-mnist-x7k2p"}
TRAIN = {**DRIVER, STEP_LABEL: "train"}
DOWNLOAD = {**DRIVER, STEP_LABEL: "download"}
PREPARE = {**DRIVER, STEP_LABEL: "prepare"}
FAKE_GCS = {"app": "fake-gcs"}
ARTIFACTS = {"app": "ml-pipeline-ui-artifact"}  # in a profile's namespace


def in_kubeflow(pod: dict[str, str]) -> dict[str, str]:
    """The pod, seen from a profile's namespace."""
    return {**pod, NAMESPACE: "kubeflow"}


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
        ("base", PREPARE, "151.101.1.1", 443),
        ("base", API, MYSQL, 3306),
        ("base", API, STORE, 8333),
        ("base", METADATA, MYSQL, 3306),
        ("base", API, "10.96.0.1", 443),
        ("overlays/kind", TRAIN, FAKE_GCS, 4443),
        ("base", DRIVER, in_kubeflow(METADATA), 8080),
        ("base", DRIVER, in_kubeflow(API), 8887),
        ("base", TRAIN, in_kubeflow(STORE), 8333),
        ("base", ARTIFACTS, in_kubeflow(STORE), 8333),
        ("overlays/kind", UI, STORE, 8333),
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
        ("base", TRAIN, in_kubeflow(MYSQL), 3306),
        ("base", TRAIN, {**METADATA, NAMESPACE: "team-b"}, 8080),
        ("base", ARTIFACTS, "151.101.1.1", 443),
        ("overlays/kind", UI, FAKE_GCS, 4443),
        ("overlays/kind", MYSQL, FAKE_GCS, 4443),
        ("overlays/gke", DRIVER, "142.250.0.1", 443),
    ],
)
def test_everything_else_is_shut(folder, source, target, port):
    """A step reaches no database, no other step, no internet and no cloud metadata; a stranger reaches nothing."""
    assert not reaches(folder, source, target, port)


def test_who_may_call_in_from_another_namespace():
    """Of Kubeflow's pods the UI reads a profile's artifacts, and a tunnel to the webhooks is in kube-system."""
    assert allowed("base", "Ingress", ARTIFACTS, in_kubeflow(UI), 3000)
    assert not allowed("base", "Ingress", ARTIFACTS, in_kubeflow(MYSQL), 3000)
    assert allowed("base", "Ingress", API, "kube-system", 8443)
    assert not allowed("base", "Ingress", API, "kube-system", 8888)
    assert not allowed("base", "Ingress", API, "team-b", 8443)
