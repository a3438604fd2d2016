"""One container: what its step may see and use, and its run to an accurate end.

kfp 2.17 starts a container that removes itself and takes "not found" for success: a container that fails fast is
reported as a success now and then. `run_step` takes the place of that function. Its containers stay until their exit
status was read, a status of 0 counts only together with the executor's output file, and each step gets only what it
needs: its own outputs to write, its inputs and what its parameters name to read, no network unless it must reach one.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deep_mnist.registry.keyless import IDENTITY, IDENTITY_TOKEN, TRUST_CONFIG
from deep_mnist.registry.signing import Trust
from deep_mnist.storage.address import is_address
from pipeline.containers.engine import ContainersError, remove
from pipeline.containers.settings import STORE_ENDPOINTS, download_cache, network_settings
from pipeline.resources import RESOURCES, SIGNING_KEYS, STEP_OF
from pipeline.unexplained_exit import record_unexplained_exit

# Steps that reach out by their nature; the others do when a parameter of theirs is an address.
NETWORK_STEPS = frozenset({"download"})
# Which parameter names a path that the step writes to; all other paths are mounted read only.
WRITTEN = {"publish": "registry", "remember": "registry", "train": "checkpoints"}
# Where an image keeps what it needs: a host path that hides one of these cannot be mounted.
OCCUPIED = ("/bin", "/dev", "/etc", "/lib", "/opt/deep-mnist", "/opt/venv", "/proc", "/sys", "/tmp", "/usr")
MEMORY_MIB = 4096  # of a container that is no step of ours


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
            return (download_cache(),)
        text = str(self.parameters.get(WRITTEN.get(self.name, ""), ""))
        return (Path(text),) if text.startswith("/") else ()

    @property
    def needs_network(self) -> bool:
        """True for a step that must reach a network; a download of the user's own folder need not."""
        addresses = any(isinstance(value, str) and is_address(value) for value in self.parameters.values())
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


def mounts_of(paths: Iterable[tuple[Path, bool]]) -> list[Any]:
    """Return bind mounts of host paths at the same paths inside, each path once, writable where any asks for it.

    Raises:
        ContainersError: A path does not exist, or would hide a part of the image.
    """
    from docker.types import Mount

    mounted: dict[Path, bool] = {}
    for path, read_only in paths:
        mounted[path] = mounted.get(path, True) and read_only
    for path in mounted:
        if not path.is_absolute() or not path.exists():
            raise ContainersError(f"Expected an existing absolute path to mount. Received: {path}.")
        if any(Path(taken).is_relative_to(path) for taken in OCCUPIED):
            raise ContainersError(
                f"Expected a folder of your own to mount. Received: {path}, which the images need themselves. "
                "Fix: Use a folder below it."
            )
    return [Mount(str(path), str(path), type="bind", read_only=read_only) for path, read_only in mounted.items()]


def run_step(client: Any, image: str, command: list[str], volumes: Mapping[str, Any], **arguments: Any) -> int:
    """Run one container to its end, printing its output, and return its exit status, never 0 for a failure.

    Takes the place of kfp.local.docker_task_handler.run_docker_container, whose arguments these are.
    """
    import docker

    step = step_of(command)
    _require_image(client, image)
    try:
        container = client.containers.create(image, command, **_arguments_for(step, volumes, arguments))
        status, memory = _run_to_end(container)
    except docker.errors.APIError as error:
        raise ContainersError(f"Expected the engine to run {image}. Received: {error.explanation or error}.") from error
    if step.output_file and (status or not step.output_file.is_file()):
        record_unexplained_exit(step.name.replace("_", "-"), step.output_file.parent, status, killed_for_memory=memory)
        return status or 1
    return status


def _run_to_end(container: Any) -> tuple[int, str]:
    """Return the exit status and, when the container was killed for its memory, its limit."""
    try:
        container.start()
        _print_output(container)
        status = container.wait()["StatusCode"]
        container.reload()
        if not container.attrs["State"].get("OOMKilled"):
            return status, ""
        limit = container.attrs["HostConfig"]["Memory"] >> 20
        print(f"The container was killed: its memory limit of {limit} MiB was reached.", flush=True)
        return status, f"a container killed at its memory limit of {limit} MiB"
    finally:
        remove(container)


def _require_image(client: Any, image: str) -> None:
    """Nothing is pulled by a name that has no registry in it: on a public one anybody could own that name."""
    import docker

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        if not re.match(r"^(localhost|[^/]*[.:][^/]*)/", image):
            raise ContainersError(
                f"Expected the image {image} in the engine. Received: none of that name. Fix: Build it: make images"
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
    trust = _trust_settings(step.name)
    if trust:
        chosen["environment"] = {**chosen.get("environment", {}), **trust}
    if step.name != "train":
        chosen.pop("device_requests", None)
    if step.needs_network or _needs_sigstore(trust):
        settings = network_settings()
        chosen["network_mode"] = _network_mode(settings)
        chosen["environment"] = {**chosen.get("environment", {}), **settings}
        chosen["mounts"] += [
            Mount(value, value, type="bind", read_only=True)
            for value in sorted(set(settings.values()))
            if value.startswith("/") and Path(value).is_file()
        ]
    return chosen


def _trust_settings(step: str) -> dict[str, str]:
    """Return who counts for a step that loads versions, and for who signs them by what, as text: it sees no file."""
    return Trust.from_environment().variables(signing=step == "publish") if step in SIGNING_KEYS else {}


def _needs_sigstore(trust: Mapping[str, str]) -> bool:
    """True where a token is certified and logged, or where Sigstore's own keys are asked for."""
    return IDENTITY_TOKEN in trust or (IDENTITY in trust and TRUST_CONFIG not in trust)


def _mounts_for(step: Step, volumes: Mapping[str, Any], allowed: Sequence[Any]) -> list[Any]:
    """Return what the step sees of this machine: its outputs to write, its inputs to read, and what it names."""
    from docker.types import Mount

    roots = [Mount(each["bind"], host, type="bind") for host, each in volumes.items()]
    if not step.output_file:
        return [*roots, *allowed]
    outputs = step.output_file.parent
    outputs.mkdir(parents=True, exist_ok=True)
    mounted = {outputs: False}
    for path in (*step.writes, *step.reads):
        above = [each for each in (*roots, *allowed) if path.is_relative_to(each["Source"])]
        if above and path.exists():
            read_only = path not in step.writes or all(each["ReadOnly"] for each in above)
            mounted.setdefault(path, read_only)
    return mounts_of(mounted.items())


def _network_mode(settings: Mapping[str, str]) -> str:
    """The engine's own network, or this machine's when an object store listens on loopback."""
    endpoints = [settings.get(name, "") for name in STORE_ENDPOINTS]
    hosts = {urlsplit(each if "//" in each else f"//{each}").hostname for each in endpoints}
    return "host" if hosts & {"localhost", "127.0.0.1", "::1"} else "bridge"


def _memory(step: Step) -> int:
    """Return the step's memory limit in MiB, the same as on a cluster."""
    name = step.name.replace("_", "-")
    name = STEP_OF.get(name, name)
    return RESOURCES[name].memory if name in RESOURCES else MEMORY_MIB


def _print_output(container: Any) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in container.logs(stream=True, follow=True):
        print(decoder.decode(chunk), end="", flush=True)
