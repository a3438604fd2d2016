"""Kubeflow's Model Registry learns of every promoted version, once, whatever fails in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deep_mnist.registry.model_registry import ModelRegistryError, register
from deep_mnist.registry.registry import Registry
from tests.support.model_registry_server import ModelRegistryServer, model_registry_server
from tests.support.versions import facts, make_folder


@pytest.fixture
def catalogue() -> Iterator[ModelRegistryServer]:
    with model_registry_server() as server:
        yield server


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path / "registry"), "mnist")


def promote(registry: Registry, scratch: Path, content: str) -> None:
    registry.promote(make_folder(scratch / content, content), facts(content), expected=registry.champion())


def require_registered(catalogue: ModelRegistryServer, registry: Registry) -> None:
    """Check that exactly the promoted versions are there, each with one artifact, and the champion's name."""
    versions = [str(promotion.version) for promotion in registry.log()]
    model = catalogue.tables["registered_models"][0]

    assert ["mnist"] == catalogue.names("registered_models")
    assert versions == catalogue.names("model_versions")
    assert [f"mnist-{version}" for version in versions] == catalogue.names("artifacts")
    assert [registry.uri(int(version)) for version in versions] == [
        each["uri"] for each in catalogue.tables["artifacts"]
    ]
    assert versions[-1] == model["customProperties"]["champion"]["string_value"]


def test_promoted_versions_are_registered_once(
    catalogue: ModelRegistryServer, registry: Registry, tmp_path: Path
) -> None:
    """Three promotions and a rollback, registered as they come and once more, leave four versions."""
    for content in "abc":
        promote(registry, tmp_path, content)
        register(catalogue.url, registry)
    registry.rollback(reason="c is worse")

    assert [4] == register(catalogue.url, registry)
    assert [] == register(catalogue.url, registry)
    require_registered(catalogue, registry)
    assert (
        registry.champion().facts.accuracy
        == catalogue.tables["model_versions"][3]["customProperties"]["accuracy"]["double_value"]
    )


@pytest.mark.parametrize("status", [500, 503, 404, 302])
def test_what_failed_anywhere_is_repaired(
    catalogue: ModelRegistryServer, registry: Registry, tmp_path: Path, status: int
) -> None:
    """Cut off at each request that changes something in turn, the next call completes the catalogue."""
    for point in range(1, 20):
        promote(registry, tmp_path, f"content-{point}")
        left = [point]

        def fail(method: str, _path: str, left: list[int] = left) -> int:
            left[0] -= method != "GET"
            return status if method != "GET" and left[0] <= 0 else 0

        catalogue.fault = fail
        try:
            register(catalogue.url, registry)
            through = True
        except ModelRegistryError as error:
            through = False
            assert f"Received: HTTP {status}" in str(error)
        catalogue.fault = lambda _method, _path: 0
        register(catalogue.url, registry)
        require_registered(catalogue, registry)
        if through:
            break

    assert through
    assert point > 3


def test_publishers_that_meet_register_once(catalogue: ModelRegistryServer, registry: Registry, tmp_path: Path) -> None:
    """Eight that register the same versions at the same time leave each once."""
    for content in "ab":
        promote(registry, tmp_path, content)
    threads = [threading.Thread(target=register, args=(catalogue.url, registry)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {"1", "2"} == set(catalogue.names("model_versions"))
    assert 2 == len(catalogue.names("model_versions")) == len(catalogue.names("artifacts"))


def test_nothing_promoted_is_nothing_registered(catalogue: ModelRegistryServer, registry: Registry) -> None:
    """Before the first promotion no request is made."""
    assert [] == register(catalogue.url, registry)
    assert [] == catalogue.seen


def test_a_token_is_sent(
    catalogue: ModelRegistryServer, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that wants a token gets that of the environment, and says 401 without."""
    promote(registry, tmp_path, "a")
    catalogue.token = "secret"
    with pytest.raises(ModelRegistryError, match="HTTP 401"):
        register(catalogue.url, registry)
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", "secret")

    assert [1] == register(catalogue.url, registry)


@pytest.mark.parametrize("url", ["model-registry:8080", "", "ftp://host", "http://127.0.0.1:1"])
def test_an_unreachable_or_odd_address_is_said_so(registry: Registry, tmp_path: Path, url: str) -> None:
    """An address that leads nowhere is an error that names it."""
    promote(registry, tmp_path, "a")
    with pytest.raises(ModelRegistryError, match=r"Expected .*Received"):
        register(url, registry)
