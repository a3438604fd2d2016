"""Build, describe and push the images of docker/Dockerfile: what `make images` and `make push` call.

A tag is the Git commit and a digest of everything that enters the images, so one tag never means two images, and
an image that is already built need not be built again. Beside build/images.json lies an SBOM for each image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.containers.built import BUILD, ROOT, built_images, commit, content_digest, tag_of
from pipeline.containers.engine import ContainersError, engine_ready, inspect
from pipeline.containers.sbom import inventory_of, write_sbom
from pipeline.containers.settings import pip_settings

PREFIX = "deep-mnist"
TARGETS = ("light", "data", "tensorflow", "train-cpu", "serving")
GPU_TARGETS = ("train",)
# Largest size in bytes, and packages that must not be inside.
BUDGETS = {"light": 220_000_000, "data": 320_000_000, "serving": 250_000_000}
FORBIDDEN = {
    "light": frozenset({"tensorflow", "tensorflow-cpu", "keras", "google-cloud-storage", "botocore", "pip"}),
    "data": frozenset({"tensorflow", "tensorflow-cpu", "keras"}),
    "serving": frozenset({"tensorflow", "tensorflow-cpu", "keras", "kfp", "pip"}),
}
LAST_LOG_LINES = 40


@dataclass(frozen=True)
class Image:
    """An image as the engine has it.

    Attributes:
        reference: Name and tag.
        id: SHA-256 of its configuration, as the engine gives it.
        bytes: Size of its layers, unpacked; layers that images share count in each.
        user: Who its processes are, "uid:gid".
        packages: Number of Python packages inside.
        sbom: Path of its CycloneDX document.
    """

    reference: str
    id: str
    bytes: int
    user: str
    packages: int
    sbom: str


def build_images(base: str, *, gpu: bool = False, prefix: str = PREFIX, say: Any = print) -> dict[str, Image]:
    """Build every image that is not there yet, write its SBOM, and return target -> image.

    Args:
        base: Reference of the base image, one that cannot come to mean another.
        gpu: Build the image with the CUDA libraries as well (some 6 GB).
        prefix: What the names begin with.
        say: Called with one line for each image.

    Raises:
        ContainersError: No engine or BuildKit, a build that failed, or an image that breaks a rule.
    """
    engine_ready()
    content = content_digest()
    tag = tag_of(content, base)
    images = {}
    for target in (*TARGETS, *(GPU_TARGETS if gpu else ())):
        reference = f"{prefix}/{target}:{tag}"
        started = time.monotonic()
        made = inspect(reference) is None
        if made:
            _build(target, reference, base)
            _check_unchanged(content, reference)
        images[target] = _describe(target, reference)
        say(f"{reference} {'built' if made else 'already built'} ({time.monotonic() - started:.1f} s)")
    plain = {target: asdict(image) for target, image in images.items()}
    record = {"tag": tag, "base": base, "content": content, "images": plain}
    (BUILD / "images.json").write_text(json.dumps(record, indent=1) + "\n")
    return images


def _check_unchanged(content: str, reference: str) -> None:
    """A file that was edited during the build would leave an image whose tag does not tell its content."""
    if content != content_digest():
        import docker

        docker.from_env().images.remove(reference, force=True)
        raise ContainersError(
            "Expected the files to stay as they are during a build. Received: an edit. Fix: Build again."
        )


def _build(target: str, reference: str, base: str) -> None:
    log = BUILD / "logs" / f"{target}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, log.open("w") as output:
        command = [
            *(buildkit_client(), "build", "--file", "docker/Dockerfile", "--target", target, "--tag", reference),
            *("--build-arg", f"BASE={base}", "--progress", "plain", *_secrets(Path(folder)), *_labels(reference, base)),
            str(ROOT),
        ]
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LOG_LINES:])
        raise ContainersError(f"Expected {target} to be built. Received: exit status {done.returncode}.\n{last}")


def _labels(reference: str, base: str) -> list[str]:
    name, _, version = reference.rpartition("/")[2].partition(":")
    base_name, _, base_digest = base.partition("@")
    labels = {"ref.name": name, "revision": commit(), "version": version, "base.name": base_name}
    if base_digest:
        labels["base.digest"] = base_digest
    return [part for name, value in labels.items() for part in ("--label", f"org.opencontainers.image.{name}={value}")]


def _secrets(folder: Path) -> list[str]:
    """Return what hands pip's settings and certificates of this machine to the build, and to nothing that it leaves."""
    settings = pip_settings()
    secrets = []
    if certificates := settings.pop("cert", ""):
        secrets += ["--secret", f"id=ca_bundle,src={certificates}"]
        settings["cert"] = "/run/secrets/ca_bundle"
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return [*secrets, "--secret", f"id=pip_conf,src={folder / 'pip.conf'}"]


