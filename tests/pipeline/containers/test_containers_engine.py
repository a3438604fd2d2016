"""Containers in a real engine. `make test-docker` builds the images and runs these."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from kfp.local import docker_task_handler
from kfp.local.status import Status

import docker
from components.failure import read_failure
from pipeline.containers.built import ROOT, built_images
from pipeline.containers.engine import ContainersError, stop_all
from pipeline.containers.runner import start_runner
from pipeline.containers.step import run_step
from pipeline.kfp_patches import run_containers_with
from tests.support.digits import draw_digits, write_raw_folder
from tests.support.runs import command, environment, run_pipeline
from tests.support.serving import wait_for

pytestmark = pytest.mark.docker
FAST = ("--epochs", 3, "--seed", 5, "--network", "fast")
# Training on the same machine with the same seed: of 400 test digits, at most 4 are judged otherwise.
TOLERANCE = 0.01


@pytest.fixture
def runner(tmp_path):
    run_containers_with(run_step)
    return start_runner(pipeline_root=tmp_path, labels={"deep-mnist-test": tmp_path.name})


def status_of(runner, image, root, *shell):
    """Run a shell command as kfp.local runs a task's, and return the status that it reports."""
    arguments = {name: value for name, value in runner.container_run_args.items() if name != "environment"}
    runner = type(runner)(**arguments)
    return docker_task_handler.DockerTaskHandler(image, ["sh", "-c", *shell], str(root), runner).run()


def containers_of(engine, label):
    return engine.containers.list(all=True, ignore_removed=True, filters={"label": label})


def test_200_quick_failures_are_200_failures(runner, images, tmp_path):
    """However fast a container fails, it is reported as a failure, and one that succeeds as a success."""
    shells = ["exit 3"] * 200 + ["true"] * 20
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda shell: status_of(runner, images["light"], tmp_path, shell), shells))

    assert statuses == [Status.FAILURE] * 200 + [Status.SUCCESS] * 20


def test_success_without_the_executors_output_is_a_failure(engine, images, tmp_path):
    """Exit status 0 counts only together with the file that kfp's executor writes last."""
    executor_input = json.dumps({"outputs": {"outputFile": f"{tmp_path}/executor_output.json"}})
    step = ["true", "--executor_input", executor_input, "--function_to_execute", "validate"]

    assert run_step(engine, images["light"], step, {}) == 1
    failure = read_failure(tmp_path)
    assert failure is not None and failure.received == "no file"


def test_a_step_has_no_network_and_writes_only_where_it_may(runner, images, tmp_path, capsys):
    """No interface but loopback, a read-only root, no capabilities; /tmp, HOME and the artifacts can be written."""
    script = f"""
      cut -d: -f1 /proc/net/dev | tail -n +3; grep CapEff /proc/self/status
      touch /x /opt/venv/x /opt/deep-mnist/x; touch /tmp/x $HOME/y {tmp_path}/z && echo written"""

    assert status_of(runner, images["light"], tmp_path, script) == Status.SUCCESS
    printed = capsys.readouterr().out
    assert re.search(r"^\s*lo$", printed, re.M)
    assert "eth0" not in printed
    assert re.search(r"CapEff:\s+0{16}$", printed, re.M)
    assert printed.count("Read-only file system") == 3
    assert "written" in printed


def test_outputs_belong_to_the_caller(engine, images, tmp_path):
    """A container runs as the user that asked for it, also one that no password file knows."""
    os.chown(tmp_path, 4321, 4321)
    write = ["sh", "-c", f"python3 -c 'import deep_mnist.data.dataset' && touch {tmp_path}/mine"]
    volumes = {str(tmp_path): {"bind": str(tmp_path), "mode": "rw"}}

    assert run_step(engine, images["light"], write, volumes, user="4321:4321", read_only=True, tmpfs={"/tmp": ""}) == 0
    assert (tmp_path / "mine").stat().st_uid == 4321


def test_a_silent_step_is_waited_for(images):
    """A step that prints nothing for longer than the client's time limit is not given up."""
    client = docker.from_env(timeout=2)

    assert run_step(client, images["light"], ["sh", "-c", "sleep 5; exit 7"], {}) == 7
    client.close()


def test_a_step_over_its_memory_limit_says_so(engine, images, capsys):
    """A container that the kernel kills for memory fails, and the limit is named."""
    eat = ["python3", "-c", "x = bytearray(6 << 30); print(sum(x[::4096]))"]

    assert run_step(engine, images["light"], eat, {}) != 0
    assert "its memory limit of 4096 MiB was reached" in capsys.readouterr().out


def test_an_image_that_is_not_there_is_not_looked_for_elsewhere(engine):
    """A name without a registry is never pulled: anybody could own it there."""
    with pytest.raises(ContainersError, match="make images"):
        run_step(engine, "deep-mnist/light:never-built", ["true"], {})


def test_what_is_stopped_may_finish_first(engine, images, tmp_path):
    """stop_all asks the step's process to end, waits, then removes every container of the label."""
    script = f"""if True:
      import pathlib, signal, sys, time
      signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(tmp_path / "saved")!r}).touch(), sys.exit(9)))
      pathlib.Path({str(tmp_path / "ready")!r}).touch(); time.sleep(60)"""
    volumes = {str(tmp_path): {"bind": str(tmp_path), "mode": "rw"}}
    arguments = {"labels": {"deep-mnist-test": tmp_path.name}, "user": f"{os.getuid()}:{os.getgid()}"}
    step = ["sh", "-c", 'python3 -c "$0"; exit $?', script]
    running = threading.Thread(target=run_step, args=(engine, images["light"], step, volumes), kwargs=arguments)
    running.start()
    wait_for((tmp_path / "ready").exists)

    assert stop_all(f"deep-mnist-test={tmp_path.name}") == 1
    running.join(20)
    assert (tmp_path / "saved").exists()
    assert containers_of(engine, f"deep-mnist-test={tmp_path.name}") == []


