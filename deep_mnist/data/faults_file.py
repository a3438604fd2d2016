"""faults.json: what download could not read, in place of arrays, for the doctor, who alone says what it means.

{"train": {"images.shape": {"expected": "…", "received": "…", "fix": "…", "where": [3]}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.raw import ImageSourceError

FAULTS_FILE = "faults.json"
SPLITS = ("train", "validation", "test")
PARTS = ("images", "labels", "images.shape", "images.layout")
MAX_BYTES = 1 << 20
Faults = dict[str, dict[str, ArrayFileError]]


def write_faults(folder: Path, faults: Mapping[str, Mapping[str, ArrayFileError]]) -> None:
    """Write the faults of each split."""
    stored = {split: {part: _plain(error) for part, error in parts.items()} for split, parts in faults.items()}
    (folder / FAULTS_FILE).write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


def read_faults(folder: Path) -> Faults:
    """Return what `write_faults` wrote, {} without a file.

    Raises:
        ArrayFileError: The file is none of ours.
    """
    path = folder / FAULTS_FILE
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        stored = json.loads(path.read_text())
        return {
            split: {part: _error(stored[split][part]) for part in PARTS if part in stored[split]}
            for split in SPLITS
            if split in stored
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArrayFileError(f"{FAULTS_FILE} as download writes it", f"{error}"[:200], "Delete it.") from error


def _plain(error: ArrayFileError) -> dict[str, object]:
    where = list(error.where) if isinstance(error, ImageSourceError) else []
    return {"expected": error.expected, "received": error.received, "fix": error.fix, "where": where}


def _error(stored: Mapping[str, object]) -> ImageSourceError:
    where = stored["where"]
    if not isinstance(where, list) or not all(type(row) is int for row in where):
        raise ValueError("where is no list of indices")
    return ImageSourceError(str(stored["expected"]), str(stored["received"]), str(stored["fix"]), where)
