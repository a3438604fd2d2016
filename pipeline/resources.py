"""What each step needs of a node: cores, memory, time, retries, caching, whether an accelerator is of use.

Apart from `placement`, which puts it on kfp's tasks, so that a run on this machine reads it without importing kfp.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deep_mnist.registry.keyless import IDENTITY, ISSUER
from deep_mnist.registry.signing import KEY, TRUSTED

# A gate is half of the step that judges, a fold a part of the inspection: it runs in its image, with its needs, and a
# user sees its name.
STEP_OF = {"require-valid": "validate", "require-rehearsed": "rehearse", "inspect-fold": "inspect"}
GPU_TYPE = "nvidia.com/gpu"
MINUTE, HOUR = 60, 3600
# Step -> key of the Secret for signing -> environment variable. Only what signs sees the private key.
SIGNING_KEYS = {"evaluate": {"trusted": TRUSTED}, "publish": {"trusted": TRUSTED, "key": KEY}}
# Key of the ConfigMap for keyless signatures -> variable of those same steps; its trust-config may be missing.
IDENTITY_KEYS = {"certificate-identity": IDENTITY, "certificate-oidc-issuer": ISSUER}
TRUST_CONFIG_KEY = "trust-config"
INSPECTION_FOLDS = 5  # trainings by which single labels are inspected


def gpus_here() -> int | None:
    """Return how many NVIDIA GPUs this machine shows to programs, None where it does not tell or has another kind."""
    others = ("dxg", "kfd", "nvgpu", "nvhost-gpu")  # of Windows' Linux, of AMD, of boards
    if not sys.platform.startswith("linux") or any(Path("/dev", each).exists() for each in others):
        return None
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return 0
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


@dataclass(frozen=True)
class Resources:
    """One step's needs.

    Attributes:
        cpu: Cores requested.
        memory: Limit, in Mi. KFP's launcher (some 150 MiB) counts too.
        requested: Mi requested: twice what was measured of MNIST on a real cluster, launcher included (peaks of the
            control group: validate 30, notify 66, compare 116, preprocess 194, download 203, evaluate 381, train 478).
        timeout: Seconds a pod may live, image pull included.
        retries: Times the step may be repeated, after 30, 60, 120 and 240 s: an API that is away for seven minutes
            costs no run. Which failures are repeated is the cluster's policy
            (manifests/components/workflow-defaults): lost nodes, not bad data.
        reusable: True where the same inputs always give the same outputs. `evaluate` and `publish`
            depend on the registry, and a reused training would be served as new.
        may_use_gpu: True where an accelerator is of use.
        shared_memory: Size of /dev/shm, in Mi, counted in `memory`; 0 leaves the 64 Mi that containers have.
        most_cpu: Limit of cores; 0 is twice `cpu`.
    """

    cpu: float
    memory: int
    requested: int
    timeout: int
    retries: int = 4
    reusable: bool = False
    may_use_gpu: bool = field(default=False, kw_only=True)
    shared_memory: int = field(default=0, kw_only=True)
    most_cpu: float = field(default=0, kw_only=True)

    @property
    def cpu_limit(self) -> float:
        return self.most_cpu or 2 * self.cpu


RESOURCES = {
    "download": Resources(0.5, 2048, 512, 30 * MINUTE, reusable=True),
    "preprocess": Resources(0.5, 4096, 512, 30 * MINUTE, reusable=True),
    "validate": Resources(0.5, 4096, 512, 20 * MINUTE, reusable=True),
    "prepare": Resources(0.5, 4096, 768, 60 * MINUTE, reusable=True),  # the three in one pod, one after the other
    "compare": Resources(0.1, 1024, 256, 10 * MINUTE),
    # A fold is a training of half as many passes.
    "inspect": Resources(1.5, 6144, 1024, 6 * HOUR, reusable=True, most_cpu=4),
    "rehearse": Resources(1.5, 6144, 1024, 20 * MINUTE, reusable=True, most_cpu=4),
    "train": Resources(1.5, 6144, 1024, 12 * HOUR, may_use_gpu=True, shared_memory=1024, most_cpu=4),
    "select": Resources(0.5, 2048, 512, 20 * MINUTE),
    "evaluate": Resources(1, 6144, 1024, 1 * HOUR),
    "publish": Resources(1, 6144, 1024, 1 * HOUR),
    "notify": Resources(0.1, 512, 192, 10 * MINUTE),
}
