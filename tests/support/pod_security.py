"""Pod Security "restricted" by its rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/.

The rules of "baseline" are in it, for "restricted" includes them. Each finding is one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
SECCOMP = {"RuntimeDefault", "Localhost"}
SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def violations(pod: dict[str, Any]) -> list[str]:
    """Return what a namespace that enforces "restricted" would say of a pod specification; empty when it admits it."""
    context = pod.get("securityContext") or {}
    found = [*_of_pod(pod, context)]
    for kind in CONTAINERS:
        for container in pod.get(kind) or []:
            own = container.get("securityContext") or {}
            found += [f"{container['name']}: {each}" for each in _of_container(container, own, context)]
    return found


def _of_pod(pod: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield f"{name} is set"
    for volume in pod.get("volumes") or []:
        if kinds := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is of {sorted(kinds)}"
    for sysctl in context.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _of_both(context)


def _of_container(container: dict[str, Any], own: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "not all capabilities are dropped"
    if extra := set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"capabilities {sorted(extra)} are added"
    if own.get("procMount", "Default") != "Default":
        yield "procMount is not Default"
    if any(port.get("hostPort") for port in container.get("ports") or []):
        yield "a port of the host"
    for handler in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(handler) or {}
        if any((probe.get(each) or {}).get("host") for each in ("httpGet", "tcpSocket")):
            yield f"{handler} names a host"
    if own.get("runAsNonRoot", context.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if (own.get("seccompProfile") or context.get("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "no seccomp profile"
    yield from _of_both(own)


def _of_both(context: dict[str, Any]) -> Iterator[str]:
    if context.get("runAsUser") == 0:
        yield "runs as root"
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot is false"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "a process of the host"
    if "seccompProfile" in context and context["seccompProfile"].get("type") not in SECCOMP:
        yield f"seccomp profile {context['seccompProfile'].get('type')}"
    if (context.get("appArmorProfile") or {"type": "RuntimeDefault"})["type"] not in SECCOMP:
        yield "AppArmor is off"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in SELINUX or selinux.get("user") or selinux.get("role"):
        yield "SELinux options"
