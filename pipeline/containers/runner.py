"""Run the steps as containers: kfp.local's DockerRunner, hardened and honest about failure.

kfp 2.17 starts a container that removes itself and takes "not found" for success: a container that fails fast is
reported as a success now and then. `guard` puts `run_step` in the place of that function. Its containers stay until
their exit status was read, a status of 0 counts only together with the executor's output file, and each step gets
only what it needs: its own outputs to write, its inputs and what its parameters name to read, no network unless it
must reach one, a read-only root, no capabilities, the caller's user.

    runner = start_runner(pipeline_root=root, mounts=[(registry, False)], labels={"deep-mnist-run": "one"})
    kfp.local.init(runner=runner, pipeline_root=str(root))
"""

from __future__ import annotations

import codecs
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TESTED_KFP = "2.17.0"
# Steps that reach out by their nature; the others do when a parameter of theirs is an address.
NETWORK_STEPS = frozenset({"download"})
ADDRESS = re.compile(r"^(gs|https?)://")
# Which parameter names a path that the step writes to; all other paths are mounted read only.
WRITTEN = {"publish": "registry", "remember": "registry", "train": "checkpoints"}
# Settings that a step must see as it would as a process; the second group only where there is a network.
SETTINGS = ("DEEP_MNIST_", "KERAS_", "OMP_", "OPENBLAS_", "TF_")
NETWORK_SETTINGS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "STORAGE_EMULATOR_HOST",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
# Where an image keeps what it needs: a host path that hides one of these cannot be mounted.
OCCUPIED = ("/bin", "/dev", "/etc", "/lib", "/opt/deep-mnist", "/opt/venv", "/proc", "/sys", "/tmp", "/usr")
MEMORY_MIB = 4096  # of a container that is no step of ours
PROCESSES = 1024
STOP_SECONDS = 5.0
GIVE_UP_SECONDS = 30.0  # an engine can fail to remove a container for good
_watchers: list[subprocess.Popen[bytes]] = []  # kept, for what closes their stdin wakes them


class ContainersError(RuntimeError):
    """Containers cannot be used as asked; the message says what to change."""


class EngineMissingError(ContainersError):
    """No container engine answers."""


@dataclass(frozen=True)
class Step:
    """What a container's command says about the step it runs.

    Attributes:
        name: The component function's name; "" for a command that is not kfp's.
        parameters: Values of its input parameters.
        inputs: Paths of its input artifacts.
        output_file: What the executor writes when, and only when, the step succeeded; artifacts go beside it.
    """

    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    output_file: Path | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """What it reads: its input artifacts and the paths that its parameters name."""
        texts = [value for value in self.parameters.values() if isinstance(value, str)]
        return (*self.inputs, *(Path(text) for text in texts if text.startswith("/")))

    @property
    def writes(self) -> tuple[Path, ...]:
        """What it writes to besides its outputs."""
        if self.name == "download":
            return (_download_cache(),)
        text = str(self.parameters.get(WRITTEN.get(self.name, ""), ""))
        return (Path(text),) if text.startswith("/") else ()

    @property
    def needs_network(self) -> bool:
        """True for a step that must reach a network; a download of the user's own folder need not."""
        addresses = any(isinstance(value, str) and ADDRESS.match(value) for value in self.parameters.values())
        own_folder = str(self.parameters.get("dataset", "")).startswith("/")
        return addresses or (self.name in NETWORK_STEPS and not own_folder)


def step_of(command: Sequence[str]) -> Step:
    """Return what kfp's command line says about its step."""
    named = dict(pairwise(command))
    if "--function_to_execute" not in named or "--executor_input" not in named:
        return Step()
    executor_input = json.loads(named["--executor_input"])
    inputs = executor_input.get("inputs", {})
    artifacts = [each for listed in inputs.get("artifacts", {}).values() for each in listed["artifacts"]]
    output_file = executor_input.get("outputs", {}).get("outputFile")
    return Step(
        name=named["--function_to_execute"],
        parameters=inputs.get("parameterValues", {}),
        inputs=tuple(Path(each["uri"]) for each in artifacts),
        output_file=Path(output_file) if output_file else None,
    )


def engine_ready() -> None:
    """Return silently when a container engine answers.

    Raises:
        EngineMissingError: None does.
    """
    _client().close()


def _client() -> Any:
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise EngineMissingError(
            f"Expected a Docker Engine that this user may use. Received: {error}. "
            "Start one (as root on Debian: docker/ensure_engine.sh), or run without containers: make run"
        ) from error
    return client


