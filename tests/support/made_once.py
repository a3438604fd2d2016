"""Folders that are dear to make: made once in a session, whichever of its workers needs them first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the session's folder of this name, made by `make(folder)` when nobody has yet; it is to be read only.

    Whoever is killed or fails while making it leaves it unmade: the next one begins anew.
    """
    shared = shared_folder(factory)
    folder = shared / f"shared-{name}"
    with FileLock(shared / f"shared-{name}.lock"):
        if not folder.exists():
            making = factory.mktemp(name)
            make(making)
            making.rename(folder)
    return folder


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all workers of the session have in common."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # a worker's own lies in the session's
