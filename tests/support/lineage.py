"""OpenLineage's events in a file, as its own transport writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def transport(folder: Path) -> dict[str, str]:
    """Configure OpenLineage's own transport to a file, as its users do."""
    settings = {"transport": {"type": "file", "log_file_path": str(folder / "events"), "append": True}}
    (folder / "lineage.yml").write_text(json.dumps(settings))
    return {"OPENLINEAGE_CONFIG": str(folder / "lineage.yml"), "OPENLINEAGE_NAMESPACE": "tests"}


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events").read_text().splitlines()]


def versions(datasets: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for each in datasets:
        yield each["namespace"], each["name"], each["facets"]["version"]["datasetVersion"]
