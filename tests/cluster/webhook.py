"""A webhook inside the cluster: a pod that prints what it is sent, and the way to it through the network policies."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.real_cluster import Cluster, wait_until

PROGRAM = """
import http.server
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["content-length"])).decode(), flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *said):
        pass
http.server.ThreadingHTTPServer(("", 8080), Receiver).serve_forever()
"""


def name(cluster: Cluster) -> str:
    """Return the name of the Secret, and of all the rest."""
    return f"{cluster.name}-webhook"


def install(cluster: Cluster) -> None:
    """Apply pod, Service, Secret and policies."""
    labels = {"app": name(cluster)}
    image = f"{cluster.environment['DEEP_MNIST_IMAGES']}/light:{cluster.environment['DEEP_MNIST_TAG']}"
    cluster.apply(
        _resource("v1", "Secret", cluster, stringData={"url": f"http://{name(cluster)}.{cluster.namespace}:8080/"}),
        _resource("v1", "Service", cluster, spec={"selector": labels, "ports": [{"port": 8080}]}),
        _resource("v1", "Pod", cluster, labels, spec=_pod(image)),
        _policy(cluster, "-in", labels, {"ingress": [{}], "policyTypes": ["Ingress"]}),
        _policy(
            cluster,
            "-out",
            {"deep-mnist/step": "notify"},
            {"egress": [{"to": [{"podSelector": {"matchLabels": labels}}]}], "policyTypes": ["Egress"]},
        ),
    )
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name(cluster)}", "--timeout=300s")


def received(cluster: Cluster, run_id: str, seconds: float = 180.0) -> dict[str, Any]:
    """Return the one thing that was posted of a run."""

    def posted() -> list[dict[str, Any]]:
        lines = cluster.kubectl("logs", name(cluster)).splitlines()
        return [each for each in map(json.loads, lines) if each["run_id"] == run_id]

    (one,) = wait_until(posted, f"news of run {run_id} at the webhook", seconds)
    return one


def _resource(version: str, kind: str, cluster: Cluster, labels: dict[str, str] | None = None, **rest: Any) -> dict:
    return {
        "apiVersion": version, "kind": kind, "metadata": {"name": name(cluster), "labels": labels or {}}, **rest
    }  # fmt: skip


def _policy(cluster: Cluster, suffix: str, selected: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    made = _resource(
        "networking.k8s.io/v1", "NetworkPolicy", cluster, spec={"podSelector": {"matchLabels": selected}, **spec}
    )
    made["metadata"]["name"] += suffix
    return made


def _pod(image: str) -> dict[str, Any]:
    secure = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    small = {"cpu": "20m", "memory": "64Mi"}
    container = {
        "name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["python3", "-c", PROGRAM],
        "resources": {"requests": small, "limits": {"cpu": "200m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 2},
    }  # fmt: skip
    return {"containers": [container], "securityContext": secure, "enableServiceLinks": False}
