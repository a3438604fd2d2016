"""Run the steps as containers: kfp.local's DockerRunner, and `run_step` in the place of its own function.

All containers have a read-only root, no capabilities, and the caller's user; see `step` for what each of them gets.

    kfp_patches.run_containers_with(run_step)
    runner = start_runner(pipeline_root=root, mounts=[(registry, False)], labels={"deep-mnist-run": "one"})
    kfp.local.init(runner=runner, pipeline_root=str(root))
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.images import COMPONENTS
from pipeline.containers.built import image_reference
from pipeline.containers.engine import engine_ready, open_engine, stop_with_this_process
from pipeline.containers.step import mounts_of

# Settings that a step must see as it would as a process.
SETTINGS = ("DEEP_MNIST_", "KERAS_", "OMP_", "OPENBLAS_", "TF_")
PROCESSES = 1024


def start_runner(
    *,
    pipeline_root: Path,
    mounts: Iterable[tuple[Path, bool]] = (),
    labels: Mapping[str, str],
    gpu: bool = False,
) -> Any:
    """Return a kfp.local.DockerRunner whose containers end with this process, however it ends.

    Args:
        pipeline_root: Where kfp.local writes artifacts; it mounts this folder itself.
        mounts: (host path, read only) below which a step may see what it reads or writes, at the same path
            inside; no step sees more than its inputs and what its parameters name.
        labels: What the containers are found by; the first one identifies the run.
        gpu: Give the training step every GPU of this machine.

    Raises:
        ContainersError: No engine, or a path that cannot be mounted.
    """
    from kfp import local

    client = open_engine()
    cores = client.info()["NCPU"]
    client.close()
    stop_with_this_process("=".join(next(iter(labels.items()))))
    arguments: dict[str, Any] = {
        "labels": dict(labels),
        "mounts": mounts_of(each for each in mounts if each[0] != pipeline_root),
        "user": f"{os.getuid()}:{os.getgid()}",
        "read_only": True,
        "tmpfs": {"/tmp": "rw,nosuid,nodev,size=1g,mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES,
        "nano_cpus": int(cores * 1e9),
        "environment": {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)},
    }
    if gpu:
        from docker.types import DeviceRequest

        arguments["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]
    return local.DockerRunner(**arguments)


def require_ready(mounts: Iterable[tuple[Path, bool]], *, gpu: bool = False) -> None:
    """Return silently when a run in containers can start: engine, images and mounts are as they must be.

    Raises:
        ContainersError: One of them is not; the message says what to do.
    """
    engine_ready()
    for component in COMPONENTS:
        image_reference(component, gpu=gpu)
    mounts_of(mounts)