@cache
def buildkit_client() -> str:
    """Return the path of a docker client that builds with BuildKit: up to 22 it is built in, later it is a plugin.

    Raises:
        ContainersError: There is none.
    """
    folders = os.environ.get("PATH", "").split(os.pathsep)
    for client in dict.fromkeys(shutil.which("docker", path=folder) for folder in folders):
        if client and (_major_version(client) < 23 or _succeeds(client, "buildx", "version")):
            return client
    raise ContainersError(
        "Expected a docker client with BuildKit. Received: none on PATH. "
        "Fix: Install Docker's buildx plugin, or Debian's docker.io."
    )


def _major_version(client: str) -> int:
    shown = subprocess.run([client, "--version"], capture_output=True, text=True).stdout  # Docker version 28.2.2, …
    number = shown.removeprefix("Docker version ").partition(".")[0]
    return int(number) if number.isdigit() else sys.maxsize


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _describe(target: str, reference: str) -> Image:
    """Return what the engine and the image itself say, having checked the rules that every image keeps."""
    attributes = inspect(reference) or {}
    inventory = inventory_of(reference)
    _check_rules(target, attributes, {each["name"] for each in inventory["python"]})
    sbom = BUILD / "sbom" / f"{target}-{reference.rpartition(':')[2]}.cdx.json"
    write_sbom(inventory, reference, attributes["Id"], sbom)
    return Image(
        reference=reference,
        id=attributes["Id"],
        bytes=attributes["Size"],
        user=attributes["Config"]["User"],
        packages=len(inventory["python"]),
        sbom=str(sbom.relative_to(ROOT)),
    )


def _check_rules(target: str, attributes: Mapping[str, Any], packages: set[str]) -> None:
    config = attributes["Config"]
    broken = []
    if not config["User"].replace(":", "").isdigit() or config["User"].startswith("0"):
        broken.append(f"Expected a numeric USER that is not root. Received: {config['User']!r}.")
    if config.get("Entrypoint"):
        broken.append(f"Expected no ENTRYPOINT. Received: {config['Entrypoint']}.")
    if attributes["Size"] > BUDGETS.get(target, sys.maxsize):
        broken.append(f"Expected at most {BUDGETS[target]} bytes. Received: {attributes['Size']}.")
    if unwanted := packages & FORBIDDEN.get(target, frozenset()):
        broken.append(f"Expected no {', '.join(sorted(unwanted))} inside. Received: them.")
    if broken:
        raise ContainersError(f"The image {target} breaks a rule:\n  " + "\n  ".join(broken))


def push_images(images: Iterable[str], registry: str) -> dict[str, str]:
    """Push images by their own tag below `registry` and return pushed name -> digest.

    Raises:
        ContainersError: No registry was named, or it refused.
    """
    import docker

    if not registry:
        raise ContainersError("Expected a registry. Received: none. Fix: Name it: make push REGISTRY=host/folder")
    client = docker.from_env()
    digests = {}
    for reference in images:
        target, _, tag = reference.rpartition("/")[2].partition(":")
        name = f"{registry.rstrip('/')}/{target}"
        client.images.get(reference).tag(name, tag=tag)
        for event in client.images.push(name, tag=tag, stream=True, decode=True):
            if "error" in event:
                raise ContainersError(f"Expected {name}:{tag} to be pushed. Received: {event['error']}")
            if "Digest" in event.get("aux", {}):
                digests[f"{name}:{tag}"] = event["aux"]["Digest"]
    client.close()
    return digests


@click.group()
def build() -> None:
    """Build and push the images of the steps."""


@build.command()
@click.option("--base", required=True, help="Reference of the base image; docker/base.sh prints one.")
@click.option("--gpu", default="0", help="1: the training image with the CUDA libraries as well.")
def images(base: str, gpu: str) -> None:
    """Build every image and print sizes, users and SBOMs."""
    built = build_images(base, gpu=gpu not in ("", "0"))
    table = Table("image", "MB", "user", "Python packages", "SBOM", box=None)
    for image in built.values():
        table.add_row(image.reference, f"{image.bytes / 1e6:.0f}", image.user, str(image.packages), image.sbom)
    Console(width=200).print(table)


@build.command()
@click.option("--registry", default="", help="Such as registry.example/deep-mnist")
def push(registry: str) -> None:
    """Push what was built and print each digest and the variables that name the images."""
    references = built_images()
    for name, digest in push_images(references.values(), registry).items():
        print(f"{name}@{digest}")
    tag = next(iter(references.values())).rpartition(":")[2]
    print(f"export DEEP_MNIST_IMAGES={registry.rstrip('/')} DEEP_MNIST_TAG={tag}")


def main() -> None:
    """Run the command line; an error is one message and exit status 1."""
    try:
        build(prog_name="python -m pipeline.containers.build")
    except ContainersError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
