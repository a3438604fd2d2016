"""Every image of an install in one registry of your own: `python -m pipeline.cluster.mirror --registry HOST/FOLDER`.

The list comes from the rendered manifests, wherever they name an image: in a container, and in the variables, arguments
and settings from which Kubeflow and Argo start pods themselves (driver, launcher, executor). The same manifests, with
every one of those names replaced, are written as folders that an air-gapped cluster installs from.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from pipeline.cluster.manifests import ROOT, rendered
from pipeline.containers.built import built_images
from pipeline.containers.engine import ContainersError

FOLDERS = {
    "cluster-scoped": "kubeflow-cluster-scoped",
    "kubeflow": "overlays/airgapped/kubeflow",
    "deep-mnist": "overlays/airgapped",
    "kserve-cluster-scoped": "kserve-cluster-scoped",
    "kserve": "overlays/kserve",
}
HOST = re.compile(r"^(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?/")
REFERENCE = re.compile(HOST.pattern + r"[a-z0-9._/-]+(?P<version>:[\w.-]+)?(?P<digest>@sha256:[0-9a-f]{64})?$")
MINUTES = 60


@click.command()
@click.option("--registry", required=True, help="Where all images go: host/folder.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "build" / "airgapped")
@click.option("--pull-secret", multiple=True, metavar="SECRET", help="With which nodes pull from it. Repeatable.")
@click.option("--list", "only_list", is_flag=True, help="Write the manifests and show the list; copy nothing.")
def mirror(registry: str, output: Path, pull_secret: tuple[str, ...], only_list: bool) -> None:
    """Copy every image of Kubeflow, KServe and this pipeline to a registry; write manifests that name no other."""
    registry = registry.rstrip("/")
    folders = {name: manifests_in(folder) for name, folder in FOLDERS.items()}
    try:
        own = list(built_images().values())
    except ContainersError as error:
        raise click.ClickException(str(error)) from error
    images = mirrored([*images_in(each for items in folders.values() for each in items), *own], registry)
    for name, items in folders.items():
        write_folder(output / name, rewritten(items, images), pull_secret)
    for source, target in images.items():
        click.echo(f"{source} {target}")
        if not only_list:
            copy_image(source, target)
    target = images[own[0]]
    click.echo(f"export DEEP_MNIST_IMAGES={target.rpartition('/')[0]} DEEP_MNIST_TAG={target.rpartition(':')[2]}")
    click.echo(
        f"Install from {output}: kubectl apply --server-side -k {output}/cluster-scoped, then the other folders."
    )


def manifests_in(folder: str) -> list[dict[str, Any]]:
    """Return the resources of a folder of manifests/."""
    return [each for each in yaml.safe_load_all(rendered(ROOT / "manifests" / folder)) if each]


def images_in(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return every image that resources name, sorted."""
    return sorted(
        {text for item in items if not _is_schema(item) for key, text in _texts(item) if _is_image(key, text)}
    )


def mirrored(images: Iterable[str], registry: str) -> dict[str, str]:
    """Return image -> its name in the registry: the path stays, the host is replaced.

    Raises:
        click.ClickException: Two images would get the same name.
    """
    names = {image: f"{registry}/{HOST.sub('', image)}" for image in dict.fromkeys(images)}
    twice = [image for image, name in names.items() if list(names.values()).count(name) > 1]
    if twice:
        raise click.ClickException(f"Expected images of different paths. Received: {', '.join(twice)}.")
    return names


def rewritten(items: Iterable[dict[str, Any]], images: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the resources with every image replaced by its name in the registry."""
    return [item if _is_schema(item) else _replaced(item, images) for item in items]


def write_folder(folder: Path, items: list[dict[str, Any]], pull_secrets: Iterable[str] = ()) -> None:
    """Write a folder that `kubectl apply -k` takes without a network."""
    secrets = [{"name": name} for name in pull_secrets]
    for item in items if secrets else []:
        template = (item.get("spec") or {}).get("template") or {}
        if "containers" in (template.get("spec") or {}):
            template["spec"]["imagePullSecrets"] = secrets
        if item["kind"] == "ServiceAccount":  # of the pods that Argo makes for a run
            item["imagePullSecrets"] = secrets
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all.yaml").write_text(yaml.safe_dump_all(items, sort_keys=False))
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [all.yaml]\n"
    )


def copy_image(source: str, target: str) -> None:
    """Pull an image that is not here yet, and push it under its new name.

    Raises:
        click.ClickException: Docker refused.
    """
    if _docker("image", "inspect", source).returncode:
        _require(_docker("pull", source), f"{source} to be pulled")
    _require(_docker("tag", source, target), f"{source} to be tagged")
    _require(_docker("push", target), f"{target} to be pushed")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=MINUTES * 60)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(f"Expected a Docker client that answers. Received: {error}.") from error


def _require(done: subprocess.CompletedProcess[str], expected: str) -> None:
    if done.returncode:
        raise click.ClickException(f"Expected {expected}. Received: {done.stderr.strip()}")


def _is_schema(item: Mapping[str, Any]) -> bool:
    """A CRD describes images and names none."""
    return item["kind"] == "CustomResourceDefinition"


def _is_image(key: str, text: str) -> bool:
    if key == "image":
        return True
    found = REFERENCE.match(text)
    return bool(found and (found["version"] or found["digest"] or "image" in key.lower()))


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a resource with its key; of a variable, its name."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts(each, str(value["name"]) if name == "value" and "name" in value else str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, key)


def _replaced(value: Any, images: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return images.get(value, value)
    if isinstance(value, Mapping):
        return {name: _replaced(each, images) for name, each in value.items()}
    return [_replaced(each, images) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    mirror(prog_name="python -m pipeline.cluster.mirror")