def start_runner(
    *,
    pipeline_root: Path,
    mounts: Iterable[tuple[Path, bool]] = (),
    labels: Mapping[str, str],
    gpu: bool = False,
) -> Any:
    """Return a guarded kfp.local.DockerRunner whose containers end with this process, however it ends.

    Args:
        pipeline_root: Where kfp.local writes artifacts; it mounts this folder itself.
        mounts: (host path, read only) below which a step may be given what it reads or writes, at the same path
            inside; no step is given more than its inputs and what its parameters name.
        labels: What the containers are found by; the first one identifies the run.
        gpu: Give the training step every GPU of this machine.

    Raises:
        ContainersError: No engine, another kfp than the guard was written for, or a path that cannot be mounted.
    """
    from kfp import local

    guard()
    client = _client()
    cores = client.info()["NCPU"]
    client.close()
    _stop_with_this_process("=".join(next(iter(labels.items()))))
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


def mounts_of(paths: Iterable[tuple[Path, bool]]) -> list[Any]:
    """Return bind mounts of host paths at the same paths inside, each path once, writable where any asks for it.

    Raises:
        ContainersError: A path does not exist, or would hide a part of the image.
    """
    from docker.types import Mount

    wanted: dict[Path, bool] = {}
    for path, read_only in paths:
        wanted[path] = wanted.get(path, True) and read_only
    for path in wanted:
        if not path.is_absolute() or not path.exists():
            raise ContainersError(f"Expected an existing absolute path to mount. Received: {path}.")
        if any(Path(taken).is_relative_to(path) for taken in OCCUPIED):
            raise ContainersError(
                f"Expected a folder of your own to mount. Received: {path}, which the images need themselves. "
                "Use a folder below it."
            )
    return [Mount(str(path), str(path), type="bind", read_only=read_only) for path, read_only in wanted.items()]


def guard() -> None:
    """Have kfp.local's Docker task handler run containers through `run_step`.

    Raises:
        ContainersError: kfp is of a version that this was not written for.
    """
    import kfp
    from kfp.local import docker_task_handler

    if kfp.__version__ != TESTED_KFP:
        raise ContainersError(
            f"Expected kfp {TESTED_KFP}. Received: {kfp.__version__}. Install the locked version: make install"
        )
    docker_task_handler.run_docker_container = run_step


def run_step(client: Any, image: str, command: list[str], volumes: Mapping[str, Any], **arguments: Any) -> int:
    """Run one container to its end, printing its output, and return its exit status, never 0 for a failure.

    Takes the place of kfp.local.docker_task_handler.run_docker_container, whose arguments these are.
    """
    import docker

    step = step_of(command)
    _require_image(client, image)
    try:
        status = _run_to_end(client.containers.create(image, command, **_arguments_for(step, volumes, arguments)))
    except docker.errors.APIError as error:
        raise ContainersError(f"Expected the engine to run {image}. Received: {error.explanation or error}.") from error
    if status == 0 and step.output_file and not step.output_file.is_file():
        print(f"Expected {step.output_file} of a step that succeeded. Received: no file.", flush=True)
        return 1
    return status


def _run_to_end(container: Any) -> int:
    try:
        container.start()
        _print_output(container)
        status = container.wait()["StatusCode"]
        container.reload()
        if container.attrs["State"].get("OOMKilled"):
            limit = container.attrs["HostConfig"]["Memory"] >> 20
            print(f"The container was killed: its memory limit of {limit} MiB was reached.", flush=True)
        return status
    finally:
        _remove(container)


def _require_image(client: Any, image: str) -> None:
    """Nothing is pulled by a name that has no registry in it: on a public one anybody could own that name."""
    import docker

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        if not re.match(r"^(localhost|[^/]*[.:][^/]*)/", image):
            raise ContainersError(
                f"Expected the image {image} in the engine. Received: none of that name. Build it: make images"
            ) from None
        print(f"Pulling {image}", flush=True)
        client.images.pull(image)


def _arguments_for(step: Step, volumes: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the step's container: only `train` sees GPUs, only who must sees a network."""
    from docker.types import Mount

    chosen = {"network_mode": "none", **arguments}
    chosen["mounts"] = _mounts_for(step, volumes, chosen.get("mounts", []))
    if any("z" in each["mode"].split(",") for each in volumes.values()):  # SELinux: nothing of the user's is relabelled
        chosen["security_opt"] = [*chosen.get("security_opt", []), "label=disable"]
    chosen["mem_limit"] = chosen["memswap_limit"] = f"{_memory(step)}m"
    if step.name != "train":
        chosen.pop("device_requests", None)
    if step.needs_network:
        settings = network_settings()
        chosen["network_mode"] = _network_mode(settings)
        chosen["environment"] = {**chosen.get("environment", {}), **settings}
        chosen["mounts"] += [
            Mount(value, value, type="bind", read_only=True)
            for value in sorted(set(settings.values()))
            if value.startswith("/") and Path(value).is_file()
        ]
    return chosen


def _mounts_for(step: Step, volumes: Mapping[str, Any], allowed: Sequence[Any]) -> list[Any]:
    """Return what the step sees of this machine: its outputs to write, its inputs to read, and what it names."""
    from docker.types import Mount

    roots = [Mount(each["bind"], host, type="bind") for host, each in volumes.items()]
    if not step.output_file:
        return [*roots, *allowed]
    outputs = step.output_file.parent
    outputs.mkdir(parents=True, exist_ok=True)
    wanted = {outputs: False}
    for path in (*step.writes, *step.reads):
        above = [each for each in (*roots, *allowed) if path.is_relative_to(each["Source"])]
        if above and path.exists():
            read_only = path not in step.writes or all(each["ReadOnly"] for each in above)
            wanted.setdefault(path, read_only)
    return mounts_of(wanted.items())


def network_settings() -> dict[str, str]:
    """Return what a container with a network must know to reach it as this process does: proxies, certificates, pip."""
    from pipeline.containers.build import pip_settings

    settings = {name: os.environ[name] for name in NETWORK_SETTINGS if os.environ.get(name)}
    pip = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pip_settings().items()}
    return {**settings, **pip, "DEEP_MNIST_CACHE": str(_download_cache())}


