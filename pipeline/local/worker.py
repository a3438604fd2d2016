"""The process that runs the definition through `kfp.local`; `pipeline.local.process` starts it, watches it and ends it.

    python -m pipeline.local.worker RUN_FOLDER

reads request.json there, writes one JSON line to events.jsonl when a task starts and when it ends, and everything
the tasks print to its stdout. kfp.local runs one pipeline per process and says too little to its caller: this
process exists so that the caller gets honest events, and so that everything can be ended with one signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from components.images import image
from pipeline.containers.built import image_reference
from pipeline.containers.runner import start_runner

TESTED_KFP = "2.17.0"
ORPHAN_CHECK_SECONDS = 0.5


def main(folder: Path) -> int:
    request = json.loads((folder / "request.json").read_text())
    _end_with_parent(os.getppid())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.simplefilter("ignore")
    import kfp
    from kfp import local

    from pipeline.training import build_pipeline  # imports kfp

    if kfp.__version__ != TESTED_KFP:
        print(f"Expected kfp {TESTED_KFP}. Received: {kfp.__version__}. Run: make install", flush=True)
        return 1
    runner, images = _runner(request)
    local.init(
        runner=runner,
        pipeline_root=request["pipeline_root"],
        raise_on_error=True,
        enable_caching=True,
        cache_root=request["cache_root"],
    )
    _report_tasks(folder / "events.jsonl", Path(request["pipeline_root"]))
    try:
        build_pipeline(images=images)(**request["arguments"])
    except RuntimeError as error:
        print(error, flush=True)
        return 1
    return 0


def _runner(request: dict[str, Any]) -> tuple[Any, Callable[[str], str]]:
    """Return the runner and how a component's image is named."""
    if request.get("containers"):
        mounts = [(Path(path), read_only) for path, read_only in request["mounts"]]
        gpu = request["arguments"]["require_gpu"]
        runner = start_runner(
            pipeline_root=Path(request["pipeline_root"]), mounts=mounts, labels=request["labels"], gpu=gpu
        )
        return runner, partial(image_reference, gpu=gpu)
    from kfp import local

    return local.SubprocessRunner(use_venv=False), image


def _report_tasks(events: Path, pipeline_root: Path) -> None:
    """Have kfp.local's one function that runs a task tell when it starts and how it ends."""
    from kfp.local.cache import LocalCache
    from kfp.local.orchestrator import task_executor
    from kfp.local.status import Status

    execute, look_up = task_executor.execute_single_task, LocalCache.get
    hits = []

    def look_up_and_note(cache: LocalCache, key: str) -> Any:
        found = look_up(cache, key)
        hits.extend([key] if found is not None else [])
        return found

    def execute_and_tell(*, task_name: str, **arguments: Any) -> Any:
        _tell(events, {"event": "start", "task": task_name})
        hits.clear()
        outputs, status = execute(task_name=task_name, **arguments)
        plain = {name: _plain(value) for name, value in outputs.items()}
        success = status == Status.SUCCESS
        cached = success and bool(hits)
        if success and not cached and not _has_output(pipeline_root, arguments["task_spec"].component_ref.name):
            print(f"{task_name}: the runner reports success, but the executor wrote no output", flush=True)
            outputs, status, success = {}, Status.FAILURE, False
        state = "cached" if cached else "done" if success else "failed"
        _tell(events, {"event": "end", "task": task_name, "state": state, "outputs": plain})
        return outputs, status

    LocalCache.get, task_executor.execute_single_task = look_up_and_note, execute_and_tell


def _has_output(pipeline_root: Path, component: str) -> bool:
    name = component.removeprefix("comp-")
    return any(pipeline_root.glob(f"*/{name}/executor_output.json"))


def _plain(value: Any) -> Any:
    if hasattr(value, "uri"):
        return {"path": value.uri, "metadata": dict(value.metadata)}
    return value


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
