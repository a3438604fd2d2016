"""The process that runs the definition through `kfp.local`; `pipeline.local.process` starts it, watches it and ends it.

    python -m pipeline.local.worker RUN_FOLDER

reads request.json there, writes one JSON line to events.jsonl that names the tasks, one when a task starts and one
when it ends, and everything
the tasks print to its stdout. kfp.local runs one pipeline per process and says too little to its caller: this
process exists so that the caller gets accurate events, and so that everything can be ended with one signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from components.failure import failure_of, write_failure
from components.images import image
from pipeline import kfp_patches
from pipeline.containers.built import image_reference
from pipeline.containers.runner import start_runner
from pipeline.containers.step import run_step
from pipeline.local.forked_steps import ForkedSteps
from pipeline.order import container_tasks
from pipeline.states import TaskState

ORPHAN_CHECK_SECONDS = 0.5


def main(folder: Path) -> int:
    """Run what request.json asks for; return 0, or 1 when a task failed or error.json says why none could run."""
    request = json.loads((folder / "request.json").read_text())
    _end_with_parent(os.getppid())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.simplefilter("ignore")
    failed: list[str] = []
    try:
        _run(request, folder / "events.jsonl", failed)
    except Exception as error:
        if not failed:  # kfp raises once more when a task has failed
            failure = failure_of(error, folder=folder)
            if not failure.foreseen:
                traceback.print_exc()
            write_failure(failure, folder)
        print(error, flush=True)
        return 1
    return 0


def _run(request: dict[str, Any], events: Path, failed: list[str]) -> None:
    """Run the definition; put the names of the tasks that failed into `failed`."""
    kfp_patches.require_tested_kfp()
    runner, images = _runner(request)
    from google.protobuf.json_format import MessageToDict
    from kfp import local

    from pipeline.sweep import build_sweep  # imports kfp
    from pipeline.training import build_pipeline

    local.init(
        runner=runner,
        pipeline_root=request["pipeline_root"],
        raise_on_error=True,
        enable_caching=True,
        cache_root=request["cache_root"],
    )

    def tell(event: dict[str, Any]) -> None:
        failed.extend([event["task"]] if event.get("state") == TaskState.FAILED else [])
        _tell(events, event)

    kfp_patches.tell_tasks(tell, Path(request["pipeline_root"]))
    parallelism, rehearsal = request.get("parallelism"), request["rehearsal"]
    if parallelism:
        definition = build_sweep(images=images, parallelism=parallelism, rehearsal=rehearsal)
    else:
        definition = build_pipeline(images=images, rehearsal=rehearsal, inspection=request.get("inspection", 0))
    tell({"event": "definition", "tasks": container_tasks(MessageToDict(definition.pipeline_spec))})
    definition(**request["arguments"])


def _runner(request: dict[str, Any]) -> tuple[Any, Callable[[str], str]]:
    """Return the runner and how a component's image is named."""
    if request.get("containers"):
        mounts = [(Path(path), read_only) for path, read_only in request["mounts"]]
        gpu = request["arguments"]["require_gpu"]
        kfp_patches.run_containers_with(run_step)
        runner = start_runner(
            pipeline_root=Path(request["pipeline_root"]), mounts=mounts, labels=request["labels"], gpu=gpu
        )
        return runner, partial(image_reference, gpu=gpu)
    steps = ForkedSteps()  # its server works while kfp is imported here
    from kfp import local

    kfp_patches.run_processes_with(steps.run)
    return local.SubprocessRunner(use_venv=False), image


def _tell(events: Path, event: dict[str, Any]) -> None:
    with events.open("a") as stream:
        stream.write(json.dumps({**event, "time": time.time()}, default=str) + "\n")


def _end_with_parent(parent: int) -> None:
    """End this process group when the process that started it is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_CHECK_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