def _download_cache() -> Path:
    from deep_mnist.data.transfer import cache_folder

    return cache_folder().resolve()


def _network_mode(settings: Mapping[str, str]) -> str:
    """The engine's own network, or this machine's when the storage emulator listens on loopback."""
    emulator = settings.get("STORAGE_EMULATOR_HOST", "")
    host = urlsplit(emulator if "//" in emulator else f"//{emulator}").hostname
    return "host" if host in ("localhost", "127.0.0.1", "::1") else "bridge"


def _memory(step: Step) -> int:
    """Return the step's memory limit in MiB, the same as on a cluster."""
    from pipeline.placement import PLACEMENTS

    name = {"require_valid": "validate"}.get(step.name, step.name)
    return PLACEMENTS[name].memory if name in PLACEMENTS else MEMORY_MIB


def _print_output(container: Any) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in container.logs(stream=True, follow=True):
        print(decoder.decode(chunk), end="", flush=True)


def stop_all(label: str) -> int:
    """Stop and remove every container that has the label ("name=value"); return how many there were.

    Each is asked to end first, so that a training can still write its checkpoint.
    """
    client = _client()
    seen: set[str] = set()
    quiet = 0
    deadline = time.monotonic() + GIVE_UP_SECONDS
    # Asked twice: the engine may still be creating one that was asked for before its caller died.
    while quiet < 2 and time.monotonic() < deadline:
        found = client.containers.list(all=True, ignore_removed=True, filters={"label": label})
        seen.update(each.id for each in found)
        _ask_to_end(found)
        for each in found:
            _remove(each)
        quiet = 0 if found else quiet + 1
        time.sleep(0 if found else 0.25)
    client.close()
    return len(seen)


def _ask_to_end(containers: Sequence[Any]) -> None:
    """Send SIGTERM to all but PID 1: kfp runs a step below a shell, which would not pass the signal on."""
    import docker

    for container in containers:
        try:
            container.exec_run(["sh", "-c", "kill -TERM -1"])
        except docker.errors.APIError:  # not running (any more)
            continue
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(_is_running(each) for each in containers):
        time.sleep(0.1)


def _is_running(container: Any) -> bool:
    import docker

    try:
        container.reload()
    except docker.errors.NotFound:
        return False
    return container.status == "running"


def _remove(container: Any) -> None:
    import docker

    with suppress(docker.errors.APIError):  # somebody else is at it
        container.remove(force=True, v=True)


def _stop_with_this_process(label: str) -> None:
    """Start a process that waits for this one to be gone, were it by SIGKILL, and then stops its containers."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "pipeline.containers.runner", label],
        stdin=subprocess.PIPE,  # held open by this process and by nobody else
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    _watchers.append(watcher)


def require_ready(mounts: Iterable[tuple[Path, bool]], *, gpu: bool = False) -> None:
    """Return silently when a run in containers can start: engine, images and mounts are as they must be.

    Raises:
        ContainersError: One of them is not; the message says what to do.
    """
    from components.images import COMPONENTS

    engine_ready()
    for component in COMPONENTS:
        image_reference(component, gpu=gpu)
    mounts_of(mounts)


def image_reference(component: str, *, gpu: bool = False) -> str:
    """Return the image of a component that `make images` built from the code as it stands.

    With DEEP_MNIST_IMAGES set (a registry's prefix), the image of that name instead.

    Raises:
        ContainersError: There is none, or the code has changed since.
    """
    from components.images import IMAGE_OF
    from pipeline.cluster.definition import image_references
    from pipeline.containers.build import built_images

    if os.environ.get("DEEP_MNIST_IMAGES"):
        return dict(image_references(int(gpu)))[component]
    target = IMAGE_OF[component]
    if target == "train" and not gpu:
        target = "train-cpu"
    images = built_images()
    if target not in images:
        raise ContainersError(f"Expected the image {target!r}. Received: {sorted(images)}. Build it: make images GPU=1")
    return images[target]


if __name__ == "__main__":
    sys.stdin.read()
    stop_all(sys.argv[1])
