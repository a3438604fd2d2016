"""Every change we make to kfp, in one place; each was tested with TESTED_KFP, and a test shows why it is still needed.

    what is changed                                    why
    kfp's own __init__                                 it imports the client of a cluster for everybody: half of the
                                                       time that a run on this machine takes to import kfp
    orchestrator.task_executor.execute_single_task     a task's start and end are not reported; an exit status of 0
                                                       is a success even where the executor wrote no output
    cache.LocalCache.get                               a reused task looks like one that ran
    subprocess_task_handler.run_local_subprocess       how a process ended is lost: killed is reported as failed;
                                                       each step imports TensorFlow anew
    docker_task_handler.run_docker_container           "container not found" is a success (kubeflow/pipelines #13332;
                                                       fixes #13402 and #13907 are open)
    dsl.PipelineTask.register_pipeline_channels        called once more for an accelerator's count and type, which the
                                                       compiler forgets at the border of a `dsl.If`: the driver would
                                                       find no such parameter
    dsl.PipelineTask._ensure_container_spec_exists     walks through the source of every caller, and every module, for
                                                       one name that only an error shows, each time that a task is
                                                       set: most of the time that compiling took
    kubernetes.node_affinity                           imports the client of Kubernetes, which one function of it, never
                                                       called here, imports again: half of the time that `plan` took

The first happens whenever `pipeline` is imported, the last three when the definition is compiled, all others in the
process that runs the definition (`local/worker.py`). What
kfp does to `python3` in arguments is not changed but refused, by `local.process.refuse_python3`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from components.failure import read_failure
from components.work import read_work
from pipeline.states import TaskState
from pipeline.unexplained_exit import memory_kills, record_unexplained_exit

TESTED_KFP = "2.17.3"
SAME_CODE = (TESTED_KFP, "2.17.0")  # between the two only kfp's dependencies changed
RUNTIME = "_KFP_RUNTIME"
Tell = Callable[[dict[str, Any]], None]


class UntestedKfpError(RuntimeError):
    """Another kfp than these changes were written for."""

    fix = "install the locked version: make install"


def import_without_client() -> None:
    """Import the package kfp, but not `kfp.client`, which whoever needs it imports by its own name.

    In the steps kfp leaves it out itself, by the same variable; its other modules heed that when they are imported.
    """
    before = os.environ.get(RUNTIME)
    os.environ[RUNTIME] = "true"
    try:
        import kfp  # noqa: F401
    finally:
        del os.environ[RUNTIME]
        if before is not None:
            os.environ[RUNTIME] = before


def import_settings_without_client() -> None:
    """Import the package `kfp.kubernetes`, but not the client `kubernetes`, unless that is there already."""
    if {"kubernetes", "kfp.kubernetes"} & set(sys.modules):
        return
    stand_in = ModuleType("kubernetes")
    stand_in.client = None  # type: ignore[attr-defined]
    sys.modules["kubernetes"] = stand_in
    try:
        import kfp.kubernetes  # noqa: F401
    finally:
        sys.modules.pop("kubernetes", None)


def require_tested_kfp() -> None:
    """Return silently when the installed kfp is the one that these changes were tested with.

    Raises:
        UntestedKfpError: It is another.
    """
    import kfp

    if kfp.__version__ not in SAME_CODE:
        raise UntestedKfpError(f"Expected kfp {TESTED_KFP}. Received: {kfp.__version__}. Fix: {UntestedKfpError.fix}")


def tell_tasks(tell: Tell, pipeline_root: Path) -> None:
    """Have the one function that runs a task tell when it starts, how it ends, and why it failed.

    Args:
        tell: Takes {"event": "start", "task"} and {"event": "end", "task", "state", "outputs", "failure", "work"}.
        pipeline_root: Where kfp.local writes artifacts.
    """
    from kfp.local.cache import LocalCache
    from kfp.local.orchestrator import task_executor

    execute, look_up = task_executor.execute_single_task, LocalCache.get
    found_by = threading.local()  # a ParallelFor runs its tasks in threads

    def look_up_and_note(cache: LocalCache, key: str) -> Any:
        found = look_up(cache, key)
        found_by.cache = found is not None
        return found

    def execute_and_tell(*, task_name: str, **arguments: Any) -> Any:
        tell({"event": "start", "task": task_name})
        found_by.cache = False
        outputs, status = execute(task_name=task_name, **arguments)
        component = arguments["task_spec"].component_ref.name.removeprefix("comp-")
        folder = pipeline_root / arguments["pipeline_resource_name"] / component
        status, end = _ending(task_name, outputs, status, folder, cached=found_by.cache)
        tell({"event": "end", "task": task_name, **end, "work": None if found_by.cache else read_work(folder)})
        return (outputs if end["state"] != TaskState.FAILED else {}), status

    LocalCache.get, task_executor.execute_single_task = look_up_and_note, execute_and_tell


def _ending(task: str, outputs: Mapping[str, Any], status: Any, folder: Path, *, cached: bool) -> tuple[Any, dict]:
    """Return kfp's status and the end of a task's event; a success needs the executor's output."""
    from kfp.local.status import Status

    if status == Status.SUCCESS and not cached and not (folder / "executor_output.json").is_file():
        status = Status.FAILURE
        record_unexplained_exit(task, folder, 0)
    if status != Status.SUCCESS:
        failure = read_failure(folder)
        told = json.loads(failure.to_json()) if failure else None
        return status, {"state": TaskState.FAILED, "outputs": {}, "failure": told}
    plain = {name: _plain(value) for name, value in outputs.items()}
    return status, {"state": TaskState.CACHED if cached else TaskState.DONE, "outputs": plain, "failure": None}


