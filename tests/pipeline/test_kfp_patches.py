"""Why each change to kfp is still needed, on kfp as it is, and what it does; what fails here may end a change."""

import importlib.util
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from kfp import compiler, dsl
from kfp.dsl import pipeline_task
from kfp.local import docker_task_handler, subprocess_task_handler

import docker
from pipeline import kfp_patches
from tests.support.runs import ROOT

# Runs each of three tasks twice with kfp.local's cache on; prints what a caller learns: results or errors, our events.
SCRIPT = """
import json, pathlib, sys, warnings
warnings.simplefilter("ignore")
from kfp import dsl, local

root, patched = sys.argv[1:]

@dsl.component(base_image="python", install_kfp_package=False)
def step(how: str):
    import os, signal
    if how == "exit":
        os._exit(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)

@dsl.pipeline
def whole(how: str = ""):
    step(how=how)

told = []
if patched == "patched":
    from pipeline import kfp_patches
    kfp_patches.run_processes_with(lambda command, environment: None)
    kfp_patches.tell_tasks(told.append, pathlib.Path(root))
runner = local.SubprocessRunner(use_venv=False)
local.init(runner=runner, pipeline_root=root, enable_caching=True, cache_root=root + "-cache")
shown, learnt = ("state", "_outputs"), {}
for how in ("exit", "kill", "well"):
    reported = []
    for attempt in (1, 2):
        try:
            made = whole(how=how)
            reported.append(sorted(f"{name}={value}" for name, value in vars(made).items() if name in shown))
        except RuntimeError as error:
            reported.append(str(error))
            break
    learnt[how] = {"reported": reported, "events": told[:]}
    told.clear()
print(json.dumps(learnt))
"""


@pytest.fixture(scope="module")
def run_task(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], SimpleNamespace]:
    """What a caller learns of a task that ends as the first says, with the changes to kfp or without."""
    run = cache(lambda patched: run_tasks(tmp_path_factory.mktemp("tasks"), patched))
    return lambda how, patched: SimpleNamespace(**run(patched)[how])


def run_tasks(folder: Path, patched: str) -> dict[str, dict]:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, str(folder / "runs"), patched],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_kfp_is_the_tested_version():
    """The lock installs the version that the changes were tested with."""
    kfp_patches.require_tested_kfp()


def test_kfp_takes_exit_status_0_without_an_output_for_success(run_task):
    """kfp reports no failure of a step that exits with 0 in its middle."""
    assert not any("FAILURE" in str(each) for each in run_task("exit", "as it is").reported)


def test_a_success_needs_the_executors_output(run_task):
    """With the change, that step has failed, and the reason is reported."""
    ended = run_task("exit", "patched")

    assert "FAILURE" in ended.reported[0]
    start, end = ended.events
    assert (start["event"], end["state"]) == ("start", "failed")
    assert "no file" in end["failure"]["received"]


def test_kfp_loses_how_a_process_ended(run_task):
    """kfp's error of a step killed by a signal names no signal and no exit status."""
    (reported,) = run_task("kill", "as it is").reported

    assert "FAILURE" in reported
    assert not any(word in reported for word in ("SIGKILL", "137", "-9", "killed"))


def test_how_a_process_ended_is_reported(run_task):
    """With the change, the signal, what it may mean, and the fix are reported."""
    failure = run_task("kill", "patched").events[-1]["failure"]

    assert (failure["type"], failure["step"]) in {("Killed", "step"), ("OutOfMemory", "step")}
    assert "kernel" in failure["received"] and "memory" in failure["fix"]


def test_kfp_does_not_tell_a_reused_task(run_task):
    """What kfp returns is the same whether the task ran or was taken from the cache."""
    ran, reused = run_task("well", "as it is").reported

    assert ran == reused


def test_a_reused_task_is_reported(run_task):
    """With the change, the first ran and the second was reused."""
    ends = [each for each in run_task("well", "patched").events if each["event"] == "end"]

    assert [each["state"] for each in ends] == ["done", "cached"]


