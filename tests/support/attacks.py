"""What somebody may do who can write to a registry, but has no key. Each attack leaves every digest consistent."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deep_mnist.registry.registry import Registry


def folder_of(registry: Registry, version: int) -> Path:
    """Return a version's folder in a registry that is a folder."""
    return Path(registry.store.url) / registry.name / str(version)


def point_at(registry: Registry, version: int) -> None:
    """Write the pointer by hand: that version, its listing's digest, a new state."""
    champion = registry.champion()
    assert champion is not None
    listing = (folder_of(registry, version) / "version.json").read_bytes()
    forged = replace(
        champion,
        version=version,
        files_sha256=hashlib.sha256(listing).hexdigest(),
        sequence=champion.sequence + 1,
        id=f"forged {version}",
    )
    registry.store.write(f"{registry.name}/champion.json", forged.to_json())


def list_again(folder: Path, *, names: Callable[[str], bool] = lambda _name: True) -> None:
    """Write version.json as if all files, or those of some names, had been published as they are now."""
    listing = json.loads((folder / "version.json").read_text())
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("version.json", "model.sig")]
    listing["files"] = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(files)
        if names(path.name)
    }
    (folder / "version.json").write_text(json.dumps(listing))


def flip(path: Path) -> None:
    """Change a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_one_byte(registry: Registry, version: int) -> None:
    """Change a file, and make listing and pointer fit."""
    flip(folder_of(registry, version) / "saved_model.pb")
    list_again(folder_of(registry, version))
    point_at(registry, version)


def delete_signature(registry: Registry, version: int) -> None:
    change_one_byte(registry, version)
    (folder_of(registry, version) / "model.sig").unlink()


def take_signature_of_another(registry: Registry, version: int) -> None:
    change_one_byte(registry, version)
    shutil.copyfile(
        folder_of(registry, version - 1) / "model.sig",
        folder_of(registry, version) / "model.sig",
    )


def copy_an_older_version(registry: Registry, version: int) -> None:
    """A signed folder under the next number."""
    shutil.copytree(folder_of(registry, version - 1), folder_of(registry, version + 1))
    point_at(registry, version + 1)


def add_a_file(registry: Registry, version: int) -> None:
    (folder_of(registry, version) / "variables" / "more").write_text("of mine")
    list_again(folder_of(registry, version))
    point_at(registry, version)


def list_fewer_files(registry: Registry, version: int) -> None:
    list_again(folder_of(registry, version), names=lambda name: not name.endswith(".md"))
    point_at(registry, version)


def lead_out_of_the_folder(registry: Registry, version: int) -> None:
    folder = folder_of(registry, version)
    listing = json.loads((folder / "version.json").read_text())
    content = b"of mine"
    (folder.parent / "escaped").write_bytes(content)
    listing["files"]["../escaped"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "version.json").write_text(json.dumps(listing))
    point_at(registry, version)


def link_elsewhere(registry: Registry, version: int) -> None:
    """A file that is a link to one outside of the registry."""
    path = folder_of(registry, version) / "saved_model.pb"
    (Path(registry.store.url).parent / "outside").write_text("of mine")
    path.unlink()
    path.symlink_to(Path(registry.store.url).parent / "outside")
    list_again(folder_of(registry, version))
    point_at(registry, version)


def damage_the_signature(registry: Registry, version: int) -> None:
    (folder_of(registry, version) / "model.sig").write_text('{"verificationMaterial": [], "mediaType": 3}')


# Each takes a registry whose champion has this version, with another one before it, and says what is told of it.
ATTACKS: dict[str, tuple[Callable[[Registry, int], None], str]] = {
    "one byte": (change_one_byte, "Hash mismatch for 'saved_model.pb'"),
    "no signature": (delete_signature, "Received: no model.sig"),
    "signature of another version": (take_signature_of_another, "Hash mismatch for 'model_card.md'"),
    "an older version under a new number": (copy_an_older_version, "a signed copy of version 1 of mnist"),
    "a file more": (add_a_file, "variables/more"),
    "a file less": (list_fewer_files, "model_card.md"),
    "a way out of the folder": (lead_out_of_the_folder, "'../escaped'"),
    "a link": (link_elsewhere, "Hash mismatch for 'saved_model.pb'"),
    "a damaged signature": (damage_the_signature, "Received: another signature"),
}
