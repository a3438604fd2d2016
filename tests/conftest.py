"""Fixtures that several test files share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

# Before numpy is imported: the doctor's small matrices, with two BLAS threads on two busy cores, wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

import pipeline  # noqa: F401 - before kfp, whose client takes seconds to import
from tests.support import remotes
from tests.support.browser import open_browser
from tests.support.gcs_server import gcs_server
from tests.support.probes import LINES
from tests.support.remotes import Remote, new_address
from tests.support.s3_server import credentials, s3_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.kfp_server import KfpServer


S3_FIXTURES = {"s3", "address", "remote"}
_until_the_end = ExitStack()


@cache
def started_s3() -> Callable[[], str]:
    """Start SeaweedFS, once in a session; return what waits for it and returns its URL."""
    return _until_the_end.enter_context(s3_server())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start SeaweedFS in the background before the first test that needs it."""
    needed = any(S3_FIXTURES.intersection(getattr(item, "fixturenames", ())) for item in session.items)
    if needed and not session.config.option.collectonly:
        with suppress(RuntimeError):  # the tests that need it say so
            started_s3()


def pytest_sessionfinish() -> None:
    """Note the lines that ran in this process now: pytest-xdist kills a worker that takes 10 s to end."""
    if probes := sys.modules.get("probes"):  # as tests/support/measured.py starts it
        probes.write_lines(Path(os.environ[LINES]))
    _until_the_end.close()


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables, for child processes too, and put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def gcs() -> Iterator[str]:
    """The URL of a real fake-gcs-server; STORAGE_EMULATOR_HOST names it until the session ends."""
    with gcs_server() as url, environment({"STORAGE_EMULATOR_HOST": url}):
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of a real SeaweedFS; the AWS_… variables name it and its owner until the session ends."""
    url = started_s3()()
    with environment({**credentials(), "AWS_ENDPOINT_URL_S3": url}):
        yield url


@pytest.fixture(scope="session")
def fresh_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`start_module` forks from a server that has imported TensorFlow, as the steps of a run on this machine are."""
    from tests.support.shared_server import shared_fork_server

    with shared_fork_server(tmp_path_factory):
        yield


@pytest.fixture
def bucket(gcs: str) -> str:
    """A new, empty bucket: "gs://…"."""
    return new_address("gs", gcs)


@pytest.fixture(params=["folder", "gs", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nothing is stored yet: a folder and a prefix of a bucket of each kind, on real servers."""
    if request.param == "folder":
        return str(tmp_path / "store")
    server = request.getfixturevalue({"gs": "gcs", "s3": "s3"}[request.param])
    return f"{new_address(request.param, server)}/some/prefix"


@pytest.fixture(params=["gs", "s3"])
def remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    """A new bucket of each kind, behind a fault proxy that the environment names for this test."""
    server = request.getfixturevalue({"gs": "gcs", "s3": "s3"}[request.param])
    with remotes.remote(request.param, server) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser; the test is skipped where none is installed."""
    with open_browser() as opened:
        yield opened


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
