"""Fixtures that several test files share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

# Before numpy is imported: the doctor's small matrices, with two BLAS threads on two busy cores, wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.gcs_server import gcs_server

if TYPE_CHECKING:
    from tests.support.kfp_server import KfpServer


@pytest.fixture(scope="session")
def gcs() -> Iterator[str]:
    """The URL of a real fake-gcs-server; STORAGE_EMULATOR_HOST names it until the session ends."""
    with gcs_server() as url:
        before = os.environ.get("STORAGE_EMULATOR_HOST")
        os.environ["STORAGE_EMULATOR_HOST"] = url
        yield url
        if before is None:
            del os.environ["STORAGE_EMULATOR_HOST"]
        else:
            os.environ["STORAGE_EMULATOR_HOST"] = before


@pytest.fixture
def bucket(gcs: str) -> str:
    """A new, empty bucket: "gs://…"."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    name = f"bucket-{uuid.uuid4().hex[:12]}"
    options = {"api_endpoint": gcs}
    client = storage.Client(project="test", credentials=AnonymousCredentials(), client_options=options)
    client.create_bucket(name)
    return f"gs://{name}"


@pytest.fixture
def proxy(gcs: str) -> Iterator[FaultProxy]:
    """A proxy in front of the server; STORAGE_EMULATOR_HOST names it for this test."""
    with fault_proxy(gcs) as running:
        os.environ["STORAGE_EMULATOR_HOST"] = running.url
        yield running
        os.environ["STORAGE_EMULATOR_HOST"] = gcs


@pytest.fixture
def pushed_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images as `make push` names them, and nothing of the caller's own cluster."""
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_NAMESPACE", "KF_PIPELINES_TOKEN", "DEEP_MNIST_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DEEP_MNIST_IMAGES", "registry.example/deep-mnist")
    monkeypatch.setenv("DEEP_MNIST_TAG", "5658ca6b1f2e-0a1b2c3d4e5f")


@pytest.fixture
def server() -> Iterator[KfpServer]:
    """The stand-in for a Kubeflow Pipelines API, over HTTP."""
    from tests.support.kfp_server import KfpServer

    with KfpServer() as started:
        yield started