def test_containers_end_with_a_killed_caller(engine, images, tmp_path):
    """SIGKILL of the process that started a container leaves no container."""
    program = f"""if True:
      import docker, pathlib
      from pipeline.containers.runner import start_runner
      from pipeline.containers.step import run_step
      labels = {{"deep-mnist-test": {tmp_path.name!r}}}
      start_runner(pipeline_root=pathlib.Path({str(tmp_path)!r}), labels=labels)
      run_step(docker.from_env(), {images["light"]!r}, ["sleep", "300"], {{}}, labels=labels)"""
    caller = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    label = f"deep-mnist-test={tmp_path.name}"
    wait_for(lambda: any(each.status == "running" for each in containers_of(engine, label)))
    caller.kill()
    caller.wait()

    wait_for(lambda: not containers_of(engine, label))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same digits and seed, run as processes and as containers."""
    folder = tmp_path_factory.mktemp("both")
    write_raw_folder(folder / "digits")
    options = ("--dataset", "digits", *FAST)
    as_processes = run_pipeline(folder, *options, "--runs", "runs-processes", "--store", "registry-processes")
    return as_processes, run_pipeline(
        folder, *options, "--docker", "--runs", "runs-docker", "--store", "registry-docker"
    )


def returned_by(ended):
    """What the tasks returned: task -> outputs."""
    return {event["task"]: event["outputs"] for event in ended.events() if event["event"] == "end"}


def test_containers_publish_what_processes_publish(both):
    """The same data digests, the same verdict, and an accuracy within the tolerance."""
    for ended in both:
        assert ended.status == 0, "\n".join(ended.lines) + ended.errors
        assert ended.last.startswith("PUBLISHED version=1 accuracy=")
    processes, containers = map(returned_by, both)

    assert containers["download"]["Output"] == processes["download"]["Output"]
    assert containers["preprocess"]["Output"] == processes["preprocess"]["Output"]
    assert containers["validate"]["verdict"] == processes["validate"]["verdict"] == "fit"
    assert abs(containers["evaluate"]["Output"] - processes["evaluate"]["Output"]) <= TOLERANCE


def test_a_registry_in_a_bucket_is_reached(tmp_path, bucket):
    """evaluate and publish get a network because the registry is an address; the others need none."""
    write_raw_folder(tmp_path / "digits")
    ended = run_pipeline(tmp_path, "--dataset", "digits", *FAST, "--docker", "--store", f"{bucket}/models")

    assert ended.status == 0, "\n".join(ended.lines) + ended.errors
    assert ended.last.startswith("PUBLISHED version=1 accuracy=")
    assert not (tmp_path / "registry").exists()


def test_bad_data_start_no_training_container(engine, images, tmp_path):
    """Unfit data end with the same last line as without containers; the engine never made a container of `train`."""
    pixels, labels = draw_digits(400)
    (tmp_path / "own").mkdir()
    np.save(tmp_path / "own" / "train_images.npy", pixels.astype(np.float32) / 255)  # no channel axis
    np.save(tmp_path / "own" / "train_labels.npy", labels.astype(np.int64))
    options = ("--dataset", "own", "--network", "example2")
    since = int(time.time())
    ended = run_pipeline(tmp_path, *options, "--docker")
    seen = engine.events(since=since, until=int(time.time()) + 1, filters={"event": "create"}, decode=True)
    made = [event["Actor"]["Attributes"]["image"] for event in seen if event["Type"] == "container"]
    plain = run_pipeline(tmp_path, *options)

    assert (ended.status, line_without_times(ended)) == (1, line_without_times(plain))
    assert ended.last.startswith("FAILED step=validate findings=")
    assert images["light"] in made and images["data"] in made
    assert not [name for name in made if "/train" in name]


def line_without_times(ended):
    return re.sub(r"(seconds|report)=\S+", r"\1=", ended.last)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_container(engine, tmp_path, number):
    """Ctrl-C and SIGTERM in the middle of a step stop its container and give a clear last line."""
    write_raw_folder(tmp_path / "digits", 2000, 100)
    arguments = command("--dataset", "digits", "--epochs", 500, "--docker")
    run = subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: list(tmp_path.glob("runs/2*")))
    label = f"deep-mnist-run={next(tmp_path.glob('runs/2*')).name}"
    wait_for(lambda: any("/train" in each.attrs["Config"]["Image"] for each in containers_of(engine, label)))
    time.sleep(2)
    run.send_signal(number)
    output, _ = run.communicate(timeout=60)

    assert run.returncode == 128 + number
    assert output.splitlines()[-1].startswith("INTERRUPTED step=train seconds=")
    assert containers_of(engine, label) == []


def test_without_an_engine_nothing_is_started(tmp_path):
    """A run in containers without an engine is bad usage: exit status 2, and what to do."""
    write_raw_folder(tmp_path / "digits", 100, 20)
    ended = run_pipeline(tmp_path, "--dataset", "digits", "--docker", DOCKER_HOST=f"unix://{tmp_path}/no.sock")

    assert ended.status == 2
    assert "Expected a Docker Engine" in ended.errors
    assert not list(tmp_path.glob("runs/2*"))


def test_the_caller_need_not_be_where_the_code_is(tmp_path):
    """Images are found by the code's own place, so a run may start in any folder."""
    where = "from pipeline.containers.built import image_reference; print(image_reference('train'))"
    done = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )

    assert done.stdout.strip() == built_images()["train-cpu"]
    assert Path(tmp_path, "build").exists() is False
