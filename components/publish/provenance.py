"""Where a version comes from, as an in-toto statement with SLSA's predicate: provenance.json, among what is signed.

Subject: every file of the version. Materials: the data, the split that judged, the champion before, the images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deep_mnist.registry.signature import SIGNATURE_FILE
from deep_mnist.registry.signing import VERSION_FILE
from deep_mnist.storage.store import sha256_of_file

PROVENANCE_FILE = "provenance.json"
BUILD_TYPE = "urn:deep-mnist:training:1"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def write_provenance(folder: Path, card: Mapping[str, Any], run: str) -> None:
    """Write FOLDER/provenance.json over the files that lie there.

    Args:
        folder: Of the version, all but this file written.
        card: As `card_facts` returns it.
        run: Name of the run.
    """
    written_later = {folder / name for name in (PROVENANCE_FILE, SIGNATURE_FILE, VERSION_FILE)}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in written_later]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [_digested(path.relative_to(folder).as_posix(), sha256_of_file(path)) for path in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _parameters(card),
                "internalParameters": {"code": {step: made["code"] for step, made in card["made_by"].items()}},
                "resolvedDependencies": list(_materials(card)),
            },
            "runDetails": {
                "builder": {"id": card["made_by"]["publish"]["image"]},
                "metadata": {"invocationId": run, "finishedOn": card["written"]},
            },
        },
    }
    (folder / PROVENANCE_FILE).write_text(json.dumps(statement, indent=1) + "\n")


def _parameters(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person chose."""
    return {
        "dataset": card["data"]["source"],
        "network": card["network"]["name"],
        "model": card["network"]["own_model"],
        "seed": card["training"].get("seed"),
        "recipe": card["training"].get("recipe"),
        "validation_fraction": card["data"]["validation_fraction"],
        "split_seed": card["data"]["split_seed"],
        "accept": card["accepted"],
    }


def _materials(card: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield everything that went in and has a digest."""
    data, champion = card["data"], card["champion"]
    yield _digested("dataset", data["digest"])
    yield _digested(f"judged split: {data['judged_on']}", data["test_digest"])
    for name, digest in (data["source_digests"] or {}).items():
        if _SHA256.fullmatch(str(digest)):
            yield _digested(f"source: {name}", digest)
    yield _digested("network: configuration and weights", card["network"]["digest"])
    if champion:
        yield _digested(f"champion before: version {champion['version']}", champion["model_digest"])
    for step, made in card["made_by"].items():
        name, _, digest = made["image"].partition("@sha256:")
        yield {"name": f"image: {step}", "uri": name, **({"digest": {"sha256": digest}} if digest else {})}


def _digested(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}
