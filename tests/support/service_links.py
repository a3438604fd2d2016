"""The environment variables that a kubelet injects into a pod for the Services of its namespace.

Kubernetes v1.34: pkg/kubelet/envvars/envvars.go (FromServices), and pkg/kubelet/kubelet_pods.go (getServiceEnvVarMap):
all Services of the pod's namespace unless enableServiceLinks is false; that of the Kubernetes API in any case.
"""

from __future__ import annotations

from typing import Any

ADDRESS = "10.96.173.21"
KUBERNETES = {"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"name": "https", "port": 443}]}}
# Of Kubeflow Pipelines 2.17.0, as kubectl renders env/platform-agnostic.
KUBEFLOW = {
    "cache-server": 443, "metadata-envoy-service": 9090, "metadata-grpc-service": 8080, "ml-pipeline": 8888,
    "ml-pipeline-ui": 80, "ml-pipeline-visualizationserver": 8888, "mysql": 3306, "seaweedfs": 9000,
}  # fmt: skip


def injected(pod: dict[str, Any], services: list[dict]) -> dict[str, str]:
    """Return the variables that a pod receives beside these Services and Kubeflow's."""
    found = variables(KUBERNETES)
    if pod.get("enableServiceLinks", True):
        others = [{"metadata": {"name": name}, "spec": {"ports": [{"port": port}]}} for name, port in KUBEFLOW.items()]
        for service in [*services, *others]:
            found |= variables(service)
    return found


def variables(service: dict) -> dict[str, str]:
    """Return the variables of one Service."""
    name = service["metadata"]["name"].upper().replace("-", "_")
    ports = service["spec"]["ports"]
    found = {f"{name}_SERVICE_HOST": ADDRESS, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
    for each in ports:
        if each.get("name"):
            found[f"{name}_SERVICE_PORT_{each['name'].upper().replace('-', '_')}"] = str(each["port"])
    found[f"{name}_PORT"] = f"tcp://{ADDRESS}:{ports[0]['port']}"
    for each in ports:
        prefix = f"{name}_PORT_{each['port']}_TCP"
        found[prefix] = f"tcp://{ADDRESS}:{each['port']}"
        found |= {f"{prefix}_PROTO": "tcp", f"{prefix}_PORT": str(each["port"]), f"{prefix}_ADDR": ADDRESS}
    return found