def test_kfp_takes_a_container_that_is_gone_for_success():
    """kfp's own function returns 0 when the engine no longer knows the container: #13332."""

    def gone() -> None:
        raise docker.errors.NotFound("No such container")

    container = SimpleNamespace(logs=lambda **_: iter(()), wait=gone)
    image = SimpleNamespace(tags=["image:latest"], attrs={"RepoDigests": []})
    client = SimpleNamespace(
        images=SimpleNamespace(list=lambda: [image]), containers=SimpleNamespace(run=lambda **_: container)
    )

    assert docker_task_handler.run_docker_container(client, "image", ["false"], {}) == 0


def test_containers_run_through_the_function_given(monkeypatch):
    """With the change, the handler calls ours."""
    monkeypatch.setattr(docker_task_handler, "run_docker_container", docker_task_handler.run_docker_container)
    kfp_patches.run_containers_with(lambda **_: 7)

    assert docker_task_handler.run_docker_container(client=None) == 7


@dsl.component(base_image="python", install_kfp_package=False)
def ask() -> bool:
    return True


@dsl.component(base_image="python", install_kfp_package=False)
def work():
    pass


@pytest.mark.parametrize("kept", [False, True])
def test_kfp_forgets_an_accelerators_parameter_at_a_condition(tmp_path, kept):
    """The group of a condition gets the parameter only with the change."""

    @dsl.pipeline
    def whole(gpus: str = "0"):
        with dsl.If(ask().output == True):  # noqa: E712  (kfp overloads ==)
            task = work().set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(gpus)
            if kept:
                kfp_patches.keep_parameters(task, gpus, "nvidia.com/gpu")

    compiler.Compiler().compile(whole, str(tmp_path / "whole.json"))
    group = json.loads((tmp_path / "whole.json").read_text())["components"]["comp-condition-1"]
    names = group.get("inputDefinitions", {}).get("parameters", {})

    assert any("gpus" in name for name in names) == kept


@pytest.mark.parametrize("changed", [False, True])
def test_kfp_walks_through_the_source_of_all_callers(monkeypatch, changed):
    """kfp reads every caller's source whenever a task is set; with the change, none."""
    kfp_patches.set_tasks_quickly()
    spec = importlib.util.find_spec("kfp.dsl.pipeline_task")
    as_it_is = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(as_it_is)
    module = pipeline_task if changed else as_it_is
    walks = []
    monkeypatch.setattr(inspect, "stack", lambda: walks.append(1) or [(None,) * 3 + ("caller",)] * 2)

    module.PipelineTask._ensure_container_spec_exists(SimpleNamespace(container_spec="any"))

    assert len(walks) == (not changed)


def test_what_only_a_step_can_be_set_is_refused_elsewhere():
    """With that change, a pipeline used as a component still refuses what only a container has, by its name."""
    kfp_patches.set_tasks_quickly()

    @dsl.pipeline
    def inner():
        work()

    def outer():
        inner().set_cpu_limit("1")

    with pytest.raises(ValueError, match=r"Expected set_cpu_limit .* Received: .*'inner'.* Fix: "):
        dsl.pipeline(outer)


def test_kfp_rewrites_python3_in_every_argument():
    """Which is why a path that holds this text is refused."""
    assert subprocess_task_handler.replace_python_executable(["--x", "/a/python3/b"], "/v/bin/python") == [
        "--x",
        "/a//v/bin/python/b",
    ]


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import kfp", [True, True]),
        ("import pipeline, kfp.kubernetes", [False, True]),
        (
            "from pipeline import training; import kfp.local; training.build_pipeline(cluster=True)",
            [False, False],
        ),
    ],
)
def test_the_wiring_imports_kfp_without_its_clients(code, loaded):
    """kfp by itself imports the clients of a cluster and of Kubernetes; the definition is built without either."""
    code = f"{code}; import sys; print([name in sys.modules for name in ('kfp.client', 'kubernetes')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == str(loaded)
