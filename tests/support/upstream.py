"""Upstream's own manifests, if DEEP_MNIST_UPSTREAM names a folder with a copy of each repository at the pinned version.

pipelines/       kubeflow/pipelines at 2.17.0: manifests/
trainer/         kubeflow/trainer at v2.3.0: manifests/
argo-workflows/  argoproj/argo-workflows at v4.0.5: manifests/
"""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

from pipeline.cluster.manifests import rendered
from tests.support.manifests import MANIFESTS, documents

REMOTE = re.compile(r"^(\s*- )https://github\.com/[\w-]+/([\w-]+)/([^?\s]+)\S*", re.MULTILINE)
UPSTREAM = os.environ.get("DEEP_MNIST_UPSTREAM", "")
needs_upstream = pytest.mark.skipif(not UPSTREAM, reason="DEEP_MNIST_UPSTREAM names no copy of upstream's manifests")


@cache
def local_copy(folder: Path) -> Path:
    """Return manifests/ in `folder`, every remote address in it and in upstream's replaced by the copy."""
    shutil.copytree(MANIFESTS, folder / "manifests", ignore=shutil.ignore_patterns("pipeline.yaml"))
    for repository in ("pipelines", "argo-workflows"):
        shutil.copytree(Path(UPSTREAM) / repository / "manifests", folder / repository / "manifests")
    for path in folder.rglob("kustomization.yaml"):
        here = path.parent

        def replaced(match: re.Match[str], here: Path = here) -> str:
            return match[1] + os.path.relpath(folder / match[2] / match[3], here)

        text = path.read_text()
        if REMOTE.search(text):
            path.write_text(REMOTE.sub(replaced, text))
    return folder / "manifests"


@cache
def upstream_resources(folder: Path, name: str) -> list[dict]:
    """Render a folder of manifests/ over upstream's real tree."""
    return documents(rendered(local_copy(folder) / name))
