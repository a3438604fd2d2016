"""Containers in a real engine. `make test-docker` builds the images and runs these."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
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
from components.images import COMPONENTS, code_digest
from deep_mnist.serving.replay import main as replay
from pipeline.containers.build import TARGETS, push_images
from pipeline.containers.built import BUILD, ROOT, built_images, image_reference
from pipeline.containers.engine import ContainersError, stop_all
from pipeline.containers.runner import start_runner
from pipeline.containers.step import run_step
from pipeline.kfp_patches import run_containers_with
from tests.support.digits import draw_digits, write_raw_folder
from tests.support.ports import free_port
from tests.support.runs import command, environment, run_pipeline

pytestmark = pytest.mark.docker
FAST = ("--epochs", 3, "--seed", 5, "--network", "fast")
# Training on the same machine with the same seed: of 400 test digits, at most 4 are judged otherwise.
TOLERANCE = 0.01


@pytest.fixture(scope="session")
def images():
    """Target -> reference of the images that `make images` built from these files."""
    return built_images()


@pytest.fixture
def engine():
    client = docker.from_env()
    yield client
    client.close()


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


def wait_for(condition, seconds=40):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_says_what_it_is(engine, images, target):
    """Each image names its version, commit and base, and runs as a numbered user without an entrypoint."""
    config = engine.images.get(images[target]).attrs["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}

    assert (config["User"], config["Entrypoint"]) == ("1000:1000", None)
    assert labels["version"] == images[target].rpartition(":")[2]
    assert labels["licenses"] == "Apache-2.0"
    assert {"title", "revision", "base.name", "ref.name"} <= set(labels)


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_image_holds_the_code_that_it_is_built_from(engine, component):
    """A component's code has the same digest in its image and in the tree, so a model names the code it came from."""
    ask = ["python3", "-c", f"from components.images import code_digest; print(code_digest({component!r}))"]

    assert engine.containers.run(image_reference(component), ask, remove=True).decode().strip() == code_digest(
        component
    )


@pytest.mark.parametrize(
    ("target", "megabytes", "found"),
    [
        ("light", 220, ["kfp", "h5py"]),
        ("data", 320, ["kfp", "h5py", "botocore", "arro3.core", "pip"]),
        ("tensorflow", 1275, ["kfp", "h5py", "botocore", "tensorflow", "keras", "scipy"]),
        ("train-cpu", 1160, ["kfp", "h5py", "botocore", "tensorflow", "keras"]),
        ("serving", 320, ["botocore"]),
    ],
)
def test_an_image_holds_what_its_steps_use_and_no_more(engine, images, target, megabytes, found):
    """Sizes as the engine gives them; of the heavy packages each image has its own, and nothing that installs."""
    heavy = "kfp h5py botocore arro3.core pip setuptools tensorflow keras scipy grpc clang".split()
    find = f"""
import importlib.util
for name in {heavy}:
    if importlib.util.find_spec(name.partition(".")[0]):
        print(name)
"""
    said = engine.containers.run(images[target], ["python3", "-c", find], remove=True).decode().split()

    assert engine.images.get(images[target]).attrs["Size"] <= megabytes * 1_000_000
    assert said == found


@pytest.mark.parametrize("target", TARGETS)
def test_a_slimmed_image_imports_what_it_runs(engine, images, target):
    """Every module of every component in the image can be imported, and TensorFlow computes where it is."""
    code = """
import importlib, pathlib, sys
for folder in ("components", "deep_mnist"):
    for path in sorted(pathlib.Path(folder).glob("**/*.py")):
        served = "serving" in path.parts
        if path.name in ("component.py", "__main__.py") or served is not (sys.argv[1] == "serving"):
            continue
        try:
            importlib.import_module(".".join(path.with_suffix("").parts))
        except ModuleNotFoundError as error:  # what runs a network is not for every image, nor a notebook for any
            of_networks = error.name in ("tensorflow", "keras", "scipy") and sys.argv[1] != "tensorflow"
            assert of_networks or error.name == "IPython", (path, error)
from PIL import Image, JpegImagePlugin, PngImagePlugin, GifImagePlugin, BmpImagePlugin
import io
for kind in ("PNG", "JPEG", "GIF", "BMP"):
    stream = io.BytesIO()
    Image.new("L", (28, 28), 7).save(stream, kind)
    assert abs(Image.open(stream, formats=[kind]).convert("L").getpixel((3, 3)) - 7) < 4
if sys.argv[1] in ("tensorflow", "train-cpu"):
    import keras
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    model.compile(loss="mse", jit_compile=True)
    import numpy as np
    assert np.isfinite(model.train_on_batch(np.ones((4, 8, 8, 1)), np.ones((4, 2))))
print("imported")
"""
    ask = ["python3", "-c", code, target]
    assert engine.containers.run(images[target], ask, remove=True).decode().splitlines()[-1] == "imported"


def test_the_server_without_tensorflow_predicts_as_the_champion(engine, images, tmp_path):
    """The serving image, its root read-only, serves a mounted registry's ONNX form; the golden requests agree."""
    ended = run_pipeline(tmp_path, "--dataset", write_raw_folder(tmp_path / "digits"), "--epochs", 3, "--forms", "onnx")
    assert ended.status == 0, ended.lines
    port, registry = free_port(), {str(tmp_path / "registry"): {"bind": "/registry", "mode": "ro"}}
    command = ["python3", "-m", "deep_mnist.serving", "/registry", "--model-name", "digits", "--engine", "onnx"]
    served = engine.containers.run(
        images["serving"],
        [*command, "--host", "0.0.0.0"],
        detach=True,
        read_only=True,
        tmpfs={"/tmp": ""},
        ports={"8080/tcp": ("127.0.0.1", port)},
        volumes=registry,
        user=f"{os.getuid()}:{os.getgid()}",
    )
    try:
        wait_for(lambda: b"http://" in served.logs())
        store = str(tmp_path / "registry")
        assert replay([store, f"http://127.0.0.1:{port}", "--model-name", "digits"]) == 0
    finally:
        served.remove(force=True)


def test_sboms_lie_beside_the_images(images):
    """Each image's SBOM names the packages of its lock, and TensorFlow only where it is."""
    built = json.loads((BUILD / "images.json").read_text())["images"]
    for target in images:
        document = json.loads((ROOT / built[target]["sbom"]).read_text())
        names = {each["name"] for each in document["components"]}
        assert {"numpy", "onnxruntime" if target == "serving" else "kfp", "libc6"} <= names
        assert ("tensorflow-cpu" in names) is (target in ("tensorflow", "train-cpu"))


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs Debian's docker-registry")
def test_images_are_pushed_under_their_own_tag(images, tmp_path):
    """A pushed image can be pulled from the registry by the digest that was printed."""
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    server = subprocess.Popen(["docker-registry", "serve", tmp_path / "config.yml"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0)
        pushed = push_images([images["light"]], f"{address}/deep-mnist")
        name = f"{address}/{images['light']}"
        assert list(pushed) == [name]
        client = docker.from_env()
        client.images.remove(name)
        pulled = client.images.pull(f"{name.rpartition(':')[0]}@{pushed[name]}")
        assert pulled.id == client.images.get(images["light"]).id
    finally:
        server.terminate()
        server.wait()


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
