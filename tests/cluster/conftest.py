"""The tests of a real cluster: skipped in one line where none is named."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import scenarios
from tests.cluster.real_cluster import ENDPOINT, NEEDED, Cluster, forwarded, is_local, wait_until

HERE = Path(__file__).parent


def missing() -> list[str]:
    """Return the variables that name a cluster and are not set."""
    return [name for name in NEEDED if not os.environ.get(name)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip without a cluster; order the tests so that the cluster is idle least."""
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine if missing() else ():
        item.add_marker(pytest.mark.skip("no cluster is named"))
    items.sort(key=_turn)  # stable


def _turn(item: pytest.Item) -> int:
    """Return 1 for what waits for the runs in the background, 2 for what takes something away."""
    if HERE not in item.path.parents:
        return 0
    return 2 if item.get_closest_marker("outage") else 1 if item.path.name == "test_runs.py" else 0


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line why nothing of this folder was run."""
    skipped = [each for each in terminalreporter.stats.get("skipped", ()) if each.nodeid.startswith("tests/cluster/")]
    if skipped and missing():
        terminalreporter.write_line(
            f"tests/cluster: {len(skipped)} skipped, no cluster: {', '.join(missing())} not set (docs/cluster.md)"
        )


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    record_testsuite_property: Callable[[str, object], None],
) -> Iterator[Cluster]:
    """The session with the cluster: the data are in the store, the runs of `scenarios` on their way."""
    name = f"deep-mnist-test-{uuid.uuid4().hex[:6]}"
    namespace = os.environ.get("KF_PIPELINES_NAMESPACE") or "kubeflow"
    environment = dict(os.environ)
    with ExitStack() as open_until_the_end:
        session = Cluster(name, namespace, tmp_path_factory.mktemp("cluster"), environment)
        if is_local(environment[ENDPOINT]) and not os.environ.get("DEEP_MNIST_TEST_OWN_FORWARD"):
            # A port-forward of somebody's ends with the API's pod, which one test takes away.
            environment[ENDPOINT] = open_until_the_end.enter_context(forwarded("kubeflow", "svc/ml-pipeline", 8888))
        if environment["DEEP_MNIST_STORE"].startswith("gs://") and "STORAGE_EMULATOR_HOST" not in environment:
            if session.deployed("fake-gcs"):
                url = open_until_the_end.enter_context(forwarded(namespace, "deployment/fake-gcs", 4443))
                environment["STORAGE_EMULATOR_HOST"] = url
        patched = open_until_the_end.enter_context(pytest.MonkeyPatch.context())
        for variable in ("STORAGE_EMULATOR_HOST", ENDPOINT):
            if variable in environment:
                patched.setenv(variable, environment[variable])
        wait_until(lambda: _answers(session), "Kubeflow's API to answer", 120)
        for part, version in session.versions().items():
            record_testsuite_property(part, version)
        try:
            scenarios.prepare(session)
            wanted = {mark.args[0] for item in request.session.items for mark in item.iter_markers("needs_run")}
            scenarios.start(session, wanted)
            yield session
        finally:
            session.clean(scenarios.schedules_experiment(session))


def _answers(session: Cluster) -> bool:
    try:
        session.connection()
    except Exception:
        return False
    return True


@pytest.fixture
def quiet(cluster: Cluster) -> Cluster:
    """The cluster when nothing runs in the background any more."""
    cluster.wait_for_all()
    return cluster
