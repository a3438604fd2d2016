"""Why a step does not run yet, in Kubernetes' words, with the one-line fix."""

from __future__ import annotations

import re

# What Kubernetes says -> what to do about it. Argo passes on a container's reason for waiting, else the scheduler's,
# else the refusal to create the pod (argo-workflows v4.0.5, workflow/controller/operator.go:1680 and 3427).
FIXES = (
    (r"Insufficient (nvidia\.com/\S+|amd\.com/\S+)", "No node has as many free accelerators: wait, ask for fewer "
     "(--gpu), name another kind (--gpu-type, --node-selector), or add nodes."),
    (r"Insufficient (cpu|memory|ephemeral-storage|pods)", "No node has as much free: wait, add nodes, or lower the "
     "step's needs in pipeline/resources.py."),
    (r"didn't match Pod's node (affinity|selector)", "No node has these labels: see --node-selector."),
    (r"untolerated taint", "Nodes with room are tainted: see --toleration."),
    (r"ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull", "The node cannot pull the image: see that "
     "DEEP_MNIST_IMAGES and DEEP_MNIST_TAG name one that was pushed, and --pull-secret."),
    (r"exceeded quota: .*requests\.(nvidia|amd)\.com", "The namespace's ResourceQuota admits no further accelerators: "
     "`base` admits none, overlays/gpu those that it names."),
    (r"exceeded quota", "The namespace's ResourceQuota is used up: wait for other runs, or raise it in manifests/."),
    (r"CreateContainerConfigError", "A Secret or ConfigMap that the step names is not in its namespace."),
    (r"unbound immediate PersistentVolumeClaims", "A volume is not provisioned: kubectl get pvc."),
)  # fmt: skip


def waiting_for(message: str) -> str:
    """Return what a pending step waits for, in one line, and the fix where one is known; "" where nobody has said."""
    said = " ".join(message.split())
    fixes = [fix for pattern, fix in FIXES if re.search(pattern, message)]
    return f"{said} {fixes[0]}" if fixes else said
