"""Finished folds kept as files, so that a search that was cut goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def key_of(arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> str:
    """Return what identifies predictions: the same arrays and settings give the same.

    >>> key_of({"given": np.arange(3)}, {"seed": 0}) == key_of({"given": np.arange(3)}, {"seed": 1})
    False
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:32]


def save_fold(folder: Path, number: int, probabilities: np.ndarray) -> None:
    """Write one fold's predictions in one step.

    Args:
        folder: Of the search.
        number: Of the fold, from 0.
        probabilities: float32 (held-out examples, classes), in the order of the split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".fold-{number}-", suffix=".npy")
    with os.fdopen(handle, "wb") as file:
        np.save(file, probabilities.astype(np.float32), allow_pickle=False)
    Path(name).replace(folder / f"fold-{number}.npy")


def load_fold(folder: Path, number: int) -> np.ndarray | None:
    """Return one fold's predictions, None where they are missing or cut off."""
    try:
        found: np.ndarray = np.load(folder / f"fold-{number}.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found


def put_together(folder: Path, fold: np.ndarray) -> np.ndarray:
    """Return float32 (n, classes), every fold's predictions at their examples' places.

    Args:
        folder: Of the search.
        fold: int64 (n,), the fold of each example.

    Raises:
        FileNotFoundError: A fold is missing or is another's.
    """
    parts = {number: load_fold(folder, number) for number in range(int(fold.max()) + 1)}
    for number, part in parts.items():
        expected = int((fold == number).sum())
        if part is None or len(part) != expected:
            raise FileNotFoundError(
                f"Expected {expected} predictions in {folder / f'fold-{number}.npy'}. Received: "
                f"{'none' if part is None else len(part)}. Fix: Predict that fold again."
            )
    width = max(part.shape[1] for part in parts.values() if part is not None)
    whole = np.zeros((len(fold), width), np.float32)
    for number, part in parts.items():
        if part is not None:
            whole[fold == number, : part.shape[1]] = part
    return whole
