"""The software bill of materials of an image: a CycloneDX document of its Python and Debian packages."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

INVENTORY = Path(__file__).resolve().parents[2] / "docker" / "inventory.py"


def inventory_of(reference: str) -> dict[str, Any]:
    """Return {"python": […], "debian": […], "release": "debian-12"}: what the image itself says is installed."""
    command = ["docker", "run", "--rm", "--interactive", "--network", "none", "--read-only", reference, "python3", "-"]
    return json.loads(subprocess.run(command, input=INVENTORY.read_bytes(), capture_output=True, check=True).stdout)


def write_sbom(inventory: Mapping[str, Any], reference: str, image_id: str, path: Path) -> None:
    """Write the image's CycloneDX 1.6 document, JSON.

    Args:
        inventory: What `inventory_of` returned.
        reference: Name and tag of the image.
        image_id: "sha256:" and the hex digest of its configuration.
        path: File to write.
    """
    name, _, version = reference.rpartition(":")
    digest = HashType(alg=HashAlgorithm.SHA_256, content=image_id.removeprefix("sha256:"))
    bom = Bom(components=[*_python(inventory["python"]), *_debian(inventory["debian"], inventory["release"])])
    bom.metadata.component = Component(
        type=ComponentType.CONTAINER, name=name, version=version, bom_ref=reference, hashes=[digest]
    )
    bom.register_dependency(bom.metadata.component, bom.components)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n")


def _python(packages: Iterable[Mapping[str, str]]) -> Iterable[Component]:
    licenses = LicenseFactory()
    for each in packages:
        url = PackageURL("pypi", name=each["name"], version=each["version"])
        yield Component(
            name=each["name"],
            version=each["version"],
            purl=url,
            bom_ref=str(url),
            licenses=[licenses.make_from_string(each["license"])] if each["license"] else [],
        )


def _debian(packages: Iterable[Mapping[str, str]], release: str) -> Iterable[Component]:
    for each in packages:
        qualifiers = {"arch": each["architecture"], "distro": release}
        url = PackageURL("deb", "debian", each["package"], each["version"], qualifiers=qualifiers)
        yield Component(name=each["package"], version=each["version"], purl=url, bom_ref=str(url))