def _plain(value: Any) -> Any:
    if hasattr(value, "uri"):
        return {"path": value.uri, "metadata": dict(value.metadata)}
    return value


def run_processes_with(run_process: Callable[[list[str], Mapping[str, str]], int | None]) -> None:
    """Have steps run by `run_process`, or by kfp where that returns None; note how each ended, where it did not itself.

    Args:
        run_process: Takes the command line and the variables that the step's environment gets; returns the exit status.
    """
    from kfp.local import subprocess_task_handler

    run_by_kfp = subprocess_task_handler.run_local_subprocess

    def run_and_note(full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
        killed = memory_kills()
        status = run_process(full_command, env_vars or {})
        status = run_by_kfp(full_command, env_vars) if status is None else status
        outputs = outputs_of(full_command)
        if status and outputs:
            note = "the kernel killed a process of this machine for its memory" if memory_kills() > killed else ""
            step, folder = outputs
            record_unexplained_exit(step, folder, status, killed_for_memory=note)
        return status

    subprocess_task_handler.run_local_subprocess = run_and_note


def outputs_of(command: list[str]) -> tuple[str, Path] | None:
    """Return the step and the folder of its outputs that kfp's command line names, or None."""
    named = dict(pairwise(command))
    output_file = json.loads(named.get("--executor_input", "{}")).get("outputs", {}).get("outputFile")
    step = named.get("--function_to_execute", "").replace("_", "-")
    return (step, Path(output_file).parent) if output_file else None


def run_containers_with(run_container: Callable[..., int]) -> None:
    """Have the Docker task handler run containers through `run_container`, which takes and returns the same."""
    from kfp.local import docker_task_handler

    require_tested_kfp()
    docker_task_handler.run_docker_container = run_container


def keep_parameters(task: Any, *values: Any) -> None:
    """Register the parameters that an accelerator is set from, so that they pass the border of a `dsl.If`."""
    task.register_pipeline_channels([each for each in values if not isinstance(each, str)])


def set_tasks_quickly() -> None:
    """Have tasks take their caller's name, for the error of a task that is no container, from the frame alone."""
    from kfp.dsl import PipelineTask

    PipelineTask._ensure_container_spec_exists = _require_container


def _require_container(task: Any) -> None:
    if task.container_spec is None:
        raise ValueError(
            f"Expected {sys._getframe(1).f_code.co_name} of a step with a container. Received: it was called on "
            f"{task.name!r}, a pipeline used as a component, or an importer. Fix: Set it on the steps within."
        )
